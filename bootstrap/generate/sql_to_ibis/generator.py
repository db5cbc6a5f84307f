"""`sql_to_ibis`: SQL queries and the same in Ibis, from templates over whole schemas, by composition, and from files.

A unit is a template over a domain, a number of compositions over a domain, or a file to be mined. The settings say how
many pairs each may give; a pair is kept when proof.py proves it.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from bootstrap.errors import UserError, nearest
from bootstrap.files import write_json
from bootstrap.generate.base import Pair, Refusal, UnitResult
from bootstrap.generate.sql_to_ibis.domains import DOMAINS_SHIPPED, Domain, read_domains
from bootstrap.generate.sql_to_ibis.template_files import TEMPLATES_SHIPPED, ReadyTemplate, read_templates
from bootstrap.records import digest

if TYPE_CHECKING:
    from bootstrap.generate.sql_to_ibis.units import Workshop

DIALECTS = ("duckdb", "postgres", "sqlite", "mysql", "bigquery", "snowflake")


class SqlToIbis:
    class Settings(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        seed: int = 1
        """Decides values, data sets and every choice."""
        count: int | None = Field(None, ge=1)
        """Pairs wanted; null: all that the units give."""
        variations: int = Field(9, ge=0)
        """Candidates per template and domain."""
        compositions: int = Field(300, ge=0)
        """Candidates per domain that put further steps on top of a template."""
        dialects: dict[str, float] = {
            "duckdb": 0.5, "postgres": 0.15, "sqlite": 0.1, "mysql": 0.1, "bigquery": 0.075, "snowflake": 0.075,
        }  # fmt: skip
        """How often the SQL is written in which dialect; where a dialect cannot say it, it stays DuckDB's."""
        templates: str | None = None
        """Folder of template files instead of the shipped ones."""
        domains: str | None = None
        """Folder of domain files instead of the shipped ones."""
        mine: tuple[str, ...] = ()
        """Folders to mine for SQL and Ibis: an Ibis checkout, an installed package, documentation."""
        licence: str = "Apache-2.0"
        """Of the pairs. What `mine` and `pairs` bring in has that of its authors: say it here."""
        pairs: tuple[str, ...] = ()
        """JSONL files of given pairs, with `sql` and `ibis` in each row, to be proved and taken in."""

    title: ClassVar[str] = "SQL queries and the same in Ibis"
    processes = True

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self._folder, self.licence = settings, folder, settings.licence
        for name in settings.dialects:
            if name not in DIALECTS:
                raise UserError(f"dialects: no dialect {name!r}{nearest(name, DIALECTS)}; known: {', '.join(DIALECTS)}")
        if sum(settings.dialects.values()) <= 0:
            raise UserError("dialects: expected at least one with a weight above 0")
        self._domains, faults = read_domains(Path(settings.domains) if settings.domains else DOMAINS_SHIPPED)
        self._templates, more = read_templates(
            Path(settings.templates) if settings.templates else TEMPLATES_SHIPPED, self._domains
        )
        self._faults = [*faults, *more]
        self._workshop: Workshop | None = None

    def units(self) -> Sequence[str]:
        """Return the names of the units; those of templates and compositions in an order that mixes them."""
        templates = self._templates if self.settings.variations else []
        made = [f"template {t.name} over {d.name}" for t in templates for d in self._domains]
        batches = -(-self.settings.compositions // _BATCH)
        made += [f"composition {number} over {d.name}" for number in range(batches) for d in self._domains]
        made.sort(key=lambda unit: digest("unit", str(self.settings.seed), unit))
        inputs = [f"pairs {path}" for path in self._given()] + [f"mine {path}" for path in self._mined()]
        return [*(["inputs that were refused"] if self._faults else []), *made, *inputs]

    def _given(self) -> Iterator[str]:
        for path in self.settings.pairs:
            if not Path(path).is_file():
                raise UserError(f"pairs: {path} is no file")
            yield path

    def _mined(self) -> Iterator[str]:
        if not self.settings.mine:
            return
        from bootstrap.generate.sql_to_ibis.mined_files import files_of

        for folder in self.settings.mine:
            if not Path(folder).is_dir():
                raise UserError(f"mine: {folder} is no folder")
            yield from (str(path) for path in files_of(Path(folder)))

    def work(self, unit: str) -> UnitResult:
        kind, _, rest = unit.partition(" ")
        if kind == "inputs":
            return UnitResult(unit, notes=self._faults, refusals=[_refused(fault) for fault in self._faults])
        if kind == "template":
            name, _, domain = rest.partition(" over ")
            return self._open().expanded(unit, self._template(name), self._domain(domain))
        if kind == "composition":
            number, _, domain = rest.partition(" over ")
            wanted = min(_BATCH, self.settings.compositions - _BATCH * int(number))
            return self._open().composed(unit, self._templates, self._domain(domain), wanted)
        return self._open().read(unit, kind, Path(rest))

    def _template(self, name: str) -> ReadyTemplate:
        return self._templates_by_name[name]

    def _domain(self, name: str) -> Domain:
        return self._domains_by_name[name]

    @functools.cached_property
    def _templates_by_name(self) -> Mapping[str, ReadyTemplate]:
        return {template.name: template for template in self._templates}

    @functools.cached_property
    def _domains_by_name(self) -> Mapping[str, Domain]:
        return {domain.name: domain for domain in self._domains}

    def _open(self) -> Workshop:
        if self._workshop is None:
            from bootstrap.generate.sql_to_ibis.units import Workshop

            self._workshop = Workshop(self.settings)
        return self._workshop

    def write(self, pairs: Sequence[Pair], folder: Path) -> None:
        """Write coverage.json: how many pairs there are by dialect, difficulty, feature, kind and number of tables."""
        coverage: dict[str, Counter[str]] = {}
        for pair in pairs:
            for key in ("dialect", "difficulty", "kind", "domain", "dialect_refused"):
                coverage.setdefault(key, Counter())[str(pair.data.get(key, ""))] += 1
            coverage.setdefault("feature", Counter()).update(pair.data["features"])
            coverage.setdefault("tables", Counter())[str(len(pair.data["tables"]))] += 1
        write_json(
            folder / "coverage.json",
            {key: dict(sorted(found.items(), key=lambda one: (-one[1], one[0]))) for key, found in coverage.items()},
        )

    def close(self) -> None:
        if self._workshop is not None:
            self._workshop.close()
            self._workshop = None


_BATCH = 10
"""Compositions of one unit."""


def _refused(fault: str) -> Refusal:
    return Refusal(fault.partition(":")[0], "invalid", "a template or domain that was refused", fault)
