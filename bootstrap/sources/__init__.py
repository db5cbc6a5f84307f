"""Problem sources by name. One class in one file and one line here."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from bootstrap.errors import UserError, nearest
from bootstrap.records import Problem

SOURCES = {
    "table_pipelines": "bootstrap.sources.table_pipelines:TablePipelines",
    "function_basics": "bootstrap.sources.function_basics.source:FunctionBasics",
    "text2sql": "bootstrap.sources.text2sql:Text2Sql",
    "mbpp": "bootstrap.sources.mbpp:Mbpp",
    "humaneval": "bootstrap.sources.humaneval:HumanEval",
    "leetcode": "bootstrap.sources.leetcode:LeetCode",
    "spider": "bootstrap.sources.spider:Spider",
    "defog": "bootstrap.sources.defog:Defog",
    "q_humaneval": "bootstrap.sources.q_humaneval:QHumanEval",
    "directory": "bootstrap.sources.directory:Directory",
    "generated": "bootstrap.sources.generated:Generated",
    "mixture": "bootstrap.sources.mixture:Mixture",
    "jsonl": "bootstrap.sources.jsonl_problems:JsonlProblems",
}


class ProblemSource(Protocol):
    """Yields problems; the same options and seed give the same problems in the same order."""

    def load(self) -> Iterable[Problem]: ...


def load_source(name: str, options: Mapping[str, Any], seed: int) -> ProblemSource:
    """Return the source of that name. Raises UserError for an unknown name or option."""
    if name not in SOURCES:
        raise UserError(f"no problem source {name!r}{nearest(name, SOURCES)} known: {', '.join(SOURCES)}")
    module, _, attribute = SOURCES[name].partition(":")
    source_class = getattr(importlib.import_module(module), attribute)
    valid = list(source_class.Options.model_fields)
    for key in options:
        if key not in valid:
            raise UserError(f"source.options.{key}: unknown{nearest(key, valid)} valid here: {', '.join(valid)}")
    try:
        source: ProblemSource = source_class(source_class.Options(**options), seed)
    except ValidationError as e:
        first = e.errors()[0]
        raise UserError(f"source.options.{'.'.join(map(str, first['loc']))}: {first['msg']}") from e
    return source


def chosen_source(problems: Path | None, name: str | None, options: Mapping[str, Any], seed: int) -> ProblemSource:
    """Return what a program's --problems or --source names. Raises UserError unless exactly one of them is given."""
    if (problems is None) == (name is None):
        raise UserError("give one of --problems FILE and --source NAME")
    return load_source("jsonl", {"path": str(problems)}, seed) if problems else load_source(str(name), options, seed)
