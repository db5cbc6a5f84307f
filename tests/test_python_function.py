"""Python functions as candidates: called once per test with the row's values, in a namespace of their own."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import ROOT

from interpreters import load_interpreter
from interpreters.base import (
    Column,
    ColumnType,
    Execution,
    Interpreter,
    InterpreterError,
    Limits,
    Outcome,
    Table,
    TestCase,
)
from interpreters.checking import check, judge
from interpreters.function_cases import case_of
from interpreters.runners.python_function_runner import MODULES, RECURSION

FAST = Limits(seconds=2.0, memory_mb=512, output_bytes=2**20, cells=5_000)
MBPP = ROOT.parent / "shared" / "data" / "python_problems" / "mbpp.jsonl"


@pytest.fixture(scope="module")
def python() -> Iterator[Interpreter]:
    with load_interpreter("python_function") as loaded:
        yield loaded


def execute(python: Interpreter, code: str, *calls: Sequence[Any]) -> Execution:
    """Call the function `f` of a code, once with each of the arguments."""
    cases = [case_of("f", [f"a{i}" for i in range(len(args))], args, None, hidden=False) for args in calls or [[]]]
    return python.execute(code, [case.tables for case in cases], FAST)


def answers(python: Interpreter, code: str, *calls: Sequence[Any]) -> list[Any]:
    execution = execute(python, code, *calls)
    assert execution.outcome is Outcome.PASSED, execution
    return [table.rows[0][0] for table in execution.results]


# -- calls ----------------------------------------------------------------------------------------------------------


def test_the_function_is_called_by_position_whatever_its_parameters_are_called(python: Interpreter) -> None:
    assert answers(python, "def f(x, y, *more):\n    return [y, x, more]", [1, "b"], [1, 2, 3]) == [
        ["b", 1, []],
        [2, 1, [3]],
    ]
    assert answers(python, "f = lambda x, y=7: (x, y)", [1]) == [[1, 7]]
    assert answers(python, "class f:\n    def __new__(cls): return 3") == [3]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**60), 10**60) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values, min_size=1, max_size=20))
def test_every_value_goes_in_and_comes_back_unchanged(python: Interpreter, drawn: list[Any]) -> None:
    assert repr(answers(python, "def f(x):\n    return x", *([value] for value in drawn))) == repr(drawn)


def test_nan_is_not_null(python: Interpreter) -> None:
    echo = "def f(x):\n    return x"
    for argument, expected, passes in ((math.nan, math.nan, True), (math.nan, None, False), (None, math.nan, False)):
        test = case_of("f", ["x"], [argument], expected, hidden=False)
        assert check(python, echo, [test], FAST).passed == passes


def test_the_verdict_follows_the_rules_of_the_test(python: Interpreter) -> None:
    code = "def f(items):\n    return items[::-1]"
    ordered, free = (case_of("f", ["items"], [[1, 2]], [1, 2.0], hidden=True, unordered=one) for one in (False, True))
    assert check(python, code, [free], FAST).passed
    verdict = check(python, code, [free, ordered], FAST)
    assert (verdict.outcome, verdict.failed_test) == (Outcome.WRONG_ANSWER, 1)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def g():\n    return 1", "expected a function called f, found nothing"),
        ("f = 3", "expected a function called f, found a value of type int"),
        ("class Solution:\n    def f(self):\n        return 1", "expected a function called f, found nothing"),
        ("def f():\n    yield 1", "a value of type generator cannot be carried"),
        ("async def f():\n    return 1", "a value of type coroutine cannot be carried"),
        ("def f():\n    return f", "a value of type function cannot be carried"),
        ("def f():\n    return {1j: 2}", "a value of type complex cannot be carried"),
        ("class A: pass\ndef f():\n    return [A()]", "a value of type A cannot be carried"),
        ("def f():\n    x = []\n    x.append(x)\n    return x", "nested deeper"),
        ("def f():\n    return 10**400", "more than 400 digits"),
        ("def f():\n    return '\\ud800'", "surrogate"),
        ("def f():\n    exit()", "the code ended with SystemExit"),
        ("def f():\n    raise SystemExit(0)", "the code ended with SystemExit"),
    ],
)
def test_what_gives_no_answer_says_why(python: Interpreter, code: str, says: str) -> None:
    execution = execute(python, code)
    assert (execution.outcome, execution.results) == (Outcome.NO_RESULT, ())
    assert says in execution.message


def test_what_is_printed_or_asked_for_goes_nowhere(python: Interpreter) -> None:
    assert answers(python, "def f():\n    print('{\"table\": 1}' * 100_000)\n    return 1") == [1]
    assert "EOFError" in execute(python, "def f():\n    return input()").message


LIAR = """
class Liar({base}):
    def __eq__(self, other): return True
    def __hash__(self): return 0
    def __lt__(self, other): return True
    def __int__(self): return 7391
    def __float__(self): return 7391.0
    def __str__(self): return 'right'
def f(): return Liar({value})
"""


@pytest.mark.parametrize(("base", "value", "found"), [("int", "3", 3), ("float", "3.5", 3.5), ("str", "'x'", "x")])
def test_a_value_is_what_it_is_whatever_its_class_says(python: Interpreter, base: str, value: str, found: Any) -> None:
    assert repr(answers(python, LIAR.format(base=base, value=value))) == repr([found])


def test_an_input_that_is_no_call_is_our_error(python: Interpreter) -> None:
    column = (Column("a", ColumnType.INT),)
    one, two = Table(column, ((1,),)), Table(column, ((1,), (2,)))
    for tables in ({}, {"f": two}, {"f": one, "g": one}):
        with pytest.raises(InterpreterError, match="expected one input table of one row"):
            python.execute("def f(a):\n    return a", [tables], FAST)
    assert answers(python, "def f(a):\n    return a", [1]) == [1]


# -- from one test to the next ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "n = 0\ndef f():\n    global n\n    n += 1\n    return n",
        "def f(seen=[0]):\n    seen.append(1)\n    return len(seen)",
        "class A: n = 0\ndef f():\n    A.n += 1\n    return A.n",
        "from functools import cache\n@cache\ndef g(): return []\ndef f():\n    g().append(1)\n    return len(g())",
        "import random\ndef f():\n    return random.random()",
        "import random\nx = random.sample(range(1000), 5)\ndef f():\n    return x",
        "from decimal import *\ndef f():\n    old = getcontext().prec\n    getcontext().prec = 3\n    return old",
        "import sys\ndef f():\n    old = sys.getrecursionlimit()\n    sys.setrecursionlimit(old + 50)\n    return old",
        "def f():\n    return sorted(globals())",
    ],
)
def test_no_call_sees_what_the_one_before_left(python: Interpreter, code: str) -> None:
    first, second, third = answers(python, code, [], [], [])
    assert first == second == third
    test = case_of("f", [], [], None, hidden=False)
    batch = python.execute_trusted([(code, [test.tables])] * 2)
    assert [execution.results[0].rows[0][0] for execution in batch] == [first, first]


def test_arguments_that_are_changed_are_new_for_the_next_call(python: Interpreter) -> None:
    items = [[1], {"a": [2]}]
    code = "def f(x, y):\n    x[0].append(5)\n    x[1]['a'].clear()\n    return y"
    assert answers(python, code, [items, items], [items, items]) == [items, items]


SEARCH = """
gc = __import__('gc')
gc.unfreeze()
def f(*given):
    texts = [x for one in gc.get_objects() if type(one) in (list, tuple) for x in one if type(x) is str]
    return [x for x in texts if x.startswith('sesame-') and x != 'sesame-']
"""


def test_no_code_finds_what_an_earlier_problem_was_given(python: Interpreter) -> None:
    assert "sesame-mine" in answers(python, SEARCH, [["sesame-mine"]])[0]  # its own arguments are in reach
    assert answers(python, SEARCH) == [[]]


def test_the_code_is_no_program_and_has_a_module(python: Interpreter) -> None:
    code = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import ClassVar\n"
        "@dataclass(order=True)\nclass Item:\n    n: int\n    kind: ClassVar[str] = 'x'\n"
        "def f():\n    return [max(Item(1), Item(2)).n, __name__ == '__main__']\n"
        "if __name__ == '__main__':\n    raise SystemExit"
    )
    assert answers(python, code) == [[2, False]]


def test_annotations_are_evaluated_as_the_language_says(python: Interpreter) -> None:
    """The checker's own `from __future__ import annotations` must not reach the candidate."""
    assert answers(python, "def f(a: 1 + 1 = 0):\n    return f.__annotations__['a']") == [2]


# -- imports ----------------------------------------------------------------------------------------------------------


def test_every_permitted_module_can_be_imported_in_any_form(python: Interpreter) -> None:
    lines = [f"import {name}" for name in sorted(MODULES - {"__future__"})]
    lines += [f"from {name} import *" for name in sorted(MODULES - {"__future__", "sys"})]
    lines += ["import collections.abc as abstract, math as m", "from sys import maxsize, setrecursionlimit as deep"]
    assert answers(
        python, "\n".join([*lines, "def f():\n    import heapq as h\n    return h.nlargest(1, [1, 2])"])
    ) == [[2]]


@pytest.mark.parametrize(
    "body",
    [
        "datetime.datetime.strptime('2024-02-03', '%Y-%m-%d').day",
        "len('é'.encode('cp1252') + 'é'.encode('latin-1') + '!'.encode('utf-16-le')) - 1",
        "int(statistics.NormalDist(3, 1).inv_cdf(0.5))",
        "int(decimal.Decimal('1.5') + fractions.Fraction(3, 2).numerator // 2 + 1)",
        "len(hashlib.md5(b'x').hexdigest()) - 29",
        "len(calendar.month_abbr[1])",
    ],
)
def test_what_a_module_imports_later_is_there_too(python: Interpreter, body: str) -> None:
    modules = "import calendar, datetime, decimal, fractions, hashlib, statistics\n"
    assert answers(python, f"{modules}def f():\n    return {body}") == [3]


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "import os.path",
        "import math, socket",
        "import numpy as np",
        "import collections.os",
        "from os import path",
        "from os import *",
        "from subprocess import run",
        "from . import math",
        "from .math import sqrt",
        "from importlib import import_module",
        "from sys import modules",
        "from sys import *",
        "import sys; sys.exit(0)",
        "import sys as s; s.stdin",
        "try:\n    import polars\nexcept ImportError:\n    pass",
        "def g():\n    import os",
        "class A:\n    from ctypes import CDLL",
        "def g():\n    import sys as math\n    return math.modules",
    ],
)
def test_everything_else_is_forbidden_before_anything_runs(python: Interpreter, line: str) -> None:
    execution = execute(python, f"while True: pass\n{line}\ndef f():\n    return 1")
    assert execution.outcome is Outcome.FORBIDDEN
    assert execution.message.startswith("not allowed: ")


# -- depth ------------------------------------------------------------------------------------------------------------

DEEP = "def g(n):\n    return 0 if n == 0 else 1 + g(n - 1)\n"
CACHED = f"from functools import lru_cache\n@lru_cache(None)\n{DEEP}"
SORTED = "def g(n):\n    return 0 if n == 0 else 1 + min([n - 1], key=g) * 0 + n - 1\n"


@pytest.mark.parametrize("g", [DEEP, CACHED, SORTED])
def test_a_deep_search_ends(python: Interpreter, g: str) -> None:
    depth = RECURSION // 3
    assert answers(python, f"{g}def f(n):\n    return g(n)", [depth]) == [depth]


@pytest.mark.parametrize("g", [DEEP, CACHED, SORTED])
def test_recursion_without_end_is_an_error_of_the_code(python: Interpreter, g: str) -> None:
    execution = execute(python, f"{g}def f():\n    return g(-1)")
    assert (execution.outcome, execution.message[:14]) == (Outcome.RUNTIME_ERROR, "RecursionError")


def test_a_code_may_ask_for_more_depth(python: Interpreter) -> None:
    code = f"import sys\nsys.setrecursionlimit(10**6)\n{CACHED}def f(n):\n    return g(n)"
    assert answers(python, code, [5 * RECURSION]) == [5 * RECURSION]


# -- real solutions ---------------------------------------------------------------------------------------------------


def carried(row: dict[str, Any]) -> list[TestCase]:
    return [
        case_of(row["entry_point"], [f"a{i}" for i in range(len(test["args"]))], test["args"], test["expected"],
                hidden=False)
        for test in row["tests"]
    ]  # fmt: skip


@pytest.mark.skipif(not MBPP.exists(), reason=f"the real inputs are not here ({MBPP.name})")
def test_real_solutions_pass_their_own_tests(python: Interpreter) -> None:
    """Those whose values JSON has: others depend on how a source writes tuples."""
    rows = [row for row in map(json.loads, MBPP.read_text(encoding="utf-8").splitlines()) if row["all_plain"]]
    assert len(rows) > 200
    tests = [carried(row) for row in rows]
    jobs = [(row["code"], [test.tables for test in cases]) for row, cases in zip(rows, tests, strict=True)]
    verdicts = [
        judge(execution, cases, python.name)
        for execution, cases in zip(python.execute_trusted(jobs), tests, strict=True)
    ]
    assert [(row["id"], v.message) for row, v in zip(rows, verdicts, strict=True) if not v.passed] == []


def test_a_set_has_the_same_order_in_every_process() -> None:
    code = "def f(a):\n    return list({'w%d' % i for i in range(40)})"
    tests = [case_of("f", ["a"], [1], [], hidden=False)]
    orders = set()
    for _ in range(3):
        with load_interpreter("python_function") as fresh:
            execution = fresh.execute(code, [test.tables for test in tests], Limits())
            orders.add(repr(execution.results[0].rows))
    assert len(orders) == 1
