"""`nl_to_postgres`: questions in words, PostgreSQL that answers them, and the answers, over masked copies of databases.

    python -m bootstrap.generate nl_to_postgres --config configs/generate/nl_to_postgres.yaml --out outputs/questions

Seven phases: one function each (builtins), the schema (schema_docs), rows known by a value (sample_data), how tables
hang together (schema_relationship), one table, joins of three and more, and complex ones. Without a model a grammar
writes them; with one, its questions are kept where a second solver, which sees the question alone, gets the same.
Besides the outputs of every generator: triples.jsonl (question, SQL, answer), schemas.json (what the copies hold) and
coverage.json (difficulty; functions, clauses and tables used).
"""

from __future__ import annotations

import itertools
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from bootstrap.errors import UserError
from bootstrap.files import write_json, write_jsonl
from bootstrap.generate.base import Pair, Refusal, UnitResult
from bootstrap.generate.nl_to_postgres.settings import PHASES
from bootstrap.generate.nl_to_postgres.settings import Settings as _Settings

if TYPE_CHECKING:
    from bootstrap.generate.nl_to_postgres.ask import Asker
    from bootstrap.generate.nl_to_postgres.inputs import Input
    from bootstrap.generate.nl_to_postgres.live import Live
    from bootstrap.generate.nl_to_postgres.prove import Prover
    from bootstrap.generate.nl_to_postgres.schema import DatabaseCopy
    from interpreters.base import Interpreter

UNIT = 20
"""Pairs of one unit of work."""
OPEN = 4
"""Databases that stay open, of those that are loaded into servers of this program."""
UNREACHED = "not reached"


class NlToPostgres:
    Settings: ClassVar[type[_Settings]] = _Settings
    title: ClassVar[str] = "Questions about databases, PostgreSQL that answers them, and the answers"

    def __init__(self, settings: _Settings, folder: Path) -> None:
        from bootstrap.generate.nl_to_postgres.inputs import inputs_of

        self.settings, self.folder = settings, folder
        self.processes = settings.model is None
        self._inputs: dict[str, Input] = {given.name: given for given in inputs_of(settings)}
        self._failed: dict[str, str] = {}
        self._interpreter: Interpreter | None = None
        self._asker: Asker | None = None
        self._provers: dict[str, Prover] = {}
        self._live: dict[str, Live] = {}

    @property
    def licence(self) -> str:
        found = {"Apache-2.0" if given.config.demo else given.config.licence for given in self._inputs.values()}
        return " and ".join(sorted(found))

    # -- units ----------------------------------------------------------------------------------------------------

    def units(self) -> Sequence[str]:
        """Make the copies that are not there yet, and return the units: all databases and phases in turn."""
        from bootstrap.generate.nl_to_postgres.snapshot import key_of, make_copy

        key_of(self.settings)
        self._failed = {
            name: reason for name, given in self._inputs.items()
            if (reason := make_copy(given, self.settings, self.folder))
        }  # fmt: skip
        if len(self._failed) == len(self._inputs):
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self._failed.items())
            raise UserError(f"databases: none can be read. {reasons}")
        found = [f"{name}/{UNREACHED}" for name in self._failed]
        good = [name for name in self._inputs if name not in self._failed]
        for number in itertools.count():
            round_ = [unit for name in good for phase in PHASES for unit in self._units_of(name, phase, number)]
            if not round_:
                return found
            found += round_
        raise AssertionError("rounds end")

    def _units_of(self, name: str, phase: str, number: int) -> list[str]:
        """Return the units number `number` of a phase: at most one without a model and one with."""
        config = self.settings.phases.get(phase)
        if config is None:
            return []
        units = [f"{name}/{phase}/{number}"] if number < math.ceil(config.count / UNIT) else []
        asked = math.ceil(config.model_count / config.api_answer_count)
        return [*units, *([f"{name}/{phase}/model/{number}"] if number < asked else [])]

    # -- work -----------------------------------------------------------------------------------------------------

    def work(self, unit: str) -> UnitResult:
        """Return the pairs of one unit. Raises EngineError, InterpreterError."""
        from bootstrap.generate.nl_to_postgres.grammar import make_pairs

        name, phase, *rest = unit.split("/")
        given = self._inputs[name]
        if phase == UNREACHED:
            reason = f"database {name} is left out: {self._failed.get(name, UNREACHED)}"
            return UnitResult(unit, (), [Refusal(phase, "invalid", reason)], [reason])
        prover = self._prover(name)
        licence = "Apache-2.0" if given.config.demo else given.config.licence
        live = self._opened(given)
        if rest[0] == "model":
            made = self._ask().make_pairs(unit, phase, int(rest[1]), prover, live, licence)
        else:
            wanted = min(UNIT, self.settings.phases[phase].count - UNIT * int(rest[0]))
            made = make_pairs(unit, phase, wanted, prover, live, licence)
        self._leave(given, live)
        about = prover.copy.notes if rest[-1] == "0" else ()  # once for a phase is enough
        return replace(made, notes=[*about, *made.notes])

    def _prover(self, name: str) -> Prover:
        from bootstrap.generate.nl_to_postgres.masking import Search
        from bootstrap.generate.nl_to_postgres.prove import Prover
        from bootstrap.generate.nl_to_postgres.snapshot import key_of, load_copy
        from interpreters.postgres.binaries import find_binaries
        from interpreters.postgres_sql import PostgresSql

        interpreter = self._interpreter
        if interpreter is None:  # never on a server that the environment names: copies belong on one of our own
            kind = find_binaries(None, os.environ).kind
            interpreter = self._interpreter = cast("Interpreter", PostgresSql(server=kind))
        if name not in self._provers:
            copy = load_copy(self.folder, name)
            search = Search(key_of(self.settings), copy.marks)
            self._provers[name] = Prover(copy, self.settings, interpreter, search)
        return self._provers[name]

    def _opened(self, given: Input) -> Live:
        """Return the database itself, open. Servers of this program stay open, a few of them."""
        from bootstrap.generate.nl_to_postgres.live import Live

        live = self._live.pop(given.name, None) or Live(given, self.settings, self.folder)
        if len(self._live) >= OPEN:
            self._live.pop(next(iter(self._live))).close()
        self._live[given.name] = live
        return live

    def _leave(self, given: Input, live: Live) -> None:
        """Give a session of somebody else's server back, for which other processes may wait; one that has gone away is
        remembered, so that it is waited for once."""
        if given.external and not live.gone:
            self._live.pop(given.name).close()

    def _ask(self) -> Asker:
        from bootstrap.generate.nl_to_postgres.ask import Asker

        if self._asker is None:
            self._asker = Asker(self.settings)
        return self._asker

    # -- outputs --------------------------------------------------------------------------------------------------

    def write(self, pairs: Sequence[Pair], folder: Path) -> None:
        from bootstrap.generate.nl_to_postgres.snapshot import load_copy

        write_jsonl(folder / "triples.jsonl", (
            {"id": pair.pair_id, "database": pair.data["database"], "phase": pair.group, "question": pair.question,
             "sql": pair.code, "answer": pair.data["answer"], "rows": pair.data["rows"]}
            for pair in pairs
        ))  # fmt: skip
        good = [name for name in self._inputs if name not in self._failed]
        write_json(folder / "schemas.json", {name: described(load_copy(folder, name)) for name in good})
        write_json(folder / "coverage.json", coverage(pairs))

    def close(self) -> None:
        lives, self._live = list(self._live.values()), {}
        interpreter, self._interpreter = self._interpreter, None
        asker, self._asker = self._asker, None
        for one in (*lives, interpreter, asker):
            if one is not None:
                one.close()
        self._provers.clear()


SAMPLES = 3


def described(copy: DatabaseCopy) -> dict[str, Any]:
    """Return what a copy holds: tables, columns, keys, statistics, sample values, relationships, notes."""
    tables = {}
    for name, table in copy.tables.items():
        cells = copy.rows[name].rows
        columns = [
            {"name": column.name, "type": column.sql_type, "nullable": column.nullable, "comment": column.comment,
             "masked": column.personal, "distinct": column.distinct, "nulls": column.nulls,
             "samples": list(dict.fromkeys(str(row[i]) for row in cells if row[i] is not None))[:SAMPLES]}
            for i, column in enumerate(table.columns)
        ]  # fmt: skip
        tables[name] = {
            "schema": table.live[0], "table": table.live[1], "comment": table.comment, "rows": table.height,
            "rows_in_copy": len(cells), "primary_key": list(table.primary_key), "columns": columns,
        }  # fmt: skip
    relations = [{"relationship": str(r), "declared": r.declared, "score": r.score} for r in copy.relations]
    return {"tables": tables, "relationships": relations, "notes": list(copy.notes)}


def coverage(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Return how often each function, clause and table is used, and how difficult the pairs are, by phase."""
    counts: dict[str, Counter[str]] = {key: Counter() for key in ("functions", "clauses", "tables", "shapes")}
    difficulty: dict[str, Counter[str]] = {}
    for pair in pairs:
        data: Mapping[str, Any] = pair.data
        counts["functions"].update(data["functions"])
        counts["clauses"].update(data["clauses"])
        counts["tables"].update(f"{data['database']}.{table}" for table in data["tables"])
        counts["shapes"][data["shape"]] += 1
        difficulty.setdefault(pair.group, Counter())[str(data["difficulty"])] += 1
    told: dict[str, Any] = {key: dict(counter.most_common()) for key, counter in counts.items()}
    return {**told, "difficulty": {phase: dict(sorted(counter.items())) for phase, counter in difficulty.items()}}
