"""Base models: checked before anything heavy is imported, then loaded, a LoRA adapter merged into its base."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sft.adapters import check_adapter, four_bit_options
from sft.rows import SftError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WEIGHT_FILES = tuple(
    f"{name}{end}" for name in ("model.safetensors", "pytorch_model.bin") for end in ("", ".index.json")
)


def check_base_model(name: str) -> None:
    """Raise SftError if `name` is a folder without a model, or reads like a path and is not there."""
    folder = Path(name)
    if not folder.is_dir():
        if folder.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
            raise SftError(f"--base_model {name}: no such folder; expected a checkpoint folder or a hub name a/b.")
    elif is_adapter(folder):
        base = adapter_base(folder)
        check_base_model(base)
        check_adapter(folder, Path(base))
    elif not (folder / "config.json").is_file():
        raise SftError(f"--base_model {name} has no config.json; expected a folder written by save_pretrained.")
    elif not any((folder / weights).is_file() for weights in WEIGHT_FILES):
        raise SftError(
            f"--base_model {name} has a config.json but no weights; expected model.safetensors or its shards."
        )


def is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file()


def adapter_base(folder: Path) -> str:
    """Return the base model that a LoRA adapter folder names."""
    try:
        base = json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    except (ValueError, KeyError) as e:
        raise SftError(f"{folder}/adapter_config.json is broken, {e!r}; expected base_model_name_or_path.") from e
    if not base or Path(base).resolve() == folder.resolve():
        raise SftError(f"{folder}/adapter_config.json does not name the base model of this adapter.")
    return str(base)


def first_line(e: BaseException) -> str:
    return next(iter(str(e).strip().splitlines()), type(e).__name__)


@contextlib.contextmanager
def loading(name: str) -> Iterator[None]:
    """Turn whatever a library raises over a broken model folder into one sentence."""
    try:
        yield
    except Exception as e:
        raise SftError(f"{name} cannot be loaded, its files are torn or do not belong together: {first_line(e)}") from e


def load_model(name: str, attn_implementation: str | None, **options: Any) -> PreTrainedModel:
    """Return the model in its own dtype, an adapter folder merged into its base."""
    from transformers import AutoModelForCausalLM

    if is_adapter(Path(name)):
        base = load_model(adapter_base(Path(name)), attn_implementation, **options)
        merged: Any = with_adapter(base, Path(name), trainable=False)
        return merged.merge_and_unload(safe_merge=True).requires_grad_(True)  # PEFT froze the base
    with loading(name):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            name, dtype="auto", attn_implementation=attn_implementation, output_loading_info=True, **options
        )
    model, found = loaded
    lacking = sorted(found["missing_keys"]) + [str(key) for key in found["mismatched_keys"]]
    if lacking:
        raise SftError(f"--base_model {name}: {len(lacking)} tensors missing or of another shape, e.g. {lacking[0]}.")
    return model


def load_to_train(
    name: str, attn_implementation: str | None, *, four_bit: bool, continue_adapter: bool
) -> PreTrainedModel | PeftModel:
    """Return what is trained: the model, in 4 bits for QLoRA, or the base with the adapter that goes on."""
    options = four_bit_options() if four_bit else {}
    if not is_adapter(Path(name)):
        if continue_adapter:
            raise SftError(f"--continue_adapter: {name} is no adapter folder (no adapter_config.json in it).")
        return load_model(name, attn_implementation, **options)
    if continue_adapter:
        base = load_model(adapter_base(Path(name)), attn_implementation, **options)
        return with_adapter(base, Path(name), trainable=True)
    if four_bit:
        raise SftError(
            f"--load_in_4bit: {name} is an adapter folder, and an adapter merged into 4 bits is lost in rounding; give "
            "the merged checkpoint, or --continue_adapter."
        )
    return load_model(name, attn_implementation)


def with_adapter(base: PreTrainedModel, folder: Path, *, trainable: bool) -> PeftModel:
    from peft import PeftModel

    with loading(str(folder)), warnings.catch_warnings():
        warnings.filterwarnings("error", message="Found missing adapter keys")
        return PeftModel.from_pretrained(base, str(folder), is_trainable=trainable)


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    folder = Path(name)
    if is_adapter(folder) and not (folder / "tokenizer_config.json").is_file():
        return load_tokenizer(adapter_base(folder))
    with loading(name):
        tokenizer = AutoTokenizer.from_pretrained(name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return tokenizer
