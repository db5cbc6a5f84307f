"""The sizes of a decoder model, read from its config.json alone: no weights, no torch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.errors import UserError

NEEDED = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


@dataclass(frozen=True)
class Shape:
    """A decoder with gated feed-forward layers, as Qwen, Llama and Mistral have them; with experts, all of them."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool = False
    qk_norm: bool = False
    experts: int = 1

    @property
    def queries(self) -> int:
        return self.heads * self.head_dim

    @property
    def keys(self) -> int:
        return self.kv_heads * self.head_dim

    @property
    def layer_parameters(self) -> int:
        attention = self.hidden * (2 * self.queries + 2 * self.keys)
        return attention + 3 * self.hidden * self.intermediate * self.experts

    @property
    def embedding_parameters(self) -> int:
        return self.vocab * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """Norms and biases, far below 0.1 %, are left out."""
        return self.layers * self.layer_parameters + self.embedding_parameters

    @property
    def cache_values_per_token(self) -> int:
        """Keys and values of one token in all layers."""
        return 2 * self.layers * self.keys

    def adapter_parameters(self, rank: int) -> int:
        """Return those of LoRA on all linear layers."""
        attention = 2 * (self.hidden + self.queries) + 2 * (self.hidden + self.keys)
        return self.layers * rank * (attention + 3 * (self.hidden + self.intermediate) * self.experts)


def _qwen3(layers: int, hidden: int, intermediate: int, heads: int, *, tied: bool) -> Shape:
    return Shape(layers, hidden, intermediate, heads, 8, 128, 151_936, tied, qk_norm=True)


KNOWN = {
    "Qwen/Qwen3-0.6B": _qwen3(28, 1024, 3072, 16, tied=True),
    "Qwen/Qwen3-1.7B": _qwen3(28, 2048, 6144, 16, tied=True),
    "Qwen/Qwen3-8B": _qwen3(36, 4096, 12_288, 32, tied=False),
    "Qwen/Qwen3-32B": _qwen3(64, 5120, 25_600, 64, tied=False),
    "Qwen/Qwen2.5-Coder-0.5B-Instruct": Shape(24, 896, 4864, 14, 2, 64, 151_936, tied=True),
    "Qwen/Qwen2.5-Coder-1.5B-Instruct": Shape(28, 1536, 8960, 12, 2, 128, 151_936, tied=True),
    "Qwen/Qwen2.5-Coder-7B-Instruct": Shape(28, 3584, 18_944, 28, 4, 128, 152_064),
}
"""Models that configurations of this project name, for planning where their config.json is not at hand."""


def shape_of(model: str) -> Shape:
    """Return the sizes of a model: of its folder, of the hub's cache on this machine, or of the models known here.

    Raises UserError where none of them has it, or the config.json is of another kind.
    """
    file = config_file(model)
    if file is not None:
        return read_shape(file)
    if model in KNOWN:
        return KNOWN[model]
    raise UserError(
        f"the size of {model} is not known: expected a folder with config.json, or one in the hub's cache; fetch it by "
        f"`hf download {model} config.json`"
    )


def config_file(model: str, name: str = "config.json") -> Path | None:
    """Return a file of a model's folder, of its adapter's base, or of the newest copy in the hub's cache."""
    folder = Path(model)
    adapter = folder / "adapter_config.json"
    if (folder / name).is_file():
        return folder / name
    if adapter.is_file():
        base = json.loads(adapter.read_text(encoding="utf-8")).get("base_model_name_or_path")
        return config_file(base, name) if base and base != model else None
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    found = list(cache.glob(f"models--{model.replace('/', '--')}/snapshots/*/{name}"))
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def read_shape(file: Path) -> Shape:
    """Return the sizes in a config.json. Raises UserError for one without the keys of a gated decoder."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        values = values.get("text_config") or values
    except (ValueError, AttributeError) as e:
        raise UserError(f"{file} is not the configuration of a model: {e}") from e
    missing = [key for key in NEEDED if not isinstance(values.get(key), int)]
    if missing:
        raise UserError(
            f"{file}: expected the keys of a decoder like Qwen or Llama, found no {', '.join(missing)} (model_type "
            f"{values.get('model_type')}): its memory cannot be estimated"
        )
    return from_values(values)


def from_values(values: Mapping[str, Any]) -> Shape:
    heads = values["num_attention_heads"]
    experts = values.get("num_experts") or values.get("num_local_experts") or 1
    intermediate = values.get("moe_intermediate_size") if experts > 1 else None
    return Shape(
        layers=values["num_hidden_layers"], hidden=values["hidden_size"],
        intermediate=intermediate or values["intermediate_size"], heads=heads,
        kv_heads=values.get("num_key_value_heads") or heads,
        head_dim=values.get("head_dim") or values["hidden_size"] // heads, vocab=values["vocab_size"],
        tied=bool(values.get("tie_word_embeddings", False)),
        qk_norm=str(values.get("model_type", "")).startswith("qwen3"), experts=experts,
    )  # fmt: skip
