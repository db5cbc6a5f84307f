"""Say as one line of JSON which GPUs torch sees. A program of its own, so that the loop need not import torch.

python -m bootstrap.gpus
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from bootstrap.engine_config import EngineConfig
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


# --- the GPUs of each copy of the model ---


def gpus_per_replica(engine: EngineConfig) -> int:
    return engine.tensor_parallel_size if engine.in_vllm else 1


def replica_gpus(engine: EngineConfig) -> list[str | None]:
    """Return CUDA_VISIBLE_DEVICES of each replica; None where it is left as it is: one replica, or none uses a GPU.

    Raises UserError where there are GPUs, but too few.
    """
    visible = visible_gpus(engine) if engine.replicas > 1 else []
    if not visible:
        return [None] * engine.replicas
    each = gpus_per_replica(engine)
    if len(visible) < each * engine.replicas:
        raise UserError(
            f"engine.replicas is {engine.replicas}, and each takes {each} of the GPUs: expected "
            f"{each * engine.replicas}, found {len(visible)} ({','.join(visible)}): lower engine.replicas"
            + (" or engine.tensor_parallel_size" if each > 1 else "")
        )
    return [",".join(visible[i * each : (i + 1) * each]) for i in range(engine.replicas)]


def visible_gpus(engine: EngineConfig) -> list[str]:
    """Return the names of the GPUs on which the engine can load a model, as CUDA_VISIBLE_DEVICES takes them."""
    loads = engine.loads_here and engine.device != "cpu"
    if not loads or not (engine.device == "cuda" or shutil.which("nvidia-smi")):
        return []
    count = len(find_gpus().bytes_of_gpus)
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [name.strip() for name in listed.split(",")] if listed else [str(i) for i in range(count)]
    return names[:count]  # torch stops at the first name that is none


if __name__ == "__main__":
    print(json.dumps(asdict(look())))
