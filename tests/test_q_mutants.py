"""Mutants of q code: which mistakes are made, and that nothing else is."""

from __future__ import annotations

import pytest

from bootstrap.audit.audit import audit
from bootstrap.audit.mutants import ColumnFacts, Mutant, UnmutableError, mutants, rewritten
from bootstrap.audit.workers import Workers
from bootstrap.config import AuditConfig
from bootstrap.sources import load_source
from interpreters.base import ColumnType

CHANGES = [
    ("a<b", "comparison", "a<=b"),
    ("a<b", "comparison", "a>b"),
    ("a=b", "comparison", "a<>b"),
    ("a+b", "arithmetic", "a-b"),
    ("a div b", "arithmetic", "a mod b"),
    ("a&b", "logic", "a|b"),
    ("a-b", "arguments", "(b)-a"),
    ("a,sum b", "arguments", "(sum b),a"),
    ("f[a;b]", "arguments", "f[b;a]"),
    ("a+3", "constant", "a+2"),
    ("a+0", "constant", "a+(-1)"),
    ("a in 1 5", "constant", "a in 1 6"),
    ('a in "xyz"', "constant", 'a in "xy"'),
    ('a="x"', "constant", 'a="X"'),
    ("a?1b", "constant", "a?0b"),
    ("til a", "range", "1+til a"),
    ("first a", "first and last", "last a"),
    ("desc a", "order", "asc a"),
    ("max a", "function", "min a"),
    ("a where not b", "dropped", "a where b"),
    ("count distinct a", "dropped", "count a"),
    ("reverse each a", "dropped", "a"),
    ("a+/:b", "iterator", "a+\\:b"),
    ("(+/)a", "iterator", "(+\\)a"),
    ("a#b", "take and drop", "a_b"),
    ("0|a-b", "operand left out", "a-b"),
    ("0|a-b", "operand left out", "0|a"),
    ("$[a;b;0]", "branches", "$[a;0;b]"),
    ("(a-b)-1", "brackets", " a-b -1"),
    ("a+b", "variable", "a+a"),
]


def made(body: str) -> list[Mutant]:
    return mutants(f"f:{{[a;b] {body}}}", "q", {"f": {}}, ordered=False)


@pytest.mark.parametrize(("body", "operator", "changed"), CHANGES, ids=[f"{b} to {c}" for b, _, c in CHANGES])
def test_a_change_is_made(body: str, operator: str, changed: str) -> None:
    codes = {mutant.code for mutant in made(body) if mutant.operator == operator}
    assert f"f:{{[a;b] {changed}}}\n" in codes


@pytest.mark.parametrize("body", [body for body, _, _ in CHANGES], ids=[f"{i}" for i in range(len(CHANGES))])
def test_every_mutant_differs_and_can_be_read(body: str) -> None:
    codes = [mutant.code for mutant in made(body)]
    original = rewritten(f"f:{{[a;b] {body}}}", "q")
    assert len({original, *codes}) == len(codes) + 1
    for code in codes:
        rewritten(code, "q")


def test_parameters_and_assigned_names_are_left_alone() -> None:
    assert all(mutant.code.startswith("f:{[a;b] c:") for mutant in made("c:a+b;c*2"))


def test_a_statement_of_a_script_changes_alone() -> None:
    code = "r:select s:sum x by g from t where x>3\n`g xasc r\n"
    facts = {"t": {"g": ColumnFacts(ColumnType.STRING, False), "x": ColumnFacts(ColumnType.INT, False)}}
    found = {mutant.code for mutant in mutants(code, "q", facts, ordered=True)}
    assert "r:select s:sum x by g from t where x>=3\n`g xasc r\n" in found
    assert "r:select s:sum x by g from t where x>3\n`g xdesc r\n" in found
    assert all(one.count("\n") == 2 for one in found)


def test_a_sort_whose_order_nothing_keeps_is_not_turned() -> None:
    found = mutants("`x xasc t\n", "q", {"t": {"x": ColumnFacts(ColumnType.INT, False)}}, ordered=False)
    assert not any(mutant.operator == "order" for mutant in found)


def test_what_is_no_q_has_no_mutants() -> None:
    with pytest.raises(UnmutableError, match="no q code"):
        mutants("f:{[a] (a", "q", {"f": {}})


def test_the_audit_kills_the_mutants_of_q_references() -> None:
    problems = list(load_source("function_basics", {"topics": ("matrices",), "count": 3}, 1).load())
    audits = audit(problems, Workers(1, "q_subset"), AuditConfig(), search=False)
    assert [one.language for one in audits] == ["q"] * 3
    assert [one.skipped for one in audits] == [""] * 3
    assert sum(one.killed_wrong for one in audits) > 10
    assert all(one.kill_rate > 0.7 for one in audits)
