"""Drafts become pairs: PostgreSQL's answer must be that of the evaluation, on the copy and on every data set."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bootstrap.admission import trivial_answer
from bootstrap.audit.data_sets import variations
from bootstrap.code_metrics import constructs
from bootstrap.generate.base import Kind, Pair, Refusal
from bootstrap.generate.nl_to_postgres.data_sets import inputs_equal, sampled, weakened
from bootstrap.generate.nl_to_postgres.deck import Draft
from bootstrap.generate.nl_to_postgres.evaluate import Answer, Evaluation, TooLargeError
from bootstrap.generate.nl_to_postgres.forms import Agg, Call, Query, Win, queries_of, tables_of, walk
from bootstrap.generate.nl_to_postgres.functions import FUNCTIONS
from bootstrap.generate.nl_to_postgres.masking import Search
from bootstrap.generate.nl_to_postgres.render import render
from bootstrap.generate.nl_to_postgres.schema import DatabaseCopy
from bootstrap.generate.nl_to_postgres.settings import Settings
from bootstrap.records import Problem, digest
from interpreters.base import Execution, Interpreter, Job, Outcome, Table, TestCase
from interpreters.compare import compare_tables
from interpreters.wire import table_to_json

LANGUAGE = "postgres"
TRIES = 6  # samples drawn for each data set that is wanted


@dataclass
class Proof:
    """A draft on its way: `reason` says why it fell, `sets` are its data sets with the expected answers."""

    draft: Draft
    phase: str
    code: str
    expected: Answer | None = None
    answer: Table | None = None
    sets: list[tuple[dict[str, Table], Answer]] = field(default_factory=list)
    kind: Kind = "invalid"
    reason: str = ""

    def refuse(self, kind: Kind, reason: str) -> None:
        self.kind, self.reason = kind, self.reason or reason

    @property
    def sample(self) -> str:
        return f"{self.draft.question}\n{self.code}"


class Prover:
    """Proves drafts over one database's copy, or over its catalogue."""

    def __init__(self, copy: DatabaseCopy, settings: Settings, interpreter: Interpreter, search: Search) -> None:
        self.copy, self.settings, self.interpreter, self._search = copy, settings, interpreter, search

    def prove(self, drafts: Sequence[tuple[str, Draft]], tables: Mapping[str, Table], seed: str) -> list[Proof]:
        """Return what became of the drafts, each with its phase. Raises InterpreterError."""
        proofs = [Proof(draft, phase, render(draft.form)) for phase, draft in drafts]
        evaluation = Evaluation(tables)
        for proof in proofs:
            self._expect(proof, evaluation)
        self._ask(proofs, tables)
        going = [proof for proof in proofs if not proof.reason]
        for proof in going:
            rng = random.Random(f"{seed}:{proof.code}")
            proof.sets = self._sets(proof, tables, rng)
        self._ask_sets(going)
        for proof in proofs:
            if not proof.reason and self._shows_personal(proof):
                proof.refuse("invalid", "it would show a value of a personal column")
        return proofs

    # -- the copy -------------------------------------------------------------------------------------------------

    def _expect(self, proof: Proof, evaluation: Evaluation) -> None:
        """Work the answer out, and refuse what says nothing or leaves its answer open."""
        try:
            answer = evaluation.run(proof.draft.form)
        except TooLargeError:
            proof.refuse("invalid", "a join gives too many rows")
            return
        except (ArithmeticError, ValueError) as error:
            proof.refuse("invalid", f"not worked out: {type(error).__name__}")
            return
        proof.expected = answer
        vacuous = _vacuous(answer) or _unneeded(proof.draft, answer, evaluation)
        if answer.cut:
            proof.refuse("invalid", "the limit cuts through rows that tie")
        elif vacuous:
            proof.refuse("vacuous", vacuous)

    def _ask(self, proofs: Sequence[Proof], tables: Mapping[str, Table]) -> None:
        going = [proof for proof in proofs if not proof.reason]
        inputs = [tables]
        jobs: list[Job] = [(proof.code, inputs) for proof in going]
        for proof, execution in zip(going, self.interpreter.execute_trusted(jobs) if jobs else (), strict=True):
            if execution.outcome is not Outcome.PASSED or proof.expected is None:
                proof.refuse("invalid", f"PostgreSQL refuses it: {_short(execution)}")
                continue
            proof.answer = execution.results[0]
            difference = compare_tables(proof.answer, proof.expected.table, ties=proof.expected.ties, match_names=False)
            if difference is not None:
                proof.refuse("invalid", f"PostgreSQL and the evaluation disagree: {difference}")

    # -- data sets ------------------------------------------------------------------------------------------------

    def _sets(
        self, proof: Proof, tables: Mapping[str, Table], rng: random.Random
    ) -> list[tuple[dict[str, Table], Answer]]:
        """Return data sets on which the form's answer is worked out: samples first, then variations of them."""
        form, wanted = proof.draft.form, self.settings.data_sets
        if not tables_of(form):
            return []
        found: list[tuple[dict[str, Table], Answer]] = []
        for _ in range(TRIES * wanted):
            if len(found) >= (wanted + 1) // 2:
                break
            made = sampled(form, tables, self.settings.problem_rows, rng)
            self._take(form, made, found)
        if not found or proof.phase == "schema_docs":
            return found
        tests = [TestCase(made, answer.table) for made, answer in found]
        made_variations = variations(tests, [proof.code], f"{rng.random()}")
        for _ in range(TRIES * wanted):
            if len(found) >= wanted:
                break
            self._take(form, dict(next(made_variations).tables), found)
        return found

    @staticmethod
    def _take(form: Any, made: dict[str, Table], found: list[tuple[dict[str, Table], Answer]]) -> None:
        """Keep a data set with an answer that is not open and that no other one has."""
        try:
            answer = Evaluation(made).run(form)
        except (ArithmeticError, ValueError, TooLargeError):
            return
        if answer.cut or _vacuous(answer):
            return
        new = all(compare_tables(other.table, answer.table, match_names=False) is not None for _, other in found)
        if new and not any(inputs_equal(made, other) for other, _ in found):
            found.append((made, answer))

    def _ask_sets(self, proofs: Sequence[Proof]) -> None:
        """Let PostgreSQL answer on all data sets, and drop those on which it differs."""
        going = [proof for proof in proofs if proof.sets]
        jobs: list[Job] = [(proof.code, [tables for tables, _ in proof.sets]) for proof in going]
        for proof, execution in zip(going, self.interpreter.execute_trusted(jobs) if jobs else (), strict=True):
            kept = []
            for (tables, answer), result in zip(proof.sets, execution.results, strict=False):
                if compare_tables(result, answer.table, ties=answer.ties, match_names=False) is None:
                    kept.append((tables, Answer(result.names, result.rows, answer.ties)))
                else:
                    proof.refuse("invalid", "PostgreSQL and the evaluation disagree on a data set")
            proof.sets = kept

    def _shows_personal(self, proof: Proof) -> bool:
        assert proof.answer is not None
        answers = [proof.answer, *(answer.table for _, answer in proof.sets)]
        inputs = [table for made, _ in proof.sets for table in made.values()]
        return self.shows_personal([proof.draft.question, proof.code], [*answers, *inputs])

    def shows_personal(self, texts: Sequence[str], tables: Sequence[Table]) -> bool:
        """Say whether a value of a personal column is among these texts and cells."""
        cells = {str(value) for table in tables for row in table.rows for value in row if value is not None}
        return self._search.finds([*texts, *sorted(cells)])

    def refusal(self, phase: str, kind: Kind, reason: str, sample: str) -> Refusal:
        """Return a refusal, whose sample is left out where it shows a value of a personal column."""
        return Refusal(phase, kind, reason, "" if self._search.finds([sample]) else sample)

    # -- pairs ----------------------------------------------------------------------------------------------------

    def pair(self, proof: Proof, code: str, licence: str) -> Pair:
        """Return the pair of a proved draft. `code`: its SQL for the database itself."""
        assert proof.answer is not None and proof.expected is not None
        form = proof.draft.form
        data = {
            "database": self.copy.name, "phase": proof.phase, "shape": proof.draft.shape,
            "tables": tables_of(form), "functions": functions_in(form), "clauses": constructs(proof.code, LANGUAGE),
            "difficulty": difficulty(form), "ordered": bool(proof.expected.ties),
            "answer": bounded(proof.answer, self.settings.answer_rows), "rows": len(proof.answer.rows),
        }  # fmt: skip
        name = f"pg-{digest(self.copy.name, proof.code)}"
        problem = self._problem(proof, name, licence)
        return Pair(name, proof.phase, proof.draft.question, code, LANGUAGE, data, problem)

    def _problem(self, proof: Proof, name: str, licence: str) -> Problem | None:
        """Return the problem for the loop, where there are two data sets that trivial answers fail."""
        visible = (len(proof.sets) + 1) // 2
        tests = tuple(
            TestCase(tables, _typed(answer, proof.answer), hidden=index >= visible, match_names=False, ties=answer.ties)
            for index, (tables, answer) in enumerate(proof.sets)
        )
        if len(tests) < 2 or trivial_answer(tests):
            return None
        return Problem(
            name, proof.draft.question, tests, f"{self.copy.name}:{proof.draft.shape}", "nl_to_postgres", "table",
            licence, difficulty(proof.draft.form), {LANGUAGE: proof.code},
        )  # fmt: skip


def _typed(answer: Answer, like: Table | None) -> Table:
    """Return a data set's answer with the classes that PostgreSQL told of the columns."""
    assert like is not None
    return Table(like.columns, answer.rows)


def bounded(table: Table, rows: int) -> dict[str, Any]:
    return table_to_json(Table(table.columns, table.rows[:rows]))


def _short(execution: Execution) -> str:
    return f"{execution.outcome.value} {' '.join(execution.message.split())[:80]}"


def _vacuous(answer: Answer) -> str:
    """Return why an answer says nothing; in most cases nothing."""
    if not answer.rows:
        return "the answer has no rows"
    if all(value is None for row in answer.rows for value in row):
        return "the answer is NULL"
    if len(answer.rows) == 1 and all(value in (None, 0) for value in answer.rows[0]):
        return "the answer is 0"
    return ""


def _unneeded(draft: Draft, answer: Answer, evaluation: Evaluation) -> str:
    """Return which part of a form could be left out; in most cases nothing."""
    for part, weaker in weakened(draft.form):
        try:
            other = evaluation.run(weaker)
        except (TooLargeError, ValueError, ArithmeticError):
            continue
        if compare_tables(other.table, answer.table, match_names=False) is None:
            return f"{part} changes nothing"
    return ""


def functions_in(form: object) -> list[str]:
    """Return the functions and aggregates that a form uses."""
    found: set[str] = set()
    for query in queries_of(form):
        for node in walk(query):
            if isinstance(node, Call):
                found.add(FUNCTIONS[node.function].name or node.function)
            elif isinstance(node, Agg | Win):
                found.add(node.function)
    return sorted(found)


def difficulty(form: object) -> int:
    """Return the number of things that a form asks at once."""
    queries = list(queries_of(form))
    steps = len(queries) - 1
    for query in queries:
        assert isinstance(query, Query)
        steps += len(query.joins) + len(query.where) + len(query.having) + bool(query.group) + bool(query.order)
        steps += query.distinct + any(isinstance(node, Win) for node in walk(query.outputs))
        steps += any(isinstance(node, Call) for node in walk(query.outputs))
    return max(1, steps)
