"""`mixture`: problems of several sources in one run, in turn, so that a limit takes some of each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bootstrap.errors import UserError
from bootstrap.records import Problem


class Part(BaseModel):
    """One of the sources."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Name in `bootstrap.sources.SOURCES`."""
    options: dict[str, Any] = {}
    """Its options."""
    limit: int | None = Field(None, ge=1)
    """Take no more problems of it than this."""


class Mixture:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        parts: dict[str, Part] = Field(min_length=1)
        """The sources, each under a name of its own, by which an override finds it."""

    def __init__(self, options: Options, seed: int) -> None:
        from bootstrap.sources import load_source

        self._parts = [(load_source(part.name, part.options, seed), part.limit) for part in options.parts.values()]

    def load(self) -> Iterator[Problem]:
        """Yield one problem of each source in turn. Raises UserError where two sources have a problem of one id."""
        left = [islice(source.load(), limit) for source, limit in self._parts]
        seen: set[str] = set()
        while left:
            for problems in list(left):
                problem = next(problems, None)
                if problem is None:
                    left.remove(problems)
                    continue
                if problem.problem_id in seen:
                    raise UserError(f"source.options.parts: two of them have a problem {problem.problem_id!r}")
                seen.add(problem.problem_id)
                yield problem
