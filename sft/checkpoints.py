"""Trainer checkpoints inside a training: which one to go on from, and whether it is this training's."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from sft.rows import SftError

RUN_FILE = "run_arguments.json"  # what the trainer checkpoints beside it were made with
FREE_ON_RESUME = (
    "output_dir experiment_name report_to save_steps save_total_limit drop_checkpoints resume logging_steps "
    "profile_steps wait"
)


def find_checkpoint(args: argparse.Namespace) -> Path | None:
    """Return the newest complete trainer checkpoint to go on from; the trainer writes trainer_state.json last."""
    folders = [p for p in args.output_dir.glob("checkpoint-*") if p.name.partition("-")[2].isdigit()]
    found = sorted(folders, key=lambda p: int(p.name.partition("-")[2]), reverse=True)
    if found and not args.resume:
        raise SftError(f"{args.output_dir} holds {found[0].name} of an earlier run: add --resume, or remove it.")
    for folder in found:
        with contextlib.suppress(OSError, ValueError):
            json.loads((folder / "trainer_state.json").read_text())
            before = json.loads((args.output_dir / RUN_FILE).read_text())
            changed = [k for k, v in identity(args).items() if before.get(k) != v]
            if changed:
                raise SftError(f"{folder} was made with other {', '.join(changed)}; go back to them, or remove it.")
            return folder
    return None


def drop_checkpoints(output_dir: Path) -> None:
    """Remove what only a killed training needs: of full fine-tuning it is six times the size of the model."""
    for folder in output_dir.glob("checkpoint-*"):
        shutil.rmtree(folder, ignore_errors=True)


def identity(args: argparse.Namespace) -> dict[str, Any]:
    """Return what decides the weights: the arguments, the number of processes, and the digest of the training rows."""
    kept = {k: str(v) for k, v in vars(args).items() if k not in FREE_ON_RESUME.split()}
    rows = hashlib.sha256(args.train_file.read_bytes()).hexdigest()
    return {**kept, "train_file": rows, "processes": os.environ.get("WORLD_SIZE", "1")}


def write_json(path: Path, value: object) -> None:
    """Write atomically: a reader sees the old file or the whole new one."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w") as file:
        json.dump(value, file, indent=1, default=str)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
