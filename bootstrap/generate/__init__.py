"""Generators of training data by name: pairs of a question and code of which every one was executed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bootstrap.config import explain
from bootstrap.errors import UserError, nearest
from bootstrap.generate.base import Generator

GENERATORS = {
    "sql_to_ibis": "bootstrap.generate.sql_to_ibis.generator:SqlToIbis",
    "nl_to_postgres": "bootstrap.generate.nl_to_postgres.generator:NlToPostgres",
    "nl_to_polars": "bootstrap.generate.nl_to_polars.generator:NlToPolars",
}


def load_generator(name: str, settings: Mapping[str, Any], folder: Path, origin: str = "settings") -> Generator:
    """Return the generator of that name. Raises UserError for an unknown name, an unknown key or a bad value.

    `folder`: where the generation lives; a generator may keep files of its own there. `origin`: what to call the
    settings in an error.
    """
    if name not in GENERATORS:
        raise UserError(f"no generator {name!r}{nearest(name, GENERATORS)} known: {', '.join(GENERATORS)}")
    module, _, attribute = GENERATORS[name].partition(":")
    generator_class = getattr(importlib.import_module(module), attribute)
    try:
        generator: Generator = generator_class(generator_class.Settings.model_validate(settings), folder)
    except ValidationError as e:
        raise explain(e, origin, generator_class.Settings) from e
    return generator
