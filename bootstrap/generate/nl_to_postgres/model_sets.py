"""Data sets for a pair that a model wrote: both solutions must give the same answer on each of them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from bootstrap.audit.data_sets import job_of, variations
from bootstrap.generate.nl_to_postgres.settings import Settings
from interpreters.base import Execution, Interpreter, Limits, Table, TestCase
from interpreters.compare import compare_tables

TRIES = 4  # data sets made for each one that is wanted

Sets = Sequence[tuple[Mapping[str, Table], Table]]


def agreed_sets(
    code: str, solution: str, tables: Mapping[str, Table], settings: Settings, interpreter: Interpreter, limits: Limits,
    rng: random.Random,
) -> tuple[Sets, str]:  # fmt: skip
    """Return data sets with the answer of both, and why the pair falls: nothing in most cases. Raises
    InterpreterError."""
    [named] = job_of(f"{code}\n{solution}", [tables])[1]
    most = settings.problem_rows
    small = {
        name: Table(table.columns, tuple(rng.sample(table.rows, min(len(table.rows), most))))
        for name, table in named.items()
    }  # fmt: skip
    inputs: list[Mapping[str, Table]] = [small, *_halves(named, most, rng)]
    blank = Table((), ())
    made = variations([TestCase(small, blank)], [code, solution], f"{rng.random()}")
    inputs += [next(made).tables for _ in range(TRIES * settings.data_sets)]
    mine, other = _answers(code, inputs, interpreter, limits), _answers(solution, inputs, interpreter, limits)
    found: list[tuple[Mapping[str, Table], Table]] = []
    for given, answer, second in zip(inputs, mine, other, strict=False):
        if compare_tables(second, answer, match_names=False) is not None:
            if not all(table.rows for table in given.values()):
                continue  # a sum over nothing: few questions say what that is
            return (), "the second solver gets another result on a further data set"
        new = all(compare_tables(answer, one, match_names=False) is not None for _, one in found)
        if answer.rows and new and len(found) < settings.data_sets:
            found.append((given, answer))
    return found, ""


def _halves(tables: Mapping[str, Table], most: int, rng: random.Random) -> list[dict[str, Table]]:
    """Return further samples, as large as may be."""
    return [
        {name: Table(t.columns, tuple(rng.sample(t.rows, min(len(t.rows), 2 * most)))) for name, t in tables.items()}
        for _ in range(2)
    ]


def _answers(
    code: str, inputs: Sequence[Mapping[str, Table]], interpreter: Interpreter, limits: Limits
) -> Sequence[Table]:
    """Return the answers up to the first input on which there is none."""
    execution: Execution = interpreter.execute(code, inputs, limits)
    return execution.results
