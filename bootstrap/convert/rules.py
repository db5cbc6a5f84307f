"""The route by rules: from a reference in one language to code in another, without any model.

Between SQL dialects by dialects.py, from SQL to Ibis and Polars by translate.py. Rules propose, the interpreter of the
target language decides: of the proposals for a problem the first is kept that passes all its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

from bootstrap.convert.attempts import Attempt, Converted, task_digest
from bootstrap.convert.base import Conversion, Schema, UnsupportedSqlError
from bootstrap.records import Problem
from interpreters.base import Table
from interpreters.checking import CheckerPool

SOURCES = ("duckdb", "postgres", "sqlite")
"""SQL dialects that rules read, the most trusted first: golds in the first two have been run by our interpreters."""
DIALECTS = ("duckdb", "postgres")
EXPRESSIONS = ("ibis", "polars")


def schema_of(tables: Mapping[str, Table]) -> Schema:
    return {name: {column.name: column.type for column in table.columns} for name, table in tables.items()}


def propose(problem: Problem, language: str) -> list[Conversion]:
    """Return code in the target language, the best guess first. Raises UnsupportedSqlError with the reasons."""
    sources = [name for name in SOURCES if name in problem.references and name != language]
    if language not in (*DIALECTS, *EXPRESSIONS):
        raise UnsupportedSqlError(f"no rules lead to {language}")
    if problem.kind != "table" or not sources:
        raise UnsupportedSqlError(f"no reference in {', '.join(SOURCES)}")
    schema = schema_of(problem.tests[0].tables)
    found: dict[str, Conversion] = {}
    reasons: list[str] = []
    for source in sources:
        try:
            for one in convert_sql(problem.references[source], source, language, schema):
                found.setdefault(one.code, Conversion(one.code, f"{source}: {one.rule}"))
        except UnsupportedSqlError as error:
            reasons.append(str(error))
    if not found:
        raise UnsupportedSqlError("; ".join(dict.fromkeys(reasons)))
    return list(found.values())


def convert_sql(sql: str, source: str, language: str, schema: Schema) -> list[Conversion]:
    """Return proposals, the best guess first. Raises UnsupportedSqlError."""
    # Imported here: sqlglot takes a while, and the programs that only name these routes do not need it.
    if language in DIALECTS:
        from bootstrap.convert.dialects import convert_dialect

        return convert_dialect(sql, source, cast(Literal["duckdb", "postgres"], language), schema)
    from bootstrap.convert.translate import translate_sql

    return translate_sql(sql, source, cast(Literal["ibis", "polars"], language), schema)


def convert_by_rules(
    problems: Sequence[Problem], language: str, pool: CheckerPool, on_done: Callable[[int], None] = lambda count: None
) -> list[Converted]:
    """Return what the rules made of each problem, in their order. `on_done` hears how many have just been settled.

    All first proposals are checked, then the second ones of those that failed, and so on. Raises InterpreterError.
    """
    proposed: dict[str, list[Conversion]] = {}
    refused: dict[str, str] = {}
    for problem in problems:
        try:
            proposed[problem.problem_id] = propose(problem, language)
        except UnsupportedSqlError as error:
            refused[problem.problem_id] = str(error)
    on_done(len(refused))
    attempts: dict[str, list[Attempt]] = {problem_id: [] for problem_id in proposed}
    open_ones = [problem for problem in problems if problem.problem_id in proposed]
    while open_ones:
        open_ones = _check_round(open_ones, proposed, attempts, pool, on_done)
    return [
        Converted(p.problem_id, attempts.get(p.problem_id, ()), refused.get(p.problem_id, "")) for p in problems
    ]  # fmt: skip


def _check_round(
    problems: Sequence[Problem], proposed: dict[str, list[Conversion]], attempts: dict[str, list[Attempt]],
    pool: CheckerPool, on_done: Callable[[int], None],
) -> list[Problem]:  # fmt: skip
    """Check the next proposal of each problem; return those that have another one to be tried."""
    number = len(attempts[problems[0].problem_id])
    futures = [(p, pool.submit(proposed[p.problem_id][number].code, p.tests)) for p in problems]
    left = []
    for problem, future in futures:
        one = proposed[problem.problem_id][number]
        attempt = Attempt.judged(
            future.result(), problem_id=problem.problem_id, problem=task_digest(problem), route="rules", rule=one.rule,
            round=number, code=one.code,
        )  # fmt: skip
        attempts[problem.problem_id].append(attempt)
        if attempt.passed or number + 1 == len(proposed[problem.problem_id]):
            on_done(1)
        else:
            left.append(problem)
    return left
