"""What a run asks of its machine, checked before anything is loaded: GPUs, their memory, vLLM; and what must not change
between a run and its resumption although it stands in no setting: the chat template, accelerate's configuration file.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bootstrap.accelerate_config import launch_digest, launch_of
from bootstrap.chat_template import template_digest
from bootstrap.config import RunConfig
from bootstrap.errors import UserError
from bootstrap.gpus import Found, find_gpus, gpus_per_replica
from bootstrap.memory import Machine, require_memory
from bootstrap.model_shape import shape_of

WHAT = {
    "chat_template": "the chat template of {base_model}",
    "accelerate_config": "{accelerate_config} (processes, precision or sharding)",
}

log = logging.getLogger(__name__)


def check_gpus(config: RunConfig) -> None:
    """Raise UserError where a setting asks for a GPU that is not there, or for more memory than it has.

    torch is asked, in a child, only where a setting wants a GPU or the machine has NVIDIA's tools.
    """
    wanted = wants_cuda(config)
    if not wanted and not (config.base_model and may_use_cuda(config) and shutil.which("nvidia-smi")):
        return
    found = find_gpus()
    if not wanted and found.bytes_of_gpus and may_use_cuda(config) and sampling_gpus(config) > 1:
        wanted = f"engine.replicas is {config.engine.replicas}, each with {gpus_per_replica(config.engine)} GPUs"
    if wanted:
        require_gpus(wanted, found, needed_gpus(config))
    if found.bytes_of_gpus and config.base_model is not None:
        check_memory(config, config.base_model, Machine(min(found.bytes_of_gpus), len(found.bytes_of_gpus)))


def wants_cuda(config: RunConfig) -> str | None:
    """Return the setting that cannot do without a GPU, None where all can."""
    train = config.train
    if config.engine.loads_here and config.engine.device == "cuda" and config.executor == "local":
        return "engine.device is cuda"
    if train.program is None:
        return None
    if train.accelerate_config and not launch_of(train).on_cpu:
        return f"train.accelerate_config is {train.accelerate_config}"
    if train.lora is not None and train.lora.load_in_4bit:
        return "train.lora.load_in_4bit is true"
    return f"train.attn_implementation is {train.attn_implementation}" if train.packing else None


def may_use_cuda(config: RunConfig) -> bool:
    trains = config.train.program is not None and config.train.device != "cpu"
    return config.engine.loads_here and (trains or config.engine.device != "cpu")


def needed_gpus(config: RunConfig) -> int:
    """Return the GPUs that this machine must have."""
    launch = launch_of(config.train)
    training = launch.processes // launch.machines if config.train.program and not launch.on_cpu else 1
    return max(training, sampling_gpus(config))


def sampling_gpus(config: RunConfig) -> int:
    """Return the GPUs of this machine that sample; those of a cluster are not its own."""
    here = config.executor == "local" and config.engine.loads_here and config.engine.device != "cpu"
    return config.engine.replicas * gpus_per_replica(config.engine) if here else 1


def require_gpus(wanted: str, found: Found, needed: int) -> None:
    if not found.bytes_of_gpus:
        why = "sees no GPU here: look at nvidia-smi"
        built = "is built without CUDA: install its CUDA build" if found.cuda is None else why
        raise UserError(
            f"{wanted}, but torch {found.torch} {built}, or run without a GPU (engine.device=cpu train.device=cpu)"
        )
    if len(found.bytes_of_gpus) < needed:
        raise UserError(
            f"{wanted}: {needed} GPUs are expected on this machine, torch sees {len(found.bytes_of_gpus)}: lower "
            "num_processes in accelerate's file (or engine.replicas or engine.tensor_parallel_size), or look at "
            "CUDA_VISIBLE_DEVICES"
        )


def check_memory(config: RunConfig, model: str, machine: Machine) -> None:
    try:
        shape_of(model)
    except UserError as e:
        log.warning("GPU memory is not checked: %s", e)
        return
    try:
        for estimate in require_memory(config, model, machine):
            log.info("%s, and the GPU has %.1f GB", estimate, machine.gpu_bytes / 1e9)
    except UserError as e:
        if config.memory_check == "required":
            raise UserError(f"{e}. It is an estimate: memory_check=warn goes on all the same") from e
        log.warning("%s", e)


def check_vllm_environment(python: str | None) -> None:
    """Raise UserError where vLLM is not installed beside the loop, or in the environment of `engine.python`, or asks
    for another transformers than the one there."""
    if python is None:
        from bootstrap.engines.vllm_engine import check_vllm

        check_vllm()
        return
    if shutil.which(python) is None:
        raise UserError(f"engine.python is {python}: no such program; give the python of the environment that has vllm")
    code = "from bootstrap.engines.vllm_engine import check_vllm; check_vllm()"
    root = Path(__file__).resolve().parent.parent
    ended = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise UserError(f"engine.python is {python}: {last.partition('UserError: ')[2] or last}")


def check_vllm_server(config: RunConfig) -> None:
    """Raise UserError where there is no program that serves, or where a running server could not follow the run."""
    if config.engine.base_url is None:
        from bootstrap.engines.remote.own_server import find_vllm

        find_vllm(config.engine.python)
        return
    trains = config.train.program is not None
    if trains and (config.train.lora is None or config.train.lora.merge):
        raise UserError(
            "engine.base_url: a running vLLM server cannot exchange its model for what an iteration has trained: train "
            "adapters (train.lora with merge: false), or leave engine.base_url away: each stage starts a server then"
        )


# --- what a resumed run must find as it was ---


def facts_of(config: RunConfig) -> dict[str, str]:
    found = {"chat_template": template_digest(config), "accelerate_config": launch_digest(config.train)}
    return {name: value for name, value in found.items() if value is not None}


def refuse_other_facts(before: Mapping[str, str], now: Mapping[str, str], config: RunConfig) -> None:
    """Raise UserError where something is not what it was when the run began."""
    for name in before.keys() & now.keys():
        if before[name] != now[name]:
            what = WHAT[name].format(base_model=config.base_model, accelerate_config=config.train.accelerate_config)
            raise UserError(
                f"{what} is not what it was when this run began (digest {before[name]}, now {now[name]}), and finished "
                "stages rest on it: put the old one back, or choose another --run-name"
            )
