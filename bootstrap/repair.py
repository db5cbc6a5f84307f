"""What the waves after the regular ones show: a failed attempt and its verdict, or a reference in another language.

Both follow from the problem and from the candidates recorded before the wave alone, so that a killed run, resumed,
shows the same. Of a hidden test nothing reaches a prompt, not even that it failed: an attempt that fails on one is not
shown. (With `hidden_errors` an error over tables is, as a name or a type that is wrong would be wrong on any data.)

A message of a visible test could still hold inputs of a hidden one, as both run in one process and Python code can look
for them and raise them. So code that names what it would need for that is not shown, and a message in which a word or
number stands that only hidden tests hold is left out. Not covered: such code whose names are put together when it runs,
and which writes what it finds in another way. Expected results are in no process that runs a candidate.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from bootstrap.records import Candidate, Hint, Mistake, Problem, digest
from interpreters.base import Outcome, Table, TestCase, Value

REPAIRABLE = (Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR, Outcome.SYNTAX_ERROR)
"""Outcomes that a prompt can explain; of attempts that came equally far the first one's are shown first."""
SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which no tokenizer takes."""
LONGEST_CODE = 4_000
"""Characters; a longer attempt is not shown, as it would leave no room for the answer."""
WORD = re.compile(r"\w{4,}")
"""What is looked for in messages: anything shorter stands in them by chance."""
PEEKING = re.compile(r"\b(?:(?:tb|gi|cr|ag)_frame|f_back|f_locals|f_globals|__traceback__|get_objects|get_referrers)\b")
"""Names by which Python code reaches what its process holds beside its arguments."""


# -- attempts -----------------------------------------------------------------------------------------------------


def mistakes_for(
    problems: Mapping[str, Problem], unsolved: Sequence[str], earlier: Iterable[Candidate],
    starts: Sequence[int], *, hidden_errors: bool = False,
) -> dict[str, Mistake]:  # fmt: skip
    """Return problem_id -> the attempt that the last of these repair turns shows, for problems that have one.

    `starts`: the wave of each turn so far; a turn chooses from the candidates of the waves before its own, and shows
    no code that an earlier turn has shown. Problems with a passing candidate are left out.
    """
    own: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in earlier:
        own[candidate.problem_id].append(candidate)
    found = {}
    for problem_id in unsolved:
        attempts = own.get(problem_id, [])
        if any(c.passed for c in attempts):
            continue
        chosen, shown = None, set[str]()
        for start in starts:
            before = [c for c in attempts if c.wave < start]
            chosen = choose(before, problems[problem_id], shown, hidden_errors=hidden_errors)
            shown |= {chosen.code} if chosen else set()
        if chosen is not None:
            message = told(chosen, problems[problem_id])
            found[problem_id] = Mistake(chosen.code, chosen.outcome, message)
    return found


def choose(
    attempts: Iterable[Candidate], problem: Problem, shown: Collection[str], *, hidden_errors: bool = False
) -> Candidate | None:
    """Return the attempt to be repaired: the one that passed most visible tests, then a wrong answer before an error,
    then the newest turn's; None where no attempt may be shown."""

    def preference(candidate: Candidate) -> tuple[int, int, int, str]:
        passed = sum(not test.hidden for test in problem.tests[: candidate.failed_test])
        return -passed, REPAIRABLE.index(candidate.outcome), -candidate.turn, digest(problem.problem_id, candidate.code)

    worth = (c for c in attempts if c.code not in shown and is_repairable(c, problem, hidden_errors=hidden_errors))
    return min(worth, key=preference, default=None)


def is_repairable(candidate: Candidate, problem: Problem, *, hidden_errors: bool = False) -> bool:
    """Say whether a prompt may show this attempt: it fails on a visible test, in a way that a message explains; or,
    with `hidden_errors`, it ends with an error over tables."""
    failed = candidate.failed_test
    if candidate.outcome not in REPAIRABLE or failed is None or not 0 <= failed < len(problem.tests):
        return False
    code = candidate.code
    fits = 0 < len(code) <= LONGEST_CODE and not SURROGATE.search(code)
    told_anyway = hidden_errors and problem.kind == "table" and candidate.outcome is not Outcome.WRONG_ANSWER
    return (told_anyway or not problem.tests[failed].hidden) and fits and not PEEKING.search(code)


def told(candidate: Candidate, problem: Problem) -> str:
    """Return what a prompt may tell of this failure: the message, or nothing where it holds what is hidden."""
    names = [name for table in problem.tests[0].tables.values() for name in table.names]
    known = words_in([problem.statement, candidate.code, *problem.tests[0].tables, *names])
    known |= words_in(values_of(problem, hidden=False))
    hidden = words_in(values_of(problem, hidden=True)) - known
    return "" if any(word in candidate.message for word in hidden) else candidate.message


def words_in(values: Iterable[Value]) -> set[str]:
    """Return the words and numbers of some length in these values."""
    return {word for value in values for word in WORD.findall(str(value))}


def values_of(problem: Problem, *, hidden: bool) -> Iterator[Value]:
    """Yield the values of a problem's hidden or visible tests: inputs, and what is expected."""
    for test in problem.tests:
        if test.hidden is hidden:
            for table in _tables(test):
                for row in table.rows:
                    for cell in row:
                        yield from _leaves(cell)


def _tables(test: TestCase) -> Iterator[Table]:
    yield from test.tables.values()
    yield test.expected
    yield from test.accepted


def _leaves(value: Value) -> Iterator[Value]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None and not isinstance(value, bool):
        yield value


# -- references ---------------------------------------------------------------------------------------------------


def reference_hints(
    problems: Mapping[str, Problem], unsolved: Sequence[str], earlier: Iterable[Candidate],
    language: Callable[[Problem], str],
) -> dict[str, Hint]:  # fmt: skip
    """Return problem_id -> its shortest reference in a language other than its own, for problems without a passing
    candidate that have one."""
    solved = {c.problem_id for c in earlier if c.passed}
    found = {}
    for problem_id in unsolved:
        problem = problems[problem_id]
        own = language(problem)
        others = [(len(code), name, code) for name, code in problem.references.items() if name != own and code.strip()]
        if others and problem_id not in solved:
            _, name, code = min(others)
            found[problem_id] = Hint(name, code.strip())
    return found
