"""What the loop reads of a configuration file of accelerate: how many processes, and whether they share the weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.config import read_yaml
from bootstrap.errors import UserError
from bootstrap.records import digest
from bootstrap.train_config import TrainConfig

WHERE_IT_RUNS = ("main_process_ip", "main_process_port", "machine_rank", "rdzv_backend", "same_network", "gpu_ids",
                 "debug", "enable_cpu_affinity", "main_training_function", "compute_environment")  # fmt: skip
"""Keys that decide nothing of what is learned: a resumed run may find them changed."""


@dataclass(frozen=True)
class Launch:
    """`sharded`: weights, gradients and optimizer are spread over the processes (FSDP, ZeRO-3)."""

    processes: int = 1
    machines: int = 1
    sharded: bool = False
    on_cpu: bool = False


def launch_of(train: TrainConfig) -> Launch:
    """Return how a training is launched. Raises UserError for a file that is not there or names no processes."""
    if train.accelerate_config is None:
        return Launch(on_cpu=train.device == "cpu")
    values = read_launch(Path(train.accelerate_config))
    zero_stage = (values.get("deepspeed_config") or {}).get("zero_stage", 0)
    return Launch(
        processes=values["num_processes"], machines=int(values.get("num_machines", 1)),
        sharded=values.get("distributed_type") == "FSDP" or zero_stage == 3,
        on_cpu=bool(values.get("use_cpu", False)) or train.device == "cpu",
    )  # fmt: skip


def read_launch(path: Path) -> dict[str, Any]:
    values = read_yaml(path)
    if not isinstance(values.get("num_processes"), int) or values["num_processes"] < 1:
        raise UserError(
            f"{path}: expected num_processes, a number of at least 1, found {values.get('num_processes')!r}: see "
            "configs/accelerate/ for files that work"
        )
    return values


def launch_digest(train: TrainConfig) -> str | None:
    """Return a digest of what decides results in the file, None where there is none."""
    if train.accelerate_config is None:
        return None
    values = read_launch(Path(train.accelerate_config))
    kept = {key: value for key, value in values.items() if key not in WHERE_IT_RUNS}
    return digest(json.dumps(kept, sort_keys=True, default=str))
