"""Batched sampling with transformers' `generate`, on a CPU or on one GPU, completions handed out as they finish.

`generate` runs in a thread of its own; a stopping criterion that never stops anything looks for rows that have just
ended and puts them into a queue, so that checking starts while longer rows still grow.

A batch that does not fit into memory is halved and goes on (`growing_rows`), down to one sequence. The seed decides
every completion of a batch that fits; after a halving, the seed and the step at which memory ran out do. Finished
batches are recorded, so a run that goes on keeps theirs whatever happens.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import queue
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.continuous import Grower
from bootstrap.engines.growing_rows import Answer, EndWatch, Rows, first_line, out_of_memory, too_long
from bootstrap.errors import EngineError, UserError
from bootstrap.prompts import as_messages
from bootstrap.records import digest

if TYPE_CHECKING:
    import torch

LOOK_EVERY = {"cpu": 1, "cuda": 8}
"""Steps between two looks for rows that have ended; on a GPU a look costs a wait."""

FLASH_INSTALL = {
    "flash_attention_2": "pip install flash-attn --no-build-isolation (2.3.3 or newer)",
    "flash_attention_3": "build FlashAttention 3 from the folder hopper of its repository",
}

TOKENIZER_FILES = ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken", "tekken.json")


class TransformersEngine:
    name = "transformers"

    def __init__(self, model: str, config: EngineConfig, prompt: PromptConfig) -> None:
        check_model(model)
        with collector_paused():
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
            from transformers.utils import logging

        logging.disable_progress_bar()
        if config.threads:
            torch.set_num_threads(config.threads)
        self.device = pick_device(config.device)
        check_attention(config.attn_implementation, self.device)
        self.chat = prompt.chat
        try:
            with collector_paused():
                self.tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
                self.model = AutoModelForCausalLM.from_pretrained(model, **loading(config, self.device))
        except (OSError, ValueError, RuntimeError, ImportError) as e:
            raise UserError(f"cannot load the model {model}: {first_line(e)}") from e
        if self.chat and not self.tokenizer.chat_template:
            raise UserError(f"prompt.chat is true, but the tokenizer of {model} has no chat template: set it to false")
        check_attention_dtype(config.attn_implementation, self.model.dtype)
        self.model = self.model.eval()
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.end_ids = end_tokens(self.model, self.tokenizer)
        self.model_digest = model_digest(model)
        self.busy_seconds = 0.0
        self.halved_batches = 0
        self.at_once = config.continuous_batching

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        import torch

        if len({r.num_samples for r in requests}) > 1:
            raise EngineError("requests of one batch must ask for the same number of samples")
        batch = self._encode(requests)
        owners = [(r.problem_id, i) for r in requests for i in range(r.num_samples)]
        finished: queue.Queue[list[Answer] | BaseException | None] = queue.Queue()

        def work() -> None:
            started = time.monotonic()
            try:
                with torch.inference_mode():
                    grow = self._grow_continuously if self.at_once else self._grow
                    grow(batch, decoding, finished)
                self.busy_seconds += time.monotonic() - started
                finished.put(None)
            except BaseException as e:  # handed over and raised in the caller's thread
                finished.put(e)

        thread = threading.Thread(target=work, name="generate", daemon=True)
        thread.start()
        while (item := finished.get()) is not None:
            if isinstance(item, EngineError):
                raise item
            if isinstance(item, BaseException):
                raise EngineError(f"generate failed: {first_line(item)}") from item
            for row, tokens in item:
                yield self._completion(owners[row], tokens)
        thread.join()

    def _grow(self, batch: Rows, decoding: Decoding, finished: queue.Queue[Any]) -> None:
        """Write every sequence to its end, in as many parts as memory asks for, one after the other."""
        waiting, halved = deque([batch]), False
        while waiting:
            rows = waiting.popleft()
            watch = EndWatch(self.end_ids, rows, finished, LOOK_EVERY[self.device])
            failure = self._run(rows, decoding, decoding.seed if rows is batch else rows.seed(decoding.seed), watch)
            if failure is None:
                watch.rest()
                continue
            self._free()
            left, size = watch.left(), (len(rows.numbers) + 1) // 2
            self.halved_batches += not halved
            halved = True
            if left is None or left.written == decoding.max_new_tokens:
                watch.rest()
                continue
            if len(rows.numbers) == 1:
                raise EngineError(too_long(int(left.mask.sum()), left.written, decoding.max_new_tokens, failure))
            print(
                f"out of memory with {len(rows.numbers)} sequences, {left.prompt} tokens of prompt and {left.written} "
                f"of answer: {len(left.numbers)} of them go on, at most {size} side by side ({failure})", flush=True
            )  # fmt: skip
            waiting.extendleft(reversed(left.split(size)))

    def _grow_continuously(self, batch: Rows, decoding: Decoding, finished: queue.Queue[Any]) -> None:
        options = self._options(decoding, decoding.max_new_tokens)
        prompts = [ids[mask.bool()].tolist() for ids, mask in zip(batch.ids, batch.mask, strict=True)]
        grower = Grower(self.model, options, decoding.max_new_tokens, finished, self._free)
        self.halved_batches += grower.grow(prompts, self.at_once, decoding.seed)

    def _run(self, rows: Rows, decoding: Decoding, seed: int, watch: EndWatch) -> str | None:
        """Let the sequences grow; return what went wrong where memory ran out, without what the traceback holds."""
        import torch

        torch.manual_seed(seed)
        try:
            self.model.generate(
                input_ids=rows.ids, attention_mask=rows.mask, stopping_criteria=[watch],
                **self._options(decoding, decoding.max_new_tokens - rows.written),
            )  # fmt: skip
        except Exception as e:
            if not out_of_memory(e):
                raise
            return first_line(e)
        return None

    def _free(self) -> None:
        """Give back what a failed `generate` held: the cache of keys and values above all."""
        import torch

        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _encode(self, requests: Sequence[Request]) -> Rows:
        """Return a row for every sample, those of a request side by side."""
        prompts = [request.prompt for request in requests]
        if self.chat:
            prompts = [
                self.tokenizer.apply_chat_template(as_messages(text), tokenize=False, add_generation_prompt=True)
                for text in prompts
            ]
        encoded = self.tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=not self.chat)
        samples = requests[0].num_samples
        ids, mask = (encoded[key].repeat_interleave(samples, 0) for key in ("input_ids", "attention_mask"))
        return Rows(ids.to(self.device), mask.to(self.device), ids.shape[1], tuple(range(len(ids))))

    def _options(self, decoding: Decoding, max_new_tokens: int) -> dict[str, Any]:
        options: dict[str, Any] = {
            "max_new_tokens": max_new_tokens,
            "pad_token_id": self.tokenizer.pad_token_id,
            "eos_token_id": sorted(self.end_ids),
            "do_sample": decoding.temperature > 0,
        }
        if decoding.temperature > 0:
            options |= {"temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
        else:  # a checkpoint's own sampling settings would warn
            options |= {"temperature": None, "top_p": None, "top_k": None}
        return options

    def _completion(self, owner: tuple[str, int], tokens: list[int]) -> Completion:
        complete = bool(tokens) and tokens[-1] in self.end_ids
        text = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Completion(owner[0], owner[1], text, len(tokens), complete)

    def close(self) -> None:
        del self.model


def preload(model: str) -> None:
    """Import torch, transformers and the code of the model's architecture, where its folder is there already."""
    with collector_paused():
        import torch  # noqa: F401
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401

        with contextlib.suppress(
            OSError, ValueError, KeyError, ImportError
        ):  # loading the model will say what is wrong
            kind = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))["model_type"]
            importlib.import_module(f"transformers.models.{kind}.modeling_{kind}")


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from walking half a million new objects again and again: 0.9 s of the imports."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def pick_device(device: str) -> str:
    """Return cpu or cuda. Raises UserError where CUDA is asked for and missing."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("engine.device is cuda, but torch sees no GPU here: use engine.device=auto or cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def pick_dtype(dtype: str, device: str) -> str:
    return dtype if dtype != "auto" else ("auto" if device == "cuda" else "float32")


def loading(config: EngineConfig, device: str) -> dict[str, Any]:
    """Return how `from_pretrained` loads: for a GPU straight into its memory, not by way of the machine's."""
    import torch

    options: dict[str, Any] = {"dtype": pick_dtype(config.dtype, device)}
    if config.attn_implementation:
        options["attn_implementation"] = config.attn_implementation
    if device == "cuda":
        options["device_map"] = {"": torch.cuda.current_device()}
    return options


def check_attention(name: str | None, device: str) -> None:
    """Raise UserError where FlashAttention is asked for and cannot run; transformers would put another kernel there."""
    from transformers.utils import import_utils

    if name not in FLASH_INSTALL:
        return
    asked = f"engine.attn_implementation is {name}"
    if device != "cuda":
        raise UserError(f"{asked}, which needs a GPU, and engine.device is {device}: set it to sdpa")
    there = {
        "flash_attention_2": import_utils.is_flash_attn_2_available,
        "flash_attention_3": import_utils.is_flash_attn_3_available,
    }
    if not there[name]():
        raise UserError(f"{asked}, which is not installed: {FLASH_INSTALL[name]}, or set it to sdpa")


def check_attention_dtype(name: str | None, dtype: torch.dtype) -> None:
    if name in FLASH_INSTALL and dtype.itemsize != 2:
        raise UserError(
            f"engine.attn_implementation is {name}, which computes in 16 bits, and the model was loaded in {dtype}: "
            "set engine.dtype to bfloat16, or engine.attn_implementation to sdpa"
        )


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Return every token that ends an answer: the tokenizer's and those of the checkpoint's generation settings."""
    configured = model.generation_config.eos_token_id
    found = set(configured) if isinstance(configured, list) else {configured}
    found = (found | {tokenizer.eos_token_id}) - {None}
    if not found:
        raise UserError("the tokenizer has no end-of-sequence token: answers would never end; set eos_token in it")
    return {int(token) for token in found}


def check_model(model: str) -> None:
    """Raise UserError when a model folder is missing or broken. A hub name (not a path) is left to the hub."""
    folder = Path(model)
    if not folder.exists():
        if model.startswith((".", "/", "~")) or model.count("/") != 1:
            raise UserError(
                f"base model {model}: no such folder (and not a hub name, owner/name); make it first or correct it"
            )
        return
    if not (folder / "config.json").is_file() and not (folder / "adapter_config.json").is_file():
        raise UserError(f"base model {model}: no config.json in it; expected a folder that save_pretrained wrote")
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not weights:
        names = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
        raise UserError(f"base model {model}: no weights (*.safetensors) in it; found {names}")
    for path in weights:
        if path.suffix == ".safetensors":
            check_safetensors(path)
    with contextlib.suppress(FileNotFoundError):
        try:
            found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        except ValueError as e:
            raise UserError(f"{folder / 'config.json'} is not JSON: {e}") from e
        if not isinstance(found, dict):
            raise UserError(f"{folder / 'config.json'}: expected a JSON object, found {type(found).__name__}")
    if not any(path for pattern in TOKENIZER_FILES for path in folder.glob(pattern)):
        # transformers would load an empty tokenizer without a word
        raise UserError(f"base model {model}: no tokenizer in it (tokenizer.json); save it beside the weights")


def check_safetensors(path: Path) -> None:
    """Raise UserError when the file is shorter than its header says (a copy that was cut off)."""
    size = path.stat().st_size
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > size:
                raise ValueError("the header is longer than the file")
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except (struct.error, ValueError, AttributeError, KeyError, TypeError) as e:
        raise UserError(f"{path} is broken ({e}): copy the model again") from e
    if 8 + length + max(ends, default=0) != size:
        raise UserError(f"{path} is cut off: {size:,} bytes, its header asks for {8 + length + max(ends, default=0):,}")


def model_digest(model: str) -> str:
    """Return a digest that changes with the model's files (names, sizes, first and last bytes)."""
    folder = Path(model)
    if not folder.is_dir():
        return digest("hub", model)
    parts = []
    for path in sorted(folder.glob("*")):
        if path.suffix in (".safetensors", ".bin") or path.name in ("config.json", "tokenizer.json"):
            with open(path, "rb") as file:
                head = file.read(1 << 20)
                file.seek(max(0, path.stat().st_size - (1 << 20)))
                parts.append(f"{path.name}:{path.stat().st_size}:{head.hex()}:{file.read().hex()}")
    return digest(*parts)
