"""The work on units: candidates in, proved pairs and refusals out. One workshop per process."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis

from bootstrap.generate.base import Pair, Refusal, UnitResult
from bootstrap.generate.sql_to_ibis import input_dialects
from bootstrap.generate.sql_to_ibis.composition import compositions_of
from bootstrap.generate.sql_to_ibis.database import FixtureDatabase, Loaded
from bootstrap.generate.sql_to_ibis.domains import ROLES, Domain
from bootstrap.generate.sql_to_ibis.expansion import Candidate, candidates_of
from bootstrap.generate.sql_to_ibis.fixtures import Pools, data_sets_of, pools_of
from bootstrap.generate.sql_to_ibis.foreign import Foreign
from bootstrap.generate.sql_to_ibis.generator import SqlToIbis
from bootstrap.generate.sql_to_ibis.pairs import Origin, make_pair
from bootstrap.generate.sql_to_ibis.proof import NotProvedError, prove
from bootstrap.generate.sql_to_ibis.template_files import ReadyTemplate
from bootstrap.records import digest


@dataclass(frozen=True)
class Ground:
    """A domain with its values and its data sets, loaded."""

    domain: Domain
    pools: Pools
    loaded: Loaded


class Workshop:
    def __init__(self, settings: SqlToIbis.Settings) -> None:
        self._seed, self._variations = settings.seed, settings.variations
        self._dialects, self._licence = settings.dialects, settings.licence
        self._database = FixtureDatabase()
        self._grounds: dict[str, Ground] = {}
        self._foreign: Foreign | None = None

    def ground(self, domain: Domain) -> Ground:
        if domain.name not in self._grounds:
            named = [
                {domain.table(role).name: one[role] for role in ROLES} for one in data_sets_of(domain, self._seed)
            ]  # fmt: skip
            self._grounds[domain.name] = Ground(domain, pools_of(domain, self._seed), self._database.load(named))
        return self._grounds[domain.name]

    def expanded(self, unit: str, ready: ReadyTemplate, domain: Domain) -> UnitResult:
        """Prove the candidates of one template over one domain."""
        ground = self.ground(domain)
        candidates = candidates_of(ready, domain, ground.pools, self._seed, self._variations)
        return self._proved(unit, candidates, ground, "template")

    def composed(self, unit: str, templates: Sequence[ReadyTemplate], domain: Domain, wanted: int) -> UnitResult:
        """Prove some compositions over one domain."""
        ground = self.ground(domain)
        rng = random.Random(f"{self._seed} {unit}")
        run = functools.partial(self._database.rows, ground.loaded.cursors[0])
        candidates = compositions_of(templates, domain, ground.pools, rng, wanted, run)
        return self._proved(unit, candidates, ground, "composition")

    def _proved(self, unit: str, candidates: Iterable[Candidate], ground: Ground, kind: str) -> UnitResult:
        pairs: list[Pair] = []
        refusals: list[Refusal] = []
        for candidate in candidates:
            names = [ground.domain.table(role).name for role in candidate.roles]
            try:
                proved = prove(candidate.sql, candidate.ibis, names, self._database, ground.loaded)
            except NotProvedError as error:
                shown = f"{error.detail}\n{candidate.sql}\n{candidate.ibis}"
                refusals.append(Refusal(candidate.group, error.kind, error.reason, shown))
                continue
            said = input_dialects.said(
                self._dialect(candidate.sql), candidate.sql, proved, self._database, ground.loaded
            )
            origin = Origin(kind, ground.domain.name, ibis.__version__, self._licence)
            pairs.append(make_pair(candidate, proved.tests, said, origin))
        return UnitResult(unit, pairs, refusals)

    def _dialect(self, sql: str) -> str:
        rng = random.Random(digest("dialect", str(self._seed), sql))
        return rng.choices(list(self._dialects), list(self._dialects.values()))[0]

    def read(self, unit: str, kind: str, path: Path) -> UnitResult:
        """Prove what others wrote, in the sandbox: a file of given pairs, or a file to be mined."""
        if self._foreign is None:
            self._foreign = Foreign(self._seed, self._licence)
        return self._foreign.given(unit, path) if kind == "pairs" else self._foreign.mined(unit, path)

    def close(self) -> None:
        if self._foreign is not None:
            self._foreign.close()
        self._database.close()
