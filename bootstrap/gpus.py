"""Say as one line of JSON which GPUs torch sees. A program of its own, so that the loop need not import torch.

python -m bootstrap.gpus
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from bootstrap.errors import UserError

SECONDS = 120.0  # importing torch from a cold disk takes a while


@dataclass(frozen=True)
class Found:
    torch: str
    cuda: str | None
    """Version that torch was built with; None for a build without CUDA."""
    bytes_of_gpus: tuple[int, ...]


def look() -> Found:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    sizes = tuple(torch.cuda.get_device_properties(i).total_memory for i in range(count))
    return Found(torch.__version__, torch.version.cuda, sizes)


def find_gpus(python: str | None = None) -> Found:
    """Return what a child with this (or another) Python finds. Raises UserError when it ends with an error."""
    words = [python or sys.executable, "-m", "bootstrap.gpus"]
    try:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise UserError(f"cannot ask torch for GPUs ({' '.join(words)}): {e}") from e
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise UserError(f"cannot ask torch for GPUs ({' '.join(words)}): {last}")
    row: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return Found(row["torch"], row["cuda"], tuple(row["bytes_of_gpus"]))


if __name__ == "__main__":
    print(json.dumps(asdict(look())))
