"""What the attack table needs to know of each language: its rows, the input of all attacks, and honest codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from interpreters.attacks.effects import INPUT, Language
from interpreters.base import Column, ColumnType, Table, TestCase
from interpreters.function_cases import case_of

_A = (Column("a", ColumnType.INT),)
_DOUBLED = TestCase({"t": INPUT}, Table(_A, ((2,), (4,), (6,))))
_FORGED = TestCase({"t": INPUT}, Table(_A, ((7391,), (-4,))))
_SQL = "SELECT a * 2 AS a FROM t"
_CALM = "__import__('time').sleep(0.4)\nresult = t"
_FUNCTION = "t = [0]\n{code}\nt = globals().get('result')\nresult, t = t, lambda *arguments: result"


@dataclass(frozen=True)
class Ground:
    """One language: `honest` is a right answer to `test`, twice as much of `a`; `forged` is the same test with an
    answer that nobody can know."""

    rows: frozenset[Language]
    honest: str
    calm: str  # shows what an honest candidate looks like from outside; it takes a moment where it can
    vault: str  # gives back the table `vault`
    test: TestCase = _DOUBLED
    forged: TestCase = _FORGED
    around: str = "{code}"  # an attack

    def fit(self, code: str) -> str:
        """Return the code of an attack as a candidate of this language: in functions, what it leaves in `result` is
        what the function returns."""
        return self.around.replace("{code}", code)


def _function(expected: Sequence[int]) -> TestCase:
    return case_of("t", ["a", "s"], [[1, 2, 3], ["x", "y", None]], list(expected), hidden=False)


_SELECT = Ground(frozenset({"duckdb", "duckdb_select"}), _SQL, _SQL, "SELECT * FROM vault")
GROUNDS: Mapping[str, Ground] = {
    "polars": Ground(frozenset({"python", "polars"}), "t.select(pl.col('a') * 2)", _CALM, "vault"),
    "ibis": Ground(frozenset({"python", "ibis"}), "t.select(a=t.a * 2)", _CALM, "vault"),
    "duckdb": _SELECT,
    "duckdb_script": replace(_SELECT, rows=frozenset({"duckdb", "duckdb_script"})),
    "postgres": replace(_SELECT, rows=frozenset({"postgres"})),
    "python": Ground(
        rows=frozenset({"python"}),
        honest="def t(a, s):\n    return [2 * x for x in a]",
        calm=_FUNCTION.replace("{code}", _CALM),
        vault="def vault(s):\n    return s",
        test=_function([2, 4, 6]),
        forged=_function([7391, -4]),
        around=_FUNCTION,
    ),
    "q": Ground(frozenset({"q"}), "select a:2*a from t", "x:0\ndo[100000; x+:1]\nt", "vault"),
}
"""By language; an interpreter of another one cannot be attacked until it has an entry here."""
