"""The chat template of a model, read from its tokenizer's files: whether there is one, and whether it has changed.

Prompts are rendered by it, so a run that goes on under another template would train and sample on other prompts.
"""

from __future__ import annotations

import json
from pathlib import Path

from bootstrap.config import RunConfig
from bootstrap.errors import UserError
from bootstrap.model_shape import config_file
from bootstrap.records import digest

LOADS_MODELS = ("transformers", "vllm", "vllm_server")  # another server renders with a template of its own


def template_digest(config: RunConfig) -> str | None:
    """Return a digest of the base model's chat template; None where no chat is sent, or the model is not here yet.

    Raises UserError where `prompt.chat` is on and the tokenizer has no template.
    """
    if not config.prompt.chat or config.engine.name not in LOADS_MODELS:
        return None
    if config.base_model is None:
        raise UserError("prompt.chat is true, but a model from_scratch has no chat template: set it to false")
    tokenizer = config_file(config.base_model, "tokenizer_config.json")
    template = config_file(config.base_model, "chat_template.jinja")
    if tokenizer is None and template is None:
        return None
    text = template.read_text(encoding="utf-8") if template else inner_template(tokenizer)
    if not text:
        raise UserError(
            f"prompt.chat is true, but the tokenizer of {config.base_model} has no chat template: set it to false, or "
            "start from a chat model"
        )
    return digest(text)


def inner_template(file: Path | None) -> str:
    """Return the template in a tokenizer_config.json, "" where it has none. Several by name are one text."""
    if file is None:
        return ""
    try:
        found = json.loads(file.read_text(encoding="utf-8")).get("chat_template")
    except (ValueError, AttributeError) as e:
        raise UserError(f"{file} is not the configuration of a tokenizer: {e}") from e
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True) if found else ""
