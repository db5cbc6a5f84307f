"""The model that eval.bench_gpu trains and samples: random weights, made by bootstrap/base_model.py, kept in --work."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase

from bootstrap.base_model import FromScratch
from bootstrap.config import RunConfig, load_config
from bootstrap.errors import UserError
from bootstrap.prompts import render_prompt
from bootstrap.records import Problem
from bootstrap.sources import load_source

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "gpu_1b.yaml"
BLANK = "Ġ"  # how a byte-level vocabulary writes a blank
PROBLEMS = 600


@dataclass(frozen=True)
class Bench:
    """A model with random weights and problems of the kind that a loop would give it."""

    model: Path
    config: RunConfig
    language: str
    problems: list[Problem]

    def words(self) -> list[str]:
        """Return words of which each is one token, with the blank before it."""
        vocabulary = json.loads((self.model / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        made = {BLANK + word for word in islice(new_words(), len(vocabulary))}
        return sorted(token.replace(BLANK, " ") for token in vocabulary if token in made)


def new_words() -> Iterator[str]:
    return ("w" + "".join(letters) for letters in product(ascii_lowercase, repeat=4))


def make_bench(spec: FromScratch, work: Path) -> Bench:
    """Return the model of a scale, made where it is not there yet. Raises UserError where another one is there."""
    from transformers.utils import logging

    from bootstrap.base_model import RECORD_FILE, build_base_model

    logging.disable_progress_bar()
    config = load_config(CONFIG, {})
    problems = list(load_source(config.source.name, {**config.source.options, "count": PROBLEMS}, 11).load())
    language = "polars"
    base = work / "base"
    if base.is_dir():
        made_of = FromScratch.model_validate(json.loads((base / RECORD_FILE).read_text(encoding="utf-8"))["spec"])
        if made_of != spec:
            raise UserError(f"{base} is a model of another scale: remove it, or give another --work")
        return Bench(base, config, language, problems)
    texts = [render_prompt(problem, language, config.prompt) for problem in problems]
    texts.append("".join(f" {word}" for word in islice(new_words(), spec.tokenizer.vocab_size)))
    work.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    build_base_model(spec, texts, base, seed=1)
    print(f"{base}: made in {time.monotonic() - start:.0f} s", flush=True)
    return Bench(base, config, language, problems)
