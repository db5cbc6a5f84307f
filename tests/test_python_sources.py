"""Python data sets become function problems: tests are read by the syntax tree, references run, all else is counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from bootstrap.errors import UserError
from bootstrap.records import Problem
from bootstrap.sources import load_source
from bootstrap.sources.humaneval import HumanEval
from bootstrap.sources.leetcode import LeetCode
from bootstrap.sources.mbpp import Mbpp
from bootstrap.sources.python_tests.asserts import Pair, pairs_of
from bootstrap.sources.python_tests.literals import Nodes
from bootstrap.sources.python_tests.wording import says_any_order, says_several, without_scaffold
from interpreters import load_interpreter
from interpreters.base import Limits
from interpreters.checking import check
from interpreters.function_cases import arguments_of, expected_of

DATA = ROOT.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs the real inputs in ../shared/data, not here")


def loaded(name: str, rows: Sequence[Any], tmp_path: Path, **options: Any) -> tuple[list[Problem], dict[str, int]]:
    """Return the problems of rows written to a file, and the reasons for which others gave none."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    source = load_source(name, {"path": str(file), **options}, 1)
    assert isinstance(source, Mbpp | HumanEval | LeetCode)
    return list(source.load()), dict(source.tally.dropped)


# -- tests by the syntax tree -------------------------------------------------------------------------------------

FORMS = {
    "assert f(1, [2]) == 3": Pair((1, [2]), {}, 3),
    "assert candidate(k=3, xs=(1, 2)) == 'a'": Pair((), {"k": 3, "xs": (1, 2)}, "a"),
    "assert 3 == f(1)": Pair((1,), {}, 3),
    "assert (f(-1) == None)": Pair((-1,), {}, None),
    "assert f(1) is True": Pair((1,), {}, True),
    "assert not f(1)": Pair((1,), {}, False, "false"),
    "assert f('x')": Pair(("x",), {}, True, "true"),
    "assert math.isclose(f(2), 1.5, rel_tol=0.001)": Pair((2,), {}, 1.5, "close", 0.001),
    "assert abs(f(2) - 1.5) < 1e-6": Pair((2,), {}, 1.5, "close", 1e-6),
    "assert set(f([1])) == set([1, 2])": Pair(([1],), {}, {1, 2}, "set"),
    "assert sorted(f(3)) == sorted([2, 1])": Pair((3,), {}, [1, 2], "bag"),
    "assert f([0] * 3) == 2 ** 10 - 1": Pair(([0, 0, 0],), {}, 1023),
    "assert f({1, 2}, {'a': 1}) == {1: (2, 3)}": Pair(({1, 2}, {"a": 1}), {}, {1: (2, 3)}),
    "assert f(float('inf')) == list(range(3))": Pair((float("inf"),), {}, [0, 1, 2]),
    "assert f(x=tree_node([1, None, 2])) == 2": Pair((), {"x": Nodes("tree", (1, None, 2))}, 2),
    "assert is_same_list(f(x=list_node([1, 2])), list_node([2]))": Pair(
        (), {"x": Nodes("linked", (1, 2))}, Nodes("linked", (2,)), "equal", 1e-6
    ),
    "xs = [1, 2]\nassert f(xs) == 3": Pair(([1, 2],), {}, 3),
    "result = f(4)\nassert result == 3": Pair((4,), {}, 3),
}


@pytest.mark.parametrize("test", FORMS)
def test_a_test_is_read_as_arguments_and_expected_value(test: str) -> None:
    found = pairs_of(test, ["f"])
    assert (found.pairs, dict(found.unread)) == ([FORMS[test]], {})


@pytest.mark.parametrize(
    "test",
    [
        "assert f(1) > 2", "assert other(1) == 2", "assert f(random.random()) == 1", "assert f([x for x in y]) == 1",
        "assert f([0] * 10**9) == 1", "assert f(2 ** 10**9) == 1", "assert f(open('x')) == 1", "assert f(1 / 0) == 1",
        "assert len(f(1)) == 2", "assert f(1) == (", "assert f('%s' % 1) == 1",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_counted_with_a_reason(test: str) -> None:
    found = pairs_of(test, ["f"])
    assert found.pairs == []
    assert found.unread.total() == 1
    assert all(reason for reason in found.unread)


def test_loops_over_literal_inputs_and_results_are_read() -> None:
    test = """
def check(candidate):
    inputs = [[1, 2], [3, 4]]
    results = [3, 7]
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assertion(candidate(*inp), exp, 0)
    for i, inp in enumerate(inputs):
        assertion(candidate(*inp), ref_func(*inp), 0)
"""
    found = pairs_of(test, ["f"])
    assert found.pairs[:2] == [Pair((1, 2), {}, 3), Pair((3, 4), {}, 7)]
    assert [pair.relation for pair in found.pairs[2:]] == ["reference", "reference"]


# -- the sources --------------------------------------------------------------------------------------------------

ADD = {"id": "mbpp_1", "prompt": "Add.", "code": "def add(a, b):\n    return a + b", "entry_point": "add"}
TAGGED = {
    **ADD,
    "tests": [{"args": [a, 2], "kwargs": [], "expected": a + 2} for a in (1, 5, 7)],
}


def test_mbpp_gives_problems_of_which_the_first_tests_are_visible(tmp_path: Path) -> None:
    [problem], dropped = loaded("mbpp", [TAGGED], tmp_path)
    assert (problem.kind, problem.family, dropped) == ("function", "mbpp_1", {})
    assert [test.hidden for test in problem.tests[:3]] == [False, True, True]
    assert all(test.hidden for test in problem.tests[3:])
    assert len(problem.tests) == 3 + 4
    assert arguments_of(problem.tests[0]) == ("add", ["a", "b"], [1, 2])
    assert expected_of(problem.tests[0]) == 3
    assert "add(a, b). a is an integer; b is an integer. It returns an integer." in problem.statement
    assert problem == loaded("mbpp", [TAGGED], tmp_path)[0][0]


def test_the_original_rows_of_mbpp_are_read_too(tmp_path: Path) -> None:
    row = {
        "task_id": 7, "text": "Add.", "code": "def helper(x):\r\n    return x\r\ndef add(a, b):\r\n    return a + b",
        "test_list": ["assert add(1, 2) == 3", "assert add(one, 2) == 3", "assert add(4, helper(1)) == 5"],
        "test_setup_code": "one = 1",
    }  # fmt: skip
    [problem], _ = loaded("mbpp", [row], tmp_path, added_inputs=0)
    assert problem.problem_id == "mbpp_7"
    assert [arguments_of(test)[2] for test in problem.tests] == [[1, 2]]  # the second is the same call


def test_tuples_sets_and_dictionaries_reach_the_reference_as_it_wants_them(tmp_path: Path) -> None:
    def row(number: int, code: str, args: list[Any], expected: Any) -> dict[str, Any]:
        test = {"args": args, "kwargs": [], "expected": expected}
        return {"id": f"mbpp_{number}", "prompt": "p", "code": code, "entry_point": "f", "tests": [test]}

    pairs = {"__tuple__": [{"__tuple__": [1, 2]}, {"__tuple__": [1, 2]}]}
    rows = [
        row(1, "def f(t):\n    return set(t)", [pairs], {"__set__": [{"__tuple__": [1, 2]}]}),
        row(2, "def f(d):\n    return sorted(d.items())", [{"__dict__": [[2, "b"], [1, "a"]]}], [[1, "a"], [2, "b"]]),
        row(3, "def f(d):\n    return {d[k]: k for k in d}", [{"__dict__": [["a", 1]]}], {"__dict__": [[1, "a"]]}),
        row(4, "def f(s):\n    return len(s | {0})", [{"__set__": [1, 2]}], 3),
    ]  # fmt: skip
    problems, dropped = loaded("mbpp", rows, tmp_path, added_inputs=0)
    assert dropped == {}
    assert [expected_of(problem.tests[0]) for problem in problems] == [
        [[1, 2]], [[1, "a"], [2, "b"]], [{"key": 1, "value": "a"}], 3,
    ]  # fmt: skip
    assert [problem.tests[0].unordered for problem in problems] == [True, False, True, False]
    with load_interpreter("python_function") as interpreter:
        for problem in problems:
            assert check(interpreter, problem.references["python"], problem.tests, Limits()).passed


def test_every_row_that_makes_no_problem_is_counted_and_none_is_fatal(tmp_path: Path) -> None:
    def test_of(expected: Any) -> dict[str, Any]:
        return {"args": [1, 2], "kwargs": [], "expected": expected}

    rows: list[Any] = [
        "{broken\n", "[1]\n", {}, {**ADD, "id": "z", "tests": []}, {**ADD, "id": "a", "tests": [test_of(4)]},
        {**ADD, "id": "b", "code": "def add(", "tests": [test_of(3)]}, {**ADD, "id": "c", "tests": "none"},
        {**ADD, "id": "d", "code": "def add(a, b):\n    while True: a += 1\n    return a", "tests": [test_of(3)]},
        {**ADD, "id": "e", "code": "import os\ndef add(a, b):\n    return 3", "tests": [test_of(3)]},
        {**ADD, "id": "f", "code": "import random\ndef add(a, b):\n    return random.random()", "tests": [test_of(3)]},
        {**ADD, "id": "g", "code": "def other(a, b):\n    return 3", "tests": [test_of(3)]},
        {**ADD, "id": "h", "code": "def add(*a):\n    return 3", "tests": [test_of(3)]},
        {**ADD, "id": "i", "code": "def add(a, b):\n    return object()", "tests": [test_of(3)]},
        {**ADD, "id": "j", "tests": [{"args": 5}, {"args": [{"__complex__": 1}]}]},
        TAGGED, TAGGED,
    ]  # fmt: skip
    problems, dropped = loaded("mbpp", rows, tmp_path)
    assert [problem.problem_id for problem in problems] == ["mbpp_1"]
    reasons = " | ".join(dropped)
    for reason in (
        "no JSON", "no JSON object", "no text or no code", "disagrees with a test", "is no Python", "neither tests nor",
        "takes too long", "not permitted (import os)", "chance", "does not define", "any number of arguments",
        "cannot be carried", "no test could be read", "its id has come before",
    ):  # fmt: skip
        assert reason in reasons, reason
    assert sum(dropped.values()) + len(problems) == len(rows) + 0


def test_humaneval_takes_the_docstring_and_the_asserts_of_check(tmp_path: Path) -> None:
    row = {
        "task_id": "HumanEval/9", "entry_point": "rolling",
        "prompt": 'from typing import *\n\ndef rolling(xs: List[int]):\n    """ Running maxima.\n    """\n',
        "canonical_solution": "    return [max(xs[: i + 1]) for i in range(len(xs))]\n",
        "test": "def check(candidate):\n    assert candidate([]) == []\n    assert candidate([3, 2, 4]) == [3, 3, 4]\n",
    }  # fmt: skip
    plus = {**row, "task_id": "HumanEval/10", "test": "", "base_input": [[[1, 2]]], "plus_input": [[[5]], "x"]}
    problems, dropped = loaded("humaneval", [row, plus], tmp_path)
    assert dropped == {}
    assert problems[0].statement.startswith("Running maxima.")
    assert expected_of(problems[0].tests[1]) == [3, 3, 4]
    assert [expected_of(test) for test in problems[1].tests[:2]] == [[1, 2], [5]]


SOLUTION = """class Solution:
    def {name}(self, {parameters}){returns}:
        {body}
"""


def leetcode_row(
    name: str, parameters: str, returns: str, body: str, test: str, text: str = "Do it."
) -> dict[str, Any]:  # fmt: skip
    return {
        "task_id": name.lower(), "prompt": "from typing import *\n", "entry_point": f"Solution().{name}",
        "completion": SOLUTION.format(name=name, parameters=parameters, returns=returns, body=body),
        "test": f"def check(candidate):\n    {test}\n", "meta": {"question_title": text, "difficulty": "Medium"},
        "query": f"{text}\nPlease complete the following python code precisely:\n```python\nclass Solution:\n```",
    }  # fmt: skip


TREE = leetcode_row(
    "flip", "root: Optional[TreeNode]", " -> Optional[TreeNode]",
    "if root: root.left, root.right = self.flip(root.right), self.flip(root.left)\n        return root",
    "assert is_same_tree(candidate(root = tree_node([1, 2, 3, None, 4])), tree_node([1, 3, 2, None, None, 4]))",
)  # fmt: skip
LINKED = leetcode_row(
    "tail", "head: Optional[ListNode]", " -> Optional[ListNode]", "return head.next if head else None",
    "assert is_same_list(candidate(head = list_node([1, 2, 3])), list_node([2, 3]))",
)  # fmt: skip
IN_PLACE = leetcode_row(
    "turn", "nums: List[int]", " -> None", "nums.reverse()", "assert candidate(nums = [1, 2]) == None"
)
BAG = leetcode_row(
    "both", "a: int", " -> List[int]", "return [a, a + 1]", "assert candidate(a = 1) == [2, 1]",
    "Return two numbers. You may return the answer in any order.",
)  # fmt: skip


def test_leetcode_problems_are_plain_functions_whatever_the_method_takes(tmp_path: Path) -> None:
    problems, dropped = loaded("leetcode", [TREE, LINKED, IN_PLACE, BAG], tmp_path, added_inputs=0)
    assert dropped == {}
    assert [(p.problem_id, p.difficulty) for p in problems] == [
        ("leetcode_flip", 2), ("leetcode_tail", 2), ("leetcode_turn", 2), ("leetcode_both", 2),
    ]  # fmt: skip
    assert [expected_of(p.tests[0]) for p in problems] == [[1, 3, 2, None, None, 4], [2, 3], [2, 1], [1, 2]]
    assert arguments_of(problems[0].tests[0])[2] == [[1, 2, 3, None, 4]]
    assert "binary tree" in problems[0].statement
    assert "It returns nums as it is after the change" in problems[2].statement
    assert [p.tests[0].unordered for p in problems] == [False, False, False, True]
    assert not any("class Solution" in p.statement for p in problems)
    with load_interpreter("python_function") as interpreter:
        for problem in problems:
            assert check(interpreter, problem.references["python"], problem.tests, Limits()).passed


def test_leetcode_falls_back_on_inputs_and_outputs_and_leaves_out_problems_of_several_answers(tmp_path: Path) -> None:
    row = leetcode_row("inc", "a: int", " -> int", "return a + 1", "pass")
    given = {**row, "test": "", "input_output": [{"input": "a = 1", "output": "2"}, {"input": "a =", "output": "2"}]}
    several = leetcode_row("any", "a: int", "", "return a", "assert candidate(a=1) == 1", "Return any of them.")
    bare = {"task_id": "bare", "entry_point": "Solution().x", "completion": row["completion"]}
    problems, dropped = loaded("leetcode", [given, several, bare], tmp_path)
    assert [expected_of(test) for test in problems[0].tests][:1] == [2]
    assert set(dropped) == {"there are several right answers, and the tests know one", "a row has no text"}


def test_the_wording_rules_read_the_text_alone() -> None:
    assert says_any_order("You can return the answer in any order.")
    assert not says_any_order("You may complete the tasks in any order. Return their number.")
    assert says_several("If there are several, return any of them.")
    assert not says_several("If any pair fits, return 1.")
    text = "Do it.\n\nExample 1:\n\nInput: a = 1\nOutput: 2\n\nConstraints:\n\n1 <= a\n"
    assert without_scaffold(text) == "Do it.\n\nConstraints:\n\n1 <= a"


def test_a_path_that_is_nothing_is_refused_with_the_name_of_the_option(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"source\.options\.path"):
        list(load_source("mbpp", {"path": str(tmp_path / "none.jsonl")}, 1).load())
    with pytest.raises(UserError, match=r"no \*\.jsonl file"):
        list(load_source("mbpp", {"path": str(tmp_path)}, 1).load())


@needs_data
@pytest.mark.parametrize(
    ("name", "file"), [("mbpp", "python_problems/mbpp.jsonl"), ("leetcode", "leetcode/leetcode_dataset_sample.jsonl")]
)
def test_nearly_every_real_record_makes_a_problem(name: str, file: str) -> None:
    source = load_source(name, {"path": str(DATA / file), "limit": 30, "added_inputs": 2}, 1)
    problems = list(source.load())
    assert len(problems) >= 27
    assert all(len(problem.tests) > 2 and "python" in problem.references for problem in problems)
