"""Tasks in the form of q-HumanEval, one for each way in which its checks ask, with a right answer and a wrong one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """`check`: the lines of `check(candidate)`. `setup`: code before it."""

    entry: str
    head: str
    check: str
    right: str
    wrong: str
    setup: str = ""

    def row(self, number: int) -> dict[str, object]:
        lines = "\n".join(f"    {line}" for line in self.check.splitlines())
        return {
            "task_id": number, "entry_point": self.entry, "canonical_solution": "", "test_setup_code": self.setup,
            "prompt": f"// @overview\n// Write {self.entry}.\n{self.head}",
            "tests": f"def check(candidate):\n{lines}\n",
        }  # fmt: skip


OPEN, CLOSED = "{name}:{{[{args}]\n", "{name}:{{[{args}]\n    / body\n    }}\n"


def head(name: str, args: str, form: str = CLOSED) -> str:
    return form.format(name=name, args=args)


SAMPLES = [
    Sample("add", head("add", "a;b"), "assert candidate([1, 2], [3, 4]) == [4, 6]\nassert candidate([], []) == []",
           "add:{[a;b] a+b}", "add:{[a;b] a-b}"),
    Sample("half", head("half", "x"), "assert abs(candidate(3) - 1.5) < 1e-6\nassert abs(1.5 - candidate(3)) <= 1e-6",
           "half:{[x] x%2}", "half:{[x] x%3}"),
    Sample("isbig", head("isbig", "n", OPEN), "assert candidate(11)\nassert not candidate(9)\nassert candidate(12)",
           "    n>10\n    }\nbroken ((\n", "    n>0\n    }"),
    Sample("nothing", head("nothing", "x"), "assert candidate(1) is None\nassert candidate(2) is None",
           "nothing:{[x] (::)}", "nothing:{[x] x}"),
    Sample("pair", head("pair", "x"), "assert candidate([1, 2, 3]) == (6, 3)\nassert tuple(candidate([4])) == (4, 1)",
           "pair:{[x] (sum x;count x)}", "pair:{[x] (count x;sum x)}"),
    Sample("shout", head("shout", "s"), "assert candidate('abc') == 'ABC'\nassert candidate('a').decode() == 'A'\n"
           "assert candidate('x y') == b'X Y'", "shout:{[s] upper s}", "shout:{[s] s}"),
    Sample("sized", head("sized", "s"), "assert candidate('a bcd') == 'medium'\nassert candidate('') == 'short'",
           "sized:{[s] $[3<count s;`medium;`short]}", "sized:{[s] `short}"),
    Sample("squares", head("squares", "n"), "for n in range(6):\n    assert candidate(n) == [i * i for i in range(n)]",
           "squares:{[n] {x*x} til n}", "squares:{[n] til n}"),
    Sample("total", head("total", "x"), "xs = [1, 2, 3]\nwanted = sum(xs)\nassert candidate(xs) == wanted, 'sum'",
           "total:{[x] sum x}", "total:{[x] max x}"),
    Sample("oneof", head("oneof", "x"), "assert candidate([1, 2]) in (1, 2)\nassert candidate([7]) in [7]",
           "oneof:{[x] first x}", "oneof:{[x] 1+first x}"),
    Sample("rounded", head("rounded", "x"), "assert round(candidate(10.0), 2) == 3.33\nassert candidate(3.0) == 1.0",
           "rounded:{[x] x%3}", "rounded:{[x] x%4}"),
    Sample("words", head("words", "s"), "assert candidate('a b') == ['a', 'b']\nassert len(candidate('x')) == 1",
           'words:{[s] " " vs s}', 'words:{[s] enlist s}'),
    Sample("counted", head("counted", "s"), "assert candidate('aab') == {'a': 2, 'b': 1}\nassert candidate('') == {}",
           "counted:{[s] $[count s;(enlist each key g)!count each value g:group s;()!()]}", "counted:{[s] ()!()}"),
    Sample("chain", head("chain", "x"), "once = candidate(3)\nassert candidate(once) == 5\nassert candidate(7) == 8",
           "chain:{[x] x+1}", "chain:{[x] x}"),
    Sample("sorts", head("sorts", "x"),
           "assert sorted(candidate([3, 1])) == [1, 3]\nassert set(candidate([2, 2])) == {2}",
           "sorts:{[x] desc x}", "sorts:{[x] 0*x}"),
    Sample("many", head("many", "x"), "inputs, outputs = [[1, 2], [5]], [3, 5]\n"
           "for given, wanted in zip(inputs, outputs):\n    assert candidate(given) == wanted\nassert True",
           "```q\nmany:{[x] sum x}\n```", "many:{[x] count x}"),
    Sample("near", head("near", "x"),
           "assert math.isclose(candidate(2.0), math.sqrt(2))\nassert near(candidate(4.0), 2.0)",
           "near:{[x] sqrt x}", "near:{[x] x}", setup="import math\n\ndef near(a, b):\n    return abs(a - b) < 1e-4\n"),
    Sample("answer", head("answer", ""), "assert candidate() == 42", "{[] 42}", "{[] 43}"),
    Sample("both", head("both", "x"),
           "assert candidate(2) == 4 and candidate(3) == 9\nassert isinstance(candidate(2), int)",
           "Here it is:\n```q\nboth:{[x] x*x}\n```\nDone.", "both:{[x] 2*x}"),
    Sample("lost", head("lost", "x"), "assert candidate(1) == helper(1)", "lost:{[x] x}", "lost:{[x] 2*x}"),
]  # fmt: skip
LOST = str(len(SAMPLES) - 1)
"""The task whose check calls what nobody defines."""


def write_tasks(folder: Path) -> Path:
    return _write(folder / "tasks.jsonl", [sample.row(number) for number, sample in enumerate(SAMPLES)])


def write_answers(folder: Path, *kinds: str) -> Path:
    """Write one completion of each task for each kind, `right` or `wrong`."""
    rows = [
        {"task_id": number, "completion": getattr(sample, kind)}
        for kind in kinds
        for number, sample in enumerate(SAMPLES)
    ]
    return _write(folder / "answers.jsonl", rows)


def _write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
