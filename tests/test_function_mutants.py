"""Mutants of Python functions, the inputs that tell them from their reference, audit and admission of functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest

from bootstrap.admission import admit, trivial
from bootstrap.audit.audit import audit, quarantine_reason, with_added
from bootstrap.audit.function_habits import InputHabits, keeps_answer_habits
from bootstrap.audit.function_inputs import WILD, function_variations
from bootstrap.audit.mutants import Mutant, UnmutableError, mutants
from bootstrap.audit.workers import Workers
from bootstrap.config import AuditConfig
from bootstrap.records import Problem
from interpreters import load_interpreter
from interpreters.base import Limits, TestCase
from interpreters.checking import check
from interpreters.function_cases import arguments_of, case_of, expected_of


def made(code: str, entry: str = "f") -> list[Mutant]:
    return mutants(code, "python", {entry: {}})


def body(line: str) -> str:
    return f"def f(a, b):\n    {line}"


CHANGES = [
    ("return a < b", "comparison", "return a <= b"),
    ("return a in b", "comparison", "return a not in b"),
    ("return a + b", "arithmetic", "return a - b"),
    ("return a - b", "arguments", "return b - a"),
    ("return a + 3", "constant", "return a + 2"),
    ("return 'x' in a", "constant", "return 'X' in a"),
    ("return list(range(a))", "range", "return list(range(a + 1))"),
    ("return a[b:]", "slice", "return a[b - 1:]"),
    ("return a[b]", "index", "return a[b + 1]"),
    ("return a and b", "logic", "return a or b"),
    ("return not a", "logic", "return a"),
    ("return [x for x in a if x]", "logic", "return [x for x in a]"),
    ("return min(a, b)", "function", "return max(a, b)"),
    ("return sorted(a, reverse=True)", "function", "return sorted(a)"),
    ("return a.upper()", "method", "return a.lower()"),
    ("return divmod(a, b)", "arguments", "return divmod(b, a)"),
    ("return a", "return", "return None"),
]


@pytest.mark.parametrize(("line", "operator", "changed"), CHANGES)
def test_a_change_is_made(line: str, operator: str, changed: str) -> None:
    assert body(changed) in {mutant.code for mutant in made(body(line)) if mutant.operator == operator}


LOOP = """def f(a):
    total = 0
    for x in a:
        if x < 0:
            continue
        if x == 9:
            break
        total += x
    if total > 100:
        return 100
    return total"""


def test_statements_are_left_out_and_loops_go_on_or_end_early() -> None:
    operators = {mutant.operator for mutant in made(LOOP)}
    assert {"statement", "jump", "early exit", "return", "comparison", "constant", "arithmetic"} <= operators
    found = {mutant.code for mutant in made(LOOP)}
    assert LOOP.replace("total += x", "pass") in found
    assert LOOP.replace("break", "continue") in found
    assert LOOP.replace("continue", "break") in found
    assert LOOP.replace("if total > 100:\n        return 100", "pass") in found


def test_the_statement_that_ends_a_while_stays() -> None:
    code = "def f(n):\n    s = 0\n    while n > 0:\n        s += n % 10\n        n //= 10\n    return s"
    assert all("n //= " in mutant.code for mutant in made(code))


def test_adapters_unused_code_annotations_and_docstrings_are_left_alone() -> None:
    code = (
        "LIMIT = 3\n\ndef unused(x):\n    return x - 1\n\nclass TreeNode:\n\n    def __init__(self, val=0):\n"
        "        self.val = val - 1\n\nclass Solution:\n\n    def f(self, a: 'int', k=7) -> 'int':\n"
        '        """Not 5."""\n        return self.g(a) + LIMIT\n\n    def g(self, a):\n        return a * 2\n\n'
        "    def never(self):\n        return 8\n_original = Solution\n\ndef f(a):\n    return _original().f(a + 0)"
    )
    found = made(code)
    assert found
    details = " ".join(mutant.detail for mutant in found)
    assert "LIMIT" in details
    assert "a * 2" in details
    for left_alone in ("x - 1", "val - 1", "Not 5", "7 ->", "8 ->", "_original()"):
        assert left_alone not in details, left_alone


def test_what_is_never_reached_or_hidden_by_a_parameter_is_left_alone() -> None:
    code = "a = 5\n\ndef f(a):\n    return a + 1\n    a = a * 2\n    return a"
    assert {mutant.detail for mutant in made(code)} == {
        "a + 1 -> a - 1", "1 -> 2", "1 -> 0", "return a + 1 -> return None",
    }  # fmt: skip


def test_a_loop_that_keeps_the_best_has_no_mutant_for_equal_values() -> None:
    code = "def f(a):\n    m = a[0]\n    for x in a:\n        if x > m:\n            m = x\n    return m"
    assert "x > m -> x >= m" not in {mutant.detail for mutant in made(code)}


def test_code_that_is_no_python_has_no_mutants() -> None:
    with pytest.raises(UnmutableError, match="no python code"):
        made("def f(")


# -- inputs -------------------------------------------------------------------------------------------------------


def cases(entry: str, names: Sequence[str], *calls: tuple[Sequence[Any], Any]) -> tuple[TestCase, ...]:
    return tuple(case_of(entry, names, args, answer, hidden=False) for args, answer in calls)


def test_new_inputs_keep_to_what_the_given_ones_have_in_common() -> None:
    calls = [[[1, 3, 5], 3, "ab"], [[2, 4, 6, 8], 4, "ba"], [[1, 7, 9, 11, 20], 5, "abba"]]
    tests = [case_of("f", ["xs", "n", "s"], args, 0, hidden=False) for args in calls]
    found = [arguments_of(TestCase(v.tables, tests[0].expected, match_names=False))[2]
             for v in islice(function_variations(tests, [], "seed"), 40)]  # fmt: skip
    assert len(found) == 40
    assert len({repr(args) for args in found}) == 40
    for xs, n, s in found:
        assert xs == sorted(xs)
        assert n == len(xs)
        assert set(s) <= set("ab")
        assert min(xs) >= 1


def test_wild_inputs_go_beyond_and_the_same_seed_gives_the_same() -> None:
    tests = cases("f", ["xs"], ([[3, 1, 2]], 0), ([[5, 4]], 0))
    wild = list(islice(function_variations(tests, [], "seed", wild=True), 60))
    assert all(one.kind.startswith(WILD) for one in wild)
    values = [one.tables["f"].rows[0][0] for one in wild]
    assert [] in values
    assert any(isinstance(v, list) and any(isinstance(x, int) and x <= 0 for x in v) for v in values)
    assert wild == list(islice(function_variations(tests, [], "seed", wild=True), 60))


def test_a_matrix_stays_one_and_a_position_stays_inside() -> None:
    habits = InputHabits([[[[1, 2], [3, 4], [5, 6]], 1], [[[1, 2, 3], [4, 5, 6]], 0], [[[1], [2], [3], [4]], 3]])
    assert habits.kept_by([[[1, 2], [3, 5]], 1])
    assert not habits.kept_by([[[1, 2], [3]], 1])
    assert not habits.kept_by([[[1, 2], [3, 5]], 2])
    trees = InputHabits([[[4, 2, 7, 1, 3]], [[5, None, 6]]])
    assert trees.kept_by([[4, 2, 7, None, 3]])
    assert not trees.kept_by([[4, 5, 7, 1, 3]])
    assert not keeps_answer_habits([1, 2], -1)
    assert not keeps_answer_habits([1, 2], None)
    assert keeps_answer_habits([1, -2], -1)


# -- audit and admission ------------------------------------------------------------------------------------------

CLAMP = """def clamp(x, low, high):
    if x < low:
        return low
    if x > high:
        return high
    return x"""
WEAK = cases("clamp", ["x", "low", "high"], ([5, 1, 9], 5), ([6, 2, 8], 6))


def function_problem(code: str, tests: tuple[TestCase, ...], name: str = "p") -> Problem:
    return Problem(name, "Do it.", tests, name, "test", kind="function", references={"python": code})


def test_weak_tests_of_a_function_are_mended_by_inputs_that_kill_the_survivors() -> None:
    problem = function_problem(CLAMP, WEAK)
    [without] = audit([problem], Workers(1, "python_function"), AuditConfig(), search=False)
    [found] = audit([problem], Workers(1, "python_function"), AuditConfig())
    assert without.kill_rate < AuditConfig().min_kill_rate <= found.kill_rate
    assert 1 <= len(found.added) <= AuditConfig().max_added
    assert all(test.hidden for test in found.added)
    assert quarantine_reason(found, AuditConfig()) is None
    mended = with_added(problem, found)
    with load_interpreter("python_function") as interpreter:
        assert check(interpreter, CLAMP, mended.tests, Limits()).passed
        for mutant in without.survivors:
            if mutant.code:
                passed = check(interpreter, mutant.code, mended.tests, Limits()).passed
                assert passed == (mutant in found.survivors), mutant.detail


def test_a_mutant_that_never_ends_is_killed_by_an_error_and_costs_little() -> None:
    code = "def f(n):\n    while True:\n        n -= 1\n        if n <= 0:\n            return n"
    [found] = audit([function_problem(code, cases("f", ["n"], ([3], 0), ([5], 0)))], Workers(1, "python_function"),
                    AuditConfig(), search=False)  # fmt: skip
    assert found.killed_error >= 1


def test_trivial_answers_of_a_function_are_found() -> None:
    same = function_problem("def f(a, b):\n    return b", cases("f", ["a", "b"], ([1, 2], 2), ([3, 4], 4)), "same")
    constant = function_problem("def f(a):\n    return 1", cases("f", ["a"], ([1], 1), ([3], 1)), "constant")
    assert trivial(same) == "the argument b unchanged is a right answer"
    assert "constant" in (trivial(constant) or "")
    assert trivial(function_problem(CLAMP, WEAK)) == "the argument x unchanged is a right answer"


def test_admission_runs_the_references_of_functions() -> None:
    tests = cases("f", ["a"], ([1], 2), ([5], 6))
    right = function_problem("def f(a):\n    return a + 1", tests, "right")
    wrong = function_problem("def f(a):\n    return a + 2", tests, "wrong")
    raising = function_problem("def f(a):\n    return 1 // (a - 5) and a + 1", tests, "raising")
    admitted, quarantined = admit([right, wrong, raising], 1, lambda done, total: None)
    assert [problem.problem_id for problem in admitted] == ["right"]
    assert "WRONG_ANSWER" in quarantined["wrong"]
    assert set(quarantined) == {"wrong", "raising"}
    assert expected_of(right.tests[1]) == 6
