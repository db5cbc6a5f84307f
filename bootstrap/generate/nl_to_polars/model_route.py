"""The route with a model: it asks questions about each table, then, in requests of their own, code and SQL.

A pair is kept where the code keeps the rules and gives, on the real rows and on further data sets, what the SQL gives
on the same rows in another order. What a model wrote runs in the sandboxed interpreters alone. Questions, codes and
answers are joined by ids from end to end.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from bootstrap.admission import trivial_answer
from bootstrap.audit.data_sets import shuffled
from bootstrap.code_metrics import constructs
from bootstrap.config import PromptConfig
from bootstrap.engines import REMOTE, load_engine
from bootstrap.engines.base import Decoding, Request
from bootstrap.generate.base import Pair, Refusal, UnitResult
from bootstrap.generate.nl_to_polars.asking import (
    JOINS,
    STYLES,
    SUBJECTS,
    Asked,
    code_prompt,
    questions_in,
    questions_prompt,
    sql_prompt,
)
from bootstrap.generate.nl_to_polars.csv_tables import CsvTable, schema_of, schema_text
from bootstrap.generate.nl_to_polars.grammar import ORDER_OF_COLUMNS, preview, score
from bootstrap.generate.nl_to_polars.lazy_rules import broken_rule
from bootstrap.generate.nl_to_polars.profiles import Link, Profile
from bootstrap.generate.nl_to_polars.proof import MOST_ROWS, RefusedError, Samples
from bootstrap.prompts import extract_code
from bootstrap.records import Problem, digest
from interpreters import load_interpreter
from interpreters.base import Execution, InterpreterUnavailable, Limits, Outcome, Table, TestCase
from interpreters.compare import compare_tables

if TYPE_CHECKING:
    from bootstrap.generate.nl_to_polars.generator import PolarsSettings

LIMITS = Limits(seconds=10.0)
CUTS = ("filter", "head", "limit", "tail", "slice", "unique", "drop_nulls")
Tables = Mapping[str, Table]


@dataclass(frozen=True)
class Turn:
    """One unit: a table, perhaps one that it joins with, a style and a subject."""

    unit: str
    main: Profile
    link: Link | None
    style: str
    subject: str
    schema: str


@dataclass(frozen=True)
class Answers:
    """A question with what was answered to it."""

    question_id: str
    question: str
    code: str
    sql: str


class ModelRoute:
    def __init__(
        self, settings: PolarsSettings, tables: Sequence[CsvTable], profiles: Mapping[str, Profile],
        links: Mapping[str, Sequence[Link]], folder: Path, units: Sequence[str],
    ) -> None:  # fmt: skip
        """Raises UserError for an engine that cannot be, InterpreterUnavailable where candidates cannot run."""
        assert settings.model is not None  # the generator asks for this route only then
        self.settings, self.model, self.profiles = settings, settings.model, profiles
        self._schemas = {table.name: schema_text(schema_of(table)) for table in tables}
        self._links = [link for found in links.values() for link in found]
        self._turns = {unit: self._turn(unit) for unit in units if unit.startswith("ask ")}
        config = self.model.engine
        if config.name in REMOTE and not config.store:
            config = config.model_copy(update={"store": str(folder / "calls.jsonl")})
        self._engine = load_engine(self.model.name, config, PromptConfig(style="instruct", chat=True))
        self._asked = Asked(self._engine, folder / "answers.jsonl")
        self._answers: dict[str, list[Answers]] = {}
        self._polars, self._duckdb = load_interpreter("polars_expr"), load_interpreter("duckdb_sql")
        for interpreter in (self._polars, self._duckdb):
            reason = interpreter.available()
            if reason:
                raise InterpreterUnavailable(reason)

    def close(self) -> None:
        self._engine.close()
        self._polars.close()
        self._duckdb.close()

    def work(self, unit: str, name: str) -> UnitResult:
        """Ask and judge one unit. Raises EngineError, InterpreterError."""
        if unit not in self._answers:
            self._ask(list(self._turns.values()) if self.model.engine.batch else [self._turns[unit]])
        turn = self._turns[unit]
        pairs, refusals = [], []
        with _Judge(self, turn) as judge:
            for one in self._answers[unit]:
                try:
                    pairs.append(judge.pair(one))
                except RefusedError as error:
                    refusals.append(Refusal(turn.subject, error.kind, str(error), f"{one.question}\n{one.code}"))
        notes = [] if self._answers[unit] else [f"{name}: the model's answer held no questions ({turn.subject})"]
        return UnitResult(unit, pairs, refusals, notes)

    def _turn(self, unit: str) -> Turn:
        name, _, rest = unit.removeprefix("ask ").partition("#")
        number = int(rest.partition("@")[0])
        mine = [link for link in self._links if link.left == name]
        link = mine[number // 2 % len(mine)] if mine and number % 2 else None
        subject = SUBJECTS[number % len(SUBJECTS)]
        schema = self._schemas[name]
        if link is not None:
            subject = JOINS.format(f"{link.left}.{link.left_column} = {link.right}.{link.right_column}")
            schema += f"\n\n{self._schemas[link.right]}"
        styles = list(STYLES)
        offset = list(self.profiles).index(name)
        return Turn(unit, self.profiles[name], link, styles[(number + offset) % len(styles)], subject, schema)

    # -- asking ---------------------------------------------------------------------------------------------------

    def _ask(self, turns: Sequence[Turn]) -> None:
        """Ask for the questions of all turns, then for all codes, then for all SQL."""
        model = self.model
        wanted = [
            Request(t.unit, questions_prompt(t.schema, t.style, t.subject, model.questions), 1, "questions")
            for t in turns
        ]
        answers = self._asked.ask(wanted, self._decoding("questions", model.temperature))
        questions = {
            digest("question", turn.main.name, question): (turn, question)
            for turn in turns for question in questions_in(answers[turn.unit], model.questions)
        }  # fmt: skip
        codes, sqls = (
            self._asked.ask(
                [Request(key, make(turn.schema, question), 1, tag) for key, (turn, question) in questions.items()],
                self._decoding(tag, 0.0),
            )
            for tag, make in (("polars", code_prompt), ("duckdb", sql_prompt))
        )
        for turn in turns:
            self._answers[turn.unit] = []
        for key, (turn, question) in questions.items():
            code, sql = extract_code(codes[key], "polars"), extract_code(sqls[key], "duckdb").rstrip("; \n")
            self._answers[turn.unit].append(Answers(key, question, code, sql))

    def _decoding(self, tag: str, temperature: float) -> Decoding:
        seed = int(digest(str(self.settings.seed), tag), 16) % 2**31
        return Decoding(temperature, 0.95, self.model.max_new_tokens, seed)


class _Judge:
    """Runs the answers of one turn on its data sets: the real rows first, then samples of them."""

    def __init__(self, route: ModelRoute, turn: Turn) -> None:
        self.turn, self.settings = turn, route.settings
        self._polars, self._duckdb = route._polars, route._duckdb
        names = [turn.main.name, *([turn.link.right] if turn.link else [])]
        most = route.model.rows
        whole = {name: route.profiles[name].table for name in names}
        whole = {name: Table(table.columns, table.rows[:most]) for name, table in whole.items()}
        on = (turn.link.left_column, turn.link.right_column) if turn.link else None
        self._samples = Samples(whole, on, route.settings.problem_rows, route.settings.data_sets + 1, turn.unit)
        self.inputs: list[Tables] = [whole, *(one.tables for one in self._samples.sets)]
        rng = random.Random(turn.unit)
        self.reordered = [shuffled(tables, rng) for tables in self.inputs]
        self.files = [route.profiles[name].file for name in names]

    def __enter__(self) -> _Judge:
        return self

    def __exit__(self, *error: object) -> None:
        self._samples.close()

    def pair(self, one: Answers) -> Pair:
        """Return a pair that holds. Raises RefusedError."""
        broken = broken_rule(one.code, self.inputs[0])
        if broken is not None:
            raise RefusedError("invalid", f"the code breaks a rule: {broken}")
        found = self._run(self._polars.execute(one.code, self.inputs, LIMITS), "the code")
        expected = self._run(self._duckdb.execute(one.sql, self.reordered, LIMITS), "the SQL")
        order = order_of(one.sql, expected[0])
        if any(compare_tables(a, b, order, match_names=False) for a, b in zip(found, expected, strict=True)):
            raise RefusedError("invalid", "the code and the SQL disagree")
        telling = self._telling(one.code, expected[0])
        tests = self._tests(expected, order)
        names = list(self.inputs[0])
        pair_id = digest("nl_to_polars", *names, one.code)
        about = {
            "tables": names, "files": self.files, "style": self.turn.style, "subject": self.turn.subject, "columns": [],
            "route": "model", "question_id": one.question_id, "duckdb": one.sql, "pandas": None,
            "without_pandas": "the model is asked for none", "answer": preview(expected[0]),
            "score": score(len(constructs(one.code, "polars")), 2, telling),
        }  # fmt: skip
        return Pair(
            pair_id, self.turn.subject, one.question, one.code, "polars", about, self._problem(pair_id, one, tests)
        )

    def _run(self, execution: Execution, what: str) -> Sequence[Table]:
        if execution.outcome is not Outcome.PASSED:
            raise RefusedError("invalid", f"{what} does not run: {execution.outcome.value}")
        return execution.results

    def _telling(self, code: str, answer: Table) -> float:
        """Return the share of cuts without which the answer is another one. Raises RefusedError where one changes
        nothing, or the answer says nothing."""
        if not answer.rows or all(cell is None for row in answer.rows for cell in row):
            raise RefusedError("vacuous", "the answer is empty")
        if len(answer.rows) > MOST_ROWS:
            raise RefusedError("vacuous", "the answer is too large to be read")
        if any(compare_tables(table, answer) is None for table in self.inputs[0].values()):
            raise RefusedError("vacuous", "the answer has all rows of the table")
        for other in without_cuts(code):
            result = self._polars.execute(other, self.inputs[:1], LIMITS)
            if result.results and compare_tables(result.results[0], answer, match_names=False) is None:
                raise RefusedError("vacuous", "the answer stays the same without one of the conditions or the cut")
        return 1.0

    def _tests(self, expected: Sequence[Table], order: Sequence[str]) -> tuple[TestCase, ...]:
        """Return tests on the samples whose answers are not empty; none where they could be passed without reading
        the tables."""
        kept = [(t, e) for t, e in zip(self.inputs[1:], expected[1:], strict=True) if e.rows][: self.settings.data_sets]
        tests = tuple(
            TestCase(tables, answer, tuple(answer.names[e] for e in _positions(expected[0], order)), hidden=i > 0,
                     match_names=False)
            for i, (tables, answer) in enumerate(kept)
        )  # fmt: skip
        return tests if len(tests) >= 2 and trivial_answer(tests) is None else ()

    def _problem(self, pair_id: str, one: Answers, tests: tuple[TestCase, ...]) -> Problem | None:
        if not tests:
            return None
        first, *others = self.inputs[0]
        given = f"The table is {first}, in Python also df." + "".join(f" There is also {name}." for name in others)
        return Problem(
            f"np-{pair_id}", f"{one.question}\n{given} {ORDER_OF_COLUMNS}", tests, f"{first} {self.turn.subject}",
            "nl_to_polars", licence=self.settings.licence, difficulty=len(constructs(one.code, "polars")),
            references={"polars": one.code, "duckdb": one.sql},
        )  # fmt: skip


def _positions(table: Table, names: Sequence[str]) -> list[int]:
    return [table.names.index(name) for name in names]


def order_of(sql: str, answer: Table) -> tuple[str, ...]:
    """Return the columns by which the SQL orders its answer, up to the first key that the answer does not show."""
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError):
        return ()
    order = tree.args.get("order") if isinstance(tree, exp.Query) else None
    shown = {name.casefold(): name for name in answer.names}
    found: list[str] = []
    for key in order.expressions if order else ():
        of = key.this
        if isinstance(of, exp.Literal) and of.is_int and 1 <= int(of.this) <= len(answer.names):
            found.append(answer.names[int(of.this) - 1])
        elif isinstance(of, exp.Column) and of.name.casefold() in shown:
            found.append(shown[of.name.casefold()])
        else:
            break
    return tuple(found)


def without_cuts(code: str) -> list[str]:
    """Return the code without one of its filters and cuts, for each of them."""
    tree = ast.parse(code.strip(), mode="eval")
    places = [node for node in ast.walk(tree) if _is_cut(node)]
    return [
        ast.unparse(_Without(place).visit(ast.parse(ast.unparse(tree), mode="eval"))) for place in range(len(places))
    ]


def _is_cut(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CUTS


class _Without(ast.NodeTransformer):
    """Leaves out the call with this number, counted as the tree is visited."""

    def __init__(self, number: int) -> None:
        self.number, self.seen = number, 0

    def visit_Call(self, node: ast.Call) -> ast.AST:
        mine = False
        if _is_cut(node):
            mine = self.seen == self.number
            self.seen += 1
        visited = self.generic_visit(node)
        if mine and isinstance(visited, ast.Call) and isinstance(visited.func, ast.Attribute):
            return visited.func.value
        return visited
