"""Batched sampling with transformers' `generate`, on a CPU or on one GPU, completions handed out as they finish.

`generate` runs in a thread of its own; a stopping criterion that never stops anything looks at each step for rows
that have just ended and puts them into a queue, so that checking starts while longer rows still grow.
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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.errors import EngineError, UserError
from bootstrap.prompts import as_messages
from bootstrap.records import digest

if TYPE_CHECKING:
    import torch

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
        self.chat = prompt.chat
        try:
            with collector_paused():
                self.tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
                self.model = AutoModelForCausalLM.from_pretrained(model, dtype=pick_dtype(config.dtype, self.device))
        except (OSError, ValueError, RuntimeError) as e:
            raise UserError(f"cannot load the model {model}: {first_line(e)}") from e
        if self.chat and not self.tokenizer.chat_template:
            raise UserError(f"prompt.chat is true, but the tokenizer of {model} has no chat template: set it to false")
        self.model = self.model.to(self.device).eval()
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.end_ids = end_tokens(self.model, self.tokenizer)
        self.model_digest = model_digest(model)
        self.busy_seconds = 0.0

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        import torch

        batch = self._encode(requests)
        width = batch["input_ids"].shape[1]
        owners = [(r.problem_id, i) for r in requests for i in range(r.num_samples)]
        if len({r.num_samples for r in requests}) > 1:
            raise EngineError("requests of one batch must ask for the same number of samples")
        finished: queue.Queue[list[tuple[int, list[int]]] | BaseException | None] = queue.Queue()
        watch = EndWatch(self.end_ids, width, finished)

        def work() -> None:
            started = time.monotonic()
            try:
                with torch.inference_mode():
                    torch.manual_seed(decoding.seed)
                    rows = self.model.generate(
                        **batch, **self._options(decoding, requests[0].num_samples), stopping_criteria=[watch]
                    )
                watch.rest(rows)
                self.busy_seconds += time.monotonic() - started
                finished.put(None)
            except BaseException as e:  # handed over and raised in the caller's thread
                finished.put(e)

        thread = threading.Thread(target=work, name="generate", daemon=True)
        thread.start()
        while (item := finished.get()) is not None:
            if isinstance(item, BaseException):
                raise EngineError(f"generate failed: {first_line(item)}") from item
            for row, tokens in item:
                yield self._completion(owners[row], tokens)
        thread.join()

    def _encode(self, requests: Sequence[Request]) -> dict[str, torch.Tensor]:
        prompts = [request.prompt for request in requests]
        if self.chat:
            prompts = [
                self.tokenizer.apply_chat_template(as_messages(text), tokenize=False, add_generation_prompt=True)
                for text in prompts
            ]
        encoded = self.tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=not self.chat)
        return {key: encoded[key].to(self.device) for key in ("input_ids", "attention_mask")}

    def _options(self, decoding: Decoding, num_samples: int) -> dict[str, Any]:
        options: dict[str, Any] = {
            "max_new_tokens": decoding.max_new_tokens,
            "num_return_sequences": num_samples,
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


class EndWatch:
    """A stopping criterion of `generate` that stops nothing: it hands out each row once, when it has ended."""

    def __init__(self, end_ids: set[int], width: int, finished: queue.Queue[Any]) -> None:
        self.end_ids, self.width, self.finished = end_ids, width, finished
        self.given: set[int] = set()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        import torch

        last = input_ids[:, -1].tolist()
        ended = [row for row, token in enumerate(last) if token in self.end_ids and row not in self.given]
        if ended:
            self._give(input_ids, ended)
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)

    def rest(self, rows: torch.Tensor) -> None:
        """Hand out the rows that reached the limit of tokens."""
        self._give(rows, [row for row in range(rows.shape[0]) if row not in self.given])

    def _give(self, input_ids: torch.Tensor, rows: list[int]) -> None:
        self.given.update(rows)
        self.finished.put([(row, input_ids[row, self.width :].tolist()) for row in rows])


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


def first_line(error: BaseException) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text}"[:300]


def pick_device(device: str) -> str:
    """Return cpu or cuda. Raises UserError where CUDA is asked for and missing."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("engine.device is cuda, but torch sees no GPU here: use engine.device=auto or cpu")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def pick_dtype(dtype: str, device: str) -> str:
    return dtype if dtype != "auto" else ("auto" if device == "cuda" else "float32")


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
