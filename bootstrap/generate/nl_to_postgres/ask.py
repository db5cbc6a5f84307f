"""The route with a model: it writes questions with SQL, a critic scores them, and a second solver must get the same.

The SQL that a model writes runs in the sandboxed interpreter alone, over the masked copy. The solver is told the
question and the schema, not the SQL; its result must be that of the first SQL, on the copy and on every data set. What
was asked is kept by the engine's store, so that a killed generation asks nothing twice.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from bootstrap.admission import trivial_answer
from bootstrap.code_metrics import constructs
from bootstrap.config import PromptConfig
from bootstrap.engines import REMOTE, load_engine
from bootstrap.engines.base import Decoding, Engine, Request
from bootstrap.errors import UserError
from bootstrap.generate.base import Kind, Pair, UnitResult
from bootstrap.generate.nl_to_postgres.answers import Proposed, read_pairs, read_score, without_catalogue
from bootstrap.generate.nl_to_postgres.live import Live
from bootstrap.generate.nl_to_postgres.model_sets import agreed_sets
from bootstrap.generate.nl_to_postgres.prompts import Prompts
from bootstrap.generate.nl_to_postgres.prove import LANGUAGE, Prover, bounded
from bootstrap.generate.nl_to_postgres.settings import Settings
from bootstrap.prompts import extract_code
from bootstrap.records import Problem, digest
from interpreters.base import Limits, Outcome, Table, TestCase
from interpreters.compare import compare_tables

LIMITS = Limits(seconds=10.0)


@dataclass
class _Case:
    """One proposed pair on its way; `sets` are data sets with their answers."""

    name: str
    proposed: Proposed
    code: str
    answer: Table | None = None
    solution: str = ""
    score: float | None = None
    sets: Sequence[tuple[Mapping[str, Table], Table]] = ()
    kind: Kind = "invalid"
    reason: str = ""

    def refuse(self, kind: Kind, reason: str) -> None:
        self.kind, self.reason = kind, self.reason or reason


class Asker:
    """The engines, opened once."""

    def __init__(self, settings: Settings) -> None:
        if settings.model is None:
            raise UserError("model: the settings name none")
        self.settings, self.config = settings, settings.model
        self._writer = self._loaded(self.config.model, self.config.engine)
        solver, engine = self.config.solver, self.config.solver_engine
        same = solver is None and engine is None
        self._solver = self._writer if same else self._loaded(solver or self.config.model, engine or self.config.engine)
        self.prompts = Prompts(settings)

    @staticmethod
    def _loaded(model: str, config: object) -> Engine:
        from bootstrap.engine_config import EngineConfig

        assert isinstance(config, EngineConfig)
        if config.name in REMOTE and not config.store:
            raise UserError("model.engine.store: name a file, so that a killed generation asks nothing twice")
        return load_engine(model, config, PromptConfig(style="instruct", chat=True))

    def close(self) -> None:
        self._writer.close()
        if self._solver is not self._writer:
            self._solver.close()

    # -- requests -------------------------------------------------------------------------------------------------

    def _answers(self, engine: Engine, prompts: Mapping[str, str], tag: str, temperature: float) -> dict[str, str]:
        """Return the answers of one kind of request by name. Raises EngineError."""
        seed = int(digest(str(self.settings.seed), tag, *prompts), 16) % 2**31
        requests = [Request(name, prompt, 1, tag) for name, prompt in prompts.items()]
        decoding = Decoding(temperature, 0.95, self.config.max_new_tokens, seed)
        return {one.problem_id: one.text for one in engine.generate(requests, decoding)} if requests else {}

    def make_pairs(self, unit: str, phase: str, number: int, prover: Prover, live: Live, licence: str) -> UnitResult:
        """Return what one request for pairs gives. Raises EngineError, InterpreterError."""
        rng = random.Random(f"{self.settings.seed}:{unit}")
        prompt = self.prompts.question(phase, number, prover.copy, rng)
        text = self._answers(self._writer, {unit: prompt}, "question", self.config.temperature)[unit]
        proposed = read_pairs(text)
        refusals = [] if proposed else [prover.refusal(phase, "invalid", "the answer holds no pair", text[:300])]
        tables = prover.copy.catalogue if phase == "schema_docs" else prover.copy.rows
        cases = [
            _Case(f"{unit}#{i}", one, without_catalogue(one.sql) if phase == "schema_docs" else one.sql)
            for i, one in enumerate(proposed[: self.settings.phases[phase].api_answer_count])
        ]
        for case in cases:
            self._run(case, prover, tables)
        self._criticise(cases, phase, prover)
        self._solve(cases, phase, prover, tables, rng)
        for case in (case for case in cases if not case.reason):
            self._finish(case, phase, prover, live)
        refusals += [
            prover.refusal(phase, case.kind, case.reason, f"{case.proposed.question}\n{case.proposed.sql}")
            for case in cases if case.reason
        ]  # fmt: skip
        made = [self._pair(case, phase, prover, licence) for case in cases if not case.reason]
        pairs = {pair.pair_id: pair for pair in made}
        notes = [f"{prover.copy.name}: {live.gone}, so its pairs are proved on the copy alone"] if live.gone else []
        return UnitResult(unit, list(pairs.values()), refusals, notes)

    # -- gates ----------------------------------------------------------------------------------------------------

    def _result(self, code: str, prover: Prover, tables: Mapping[str, Table]) -> tuple[Table | None, str]:
        execution = prover.interpreter.execute(code, [tables], LIMITS)
        if execution.outcome is not Outcome.PASSED:
            return None, f"{execution.outcome.value} {' '.join(execution.message.split())[:80]}"
        return execution.results[0], ""

    def _run(self, case: _Case, prover: Prover, tables: Mapping[str, Table]) -> None:
        case.answer, reason = self._result(case.code, prover, tables)
        if reason:
            case.refuse("invalid", f"the SQL does not run: {reason}")
            return
        assert case.answer is not None
        if not case.answer.rows or all(value is None for row in case.answer.rows for value in row):
            case.refuse("vacuous", "the answer has no rows, or nothing but NULL")
        elif any(
            compare_tables(case.answer, Table(table.columns, table.rows), match_names=False) is None
            for table in tables.values()
        ):
            case.refuse("vacuous", "the answer is a whole table")

    def _criticise(self, cases: Sequence[_Case], phase: str, prover: Prover) -> None:
        going = [case for case in cases if not case.reason]
        if not self.config.critic or not going:
            return
        prompts = {
            case.name: self.prompts.critic(phase, prover.copy, case.proposed, case.answer)
            for case in going
            if case.answer
        }
        answers = self._answers(self._writer, prompts, "critic", 0.0)
        for case in going:
            case.score = read_score(answers[case.name])
            if case.score is None:
                case.refuse("invalid", "the critic gives no score")
            elif case.score < self.config.threshold:
                case.refuse("invalid", f"the critic's score is below {self.config.threshold}")

    def _solve(
        self, cases: Sequence[_Case], phase: str, prover: Prover, tables: Mapping[str, Table], rng: random.Random
    ) -> None:
        going = [case for case in cases if not case.reason]
        prompts = {case.name: self.prompts.solver(phase, prover.copy, case.proposed.question) for case in going}
        answers = self._answers(self._solver, prompts, "solver", 0.0)
        for case in going:
            code = extract_code(answers[case.name], LANGUAGE).strip().rstrip(";")
            case.solution = without_catalogue(code) if phase == "schema_docs" else code
            other, reason = self._result(case.solution, prover, tables)
            if other is None or case.answer is None:
                case.refuse("invalid", f"the second solver's SQL does not run: {reason}")
                continue
            difference = compare_tables(other, case.answer, ties=_order(case.code, case.answer), match_names=False)
            if difference is not None:
                case.refuse("invalid", f"the second solver gets another result: {difference[:80]}")
                continue
            case.sets, reason = agreed_sets(
                case.code, case.solution, tables, self.settings, prover.interpreter, LIMITS, rng
            )
            if reason:
                case.refuse("invalid", reason)

    def _finish(self, case: _Case, phase: str, prover: Prover, live: Live) -> None:
        """Let the database explain the SQL, and look for what may not be shown."""
        names_fit = all(table.live[1] == name for name, table in prover.copy.tables.items())
        if phase != "schema_docs" and names_fit:
            refused = live.explains_with_path(case.code, sorted({t.live[0] for t in prover.copy.tables.values()}))
            if refused:
                case.refuse("invalid", f"EXPLAIN refuses it: {refused[:80]}")
        assert case.answer is not None
        tables = [
            case.answer,
            *(answer for _, answer in case.sets),
            *(t for made, _ in case.sets for t in made.values()),
        ]
        if prover.shows_personal([case.proposed.question, case.proposed.sql], tables):
            case.refuse("invalid", "it would show a value of a personal column")

    # -- pairs ----------------------------------------------------------------------------------------------------

    def _pair(self, case: _Case, phase: str, prover: Prover, licence: str) -> Pair:
        assert case.answer is not None
        tree = sqlglot.parse_one(case.code, read="postgres")
        ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
        tables = sorted({table.name for table in tree.find_all(exp.Table)} - ctes)
        used = constructs(case.code, LANGUAGE)
        functions = sorted({node.sql_name().lower() for node in tree.find_all(exp.Func)})
        name = f"pg-{digest(prover.copy.name, case.code)}"
        difficulty = max(1, len(list(tree.find_all(exp.Select, exp.Join, exp.Where, exp.Group, exp.Window, exp.Order))))
        data = {
            "database": prover.copy.name, "phase": phase, "shape": "model", "tables": tables, "functions": functions,
            "clauses": used, "difficulty": difficulty, "ordered": bool(_order(case.code, case.answer)),
            "score": case.score, "solution": case.solution, "rows": len(case.answer.rows),
            "answer": bounded(case.answer, self.settings.answer_rows),
        }  # fmt: skip
        problem = self._problem(case, name, prover, licence, difficulty)
        return Pair(name, phase, case.proposed.question, case.proposed.sql, LANGUAGE, data, problem)

    def _problem(self, case: _Case, name: str, prover: Prover, licence: str, difficulty: int) -> Problem | None:
        visible = (len(case.sets) + 1) // 2
        tests = tuple(
            TestCase(tables, answer, hidden=index >= visible, match_names=False, ties=_order(case.code, answer))
            for index, (tables, answer) in enumerate(case.sets)
        )
        if len(tests) < 2 or trivial_answer(tests):
            return None
        return Problem(
            name, case.proposed.question, tests, f"{prover.copy.name}:model", "nl_to_postgres", "table", licence,
            difficulty, {LANGUAGE: case.code},
        )  # fmt: skip


def _order(code: str, answer: Table) -> tuple[int, ...]:
    """Return ties for an answer: every row has its place where the query sorts, none where it does not."""
    tree = sqlglot.parse_one(code, read="postgres")
    return (1,) * len(answer.rows) if tree.args.get("order") else ()
