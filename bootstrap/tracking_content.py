"""What W&B gets of an iteration beside its figures: a table of candidates, and artifacts for its data and its model.

Read from the run's folder when the iteration is over; what is not there (iteration 0 has no candidates, a replay no
model) is left out. Artifacts point to the files where they lie, so that nothing is copied: `wandb sync` finds them as
long as the run's folder stays where it is.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrap.config import WandbConfig
from bootstrap.files import read_jsonl
from bootstrap.visible_text import visible

if TYPE_CHECKING:
    from wandb import Artifact, Table

COLUMNS = ("problem_id", "statement", "wave", "sample", "verdict", "message", "tokens", "code")
WHOLE_BYTES = 64 * 2**20  # of larger files the fingerprint reads the two ends
END_BYTES = 2**20


def candidate_rows(run_dir: Path, iteration: int, count: int) -> list[list[Any]]:
    """Return `count` candidates drawn by digest: neither their order in the file nor anybody's taste decides."""
    rows = read_jsonl(run_dir / f"iteration_{iteration}" / "candidates.jsonl") if count else []
    drawn = heapq.nsmallest(count, enumerate(rows), key=lambda item: (_draw(item[1]), item[0]))
    wanted = {row["problem_id"] for _, row in drawn}
    statements = {
        row["problem_id"]: row["statement"]
        for row in (read_jsonl(run_dir / "problems.jsonl") if wanted else [])
        if row["problem_id"] in wanted
    }
    return [
        [
            row["problem_id"], visible(statements.get(row["problem_id"], "")), row["wave"], row["sample_index"],
            row["outcome"], visible(row["message"]), row["tokens"], visible(row["code"]),
        ]
        for _, row in drawn
    ]  # fmt: skip


def _draw(row: Mapping[str, Any]) -> bytes:
    name = f"{row['problem_id']}/{row['wave']}/{row['sample_index']}"
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


def candidate_table(run_dir: Path, iteration: int, wanted: WandbConfig) -> Table | None:
    """Return the table of an iteration's candidates, None where there are none."""
    import wandb

    rows = candidate_rows(run_dir, iteration, wanted.candidates)
    return wandb.Table(columns=list(COLUMNS), data=rows) if rows else None


def artifacts(run_dir: Path, run_name: str, iteration: int, wanted: WandbConfig) -> Iterator[Artifact]:
    """Yield the artifacts of an iteration: its training rows, and its model or the model's fingerprint."""
    import wandb

    folder, name = run_dir / f"iteration_{iteration}", re.sub(r"[^\w.-]", "-", run_name)[:100]
    train_file, model = folder / "train.jsonl", folder / "model"
    if wanted.datasets and train_file.is_file():
        about = {"iteration": iteration, "sha256": file_digest(train_file, whole=True)}
        data = wandb.Artifact(f"{name}-train", type="dataset", metadata=about)
        for path in (train_file, folder / "dataset_stats.json"):
            if path.is_file():
                data.add_file(str(path), policy="immutable", skip_cache=True)
        yield data
    if model.is_dir():
        files = {str(path.relative_to(model)): path for path in model_files(model)}
        about = {"iteration": iteration, "path": str(model), "uploaded": wanted.models}
        artifact = wandb.Artifact(f"{name}-model", type="model", metadata=about)
        if wanted.models:
            for inside, path in files.items():
                artifact.add_file(str(path), name=inside, policy="immutable", skip_cache=True)
        else:
            found = {inside: [path.stat().st_size, file_digest(path)] for inside, path in files.items()}
            with artifact.new_file("fingerprint.json", mode="w") as file:
                file.write(json.dumps(found, indent=1, sort_keys=True) + "\n")
        yield artifact


def model_files(model: Path) -> list[Path]:
    """Return the files of a model, without the trainer's checkpoints and its own times."""
    found = [path for path in sorted(model.rglob("*")) if path.is_file()]
    return [path for path in found if path.name != "train_metrics.json" and "checkpoint-" not in str(path.parent)]


def file_digest(path: Path, *, whole: bool = False) -> str:
    """Return a short digest; of a large file that of its size and its two ends, where it need not be `whole`."""
    size = path.stat().st_size
    found = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        if whole:
            found = hashlib.sha256()
        if whole or size <= WHOLE_BYTES:
            while block := file.read(END_BYTES):
                found.update(block)
        else:
            found.update(file.read(END_BYTES))
            file.seek(-END_BYTES, 2)
            found.update(file.read(END_BYTES))
    return found.hexdigest()[:16]
