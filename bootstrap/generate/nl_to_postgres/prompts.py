"""What a model is asked: a Jinja template per phase, and what it may say about the masked copy."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from bootstrap.errors import UserError
from bootstrap.generate.nl_to_postgres.answers import Proposed
from bootstrap.generate.nl_to_postgres.functions import FUNCTIONS
from bootstrap.generate.nl_to_postgres.render import quoted
from bootstrap.generate.nl_to_postgres.schema import DatabaseCopy, Relation, TableInfo
from bootstrap.generate.nl_to_postgres.settings import Settings
from interpreters.base import Table

TEMPLATES = Path(__file__).with_name("templates")
SAMPLE_ROWS = 3
MOST_TABLES = 12  # in a prompt
BUILTINS = sorted({function.name or name for name, function in FUNCTIONS.items() if name.isidentifier()})


class Prompts:
    """The templates of the settings. Raises UserError for one that is not there or is no template."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,
        )  # fmt: skip
        self._own = {
            name: self._read(Path(phase.prompt_template), name)
            for name, phase in settings.phases.items() if phase.prompt_template
        }  # fmt: skip

    def _read(self, path: Path, phase: str) -> jinja2.Template:
        try:
            return self._environment.from_string(path.read_text(encoding="utf-8"))
        except (OSError, jinja2.TemplateError) as error:
            raise UserError(f"phases.{phase}.prompt_template: {path}: {error}") from error

    def question(self, phase: str, number: int, copy: DatabaseCopy, rng: random.Random) -> str:
        """Return the request for pairs number `number` of a phase. Raises UserError for a template's parameter that is
        not bound."""
        config = self.settings.phases[phase]
        tables = self._tables(phase, copy, rng)
        values = {
            "count": config.api_answer_count, "function": BUILTINS[number % len(BUILTINS)], "number": number,
            "database": copy.name, "schema": schema_words(copy, tables, config.use_sample_rows),
            "relationships": [str(r) for r in relations_among(copy, tables)], "tables": tables,
        }  # fmt: skip
        template = self._own.get(phase) or self._environment.get_template(f"{phase}.jinja")
        return self._rendered(template, phase, values)

    def _rendered(self, template: jinja2.Template, phase: str, values: dict[str, Any]) -> str:
        try:
            return template.render(values)
        except jinja2.TemplateError as error:
            known = ", ".join(values)
            raise UserError(f"the template of phase {phase}: {error}; it may use: {known}") from error

    def _tables(self, phase: str, copy: DatabaseCopy, rng: random.Random) -> list[str]:
        """Return the tables that a request is about."""
        filled = [name for name, table in copy.rows.items() if table.rows]
        if phase == "schema_docs" or not filled:
            return []
        if phase in ("builtins", "single_table", "sample_data"):
            return [rng.choice(filled)]
        chosen = [rng.choice(filled)]
        wanted = {"schema_relationship": 2, "joins": 4}.get(phase, MOST_TABLES)
        for _ in range(wanted):
            near = [t for r in copy.relations if {r.child, r.parent} & set(chosen) for t in (r.child, r.parent)]
            new = sorted({table for table in near if table not in chosen and table in filled})
            if new and len(chosen) < wanted:
                chosen.append(rng.choice(new))
        return chosen

    def critic(self, phase: str, copy: DatabaseCopy, proposed: Proposed, answer: Table) -> str:
        rows = [" | ".join(map(str, row)) for row in answer.rows[:SAMPLE_ROWS]]
        values = {
            "schema": self._whole(phase, copy), "question": proposed.question, "sql": proposed.sql, "rows": rows,
            "columns": list(answer.names), "height": len(answer.rows),
        }  # fmt: skip
        return self._rendered(self._environment.get_template("critic.jinja"), "critic", values)

    def solver(self, phase: str, copy: DatabaseCopy, question: str) -> str:
        values = {"schema": self._whole(phase, copy), "question": question}
        return self._rendered(self._environment.get_template("solver.jinja"), "solver", values)

    def _whole(self, phase: str, copy: DatabaseCopy) -> str:
        return schema_words(copy, [] if phase == "schema_docs" else list(copy.tables), False)


def relations_among(copy: DatabaseCopy, tables: Sequence[str]) -> list[Relation]:
    return [r for r in copy.relations if r.child in tables and r.parent in tables]


def schema_words(copy: DatabaseCopy, tables: Sequence[str], with_rows: bool) -> str:
    """Return tables as DDL with comments, relationships and some masked rows; without tables, the catalogue's views."""
    if not tables:
        parts = []
        for name, table in copy.catalogue.items():
            columns = ", ".join(f"{column.name} {column.type.value}" for column in table.columns)
            parts.append(f"VIEW information_schema.{name} ({columns})")
        schemas = sorted({str(row[0]) for row in copy.catalogue["tables"].rows}) if copy.catalogue else []
        names = [f"{row[0]!s}.{row[1]!s}" for row in copy.catalogue["tables"].rows] if copy.catalogue else []
        return "\n".join([*parts, f"Schemas: {', '.join(schemas)}", f"Tables: {', '.join(names)}"])
    blocks = [_table_words(copy, copy.tables[name], with_rows) for name in tables]
    links = [f"-- {relation}" for relation in relations_among(copy, tables)]
    return "\n\n".join([*blocks, *(["-- Relationships:\n" + "\n".join(links)] if links else [])])


def _table_words(copy: DatabaseCopy, table: TableInfo, with_rows: bool) -> str:
    lines = []
    for index, column in enumerate(table.columns):
        comma = "," if index < len(table.columns) - 1 else ""
        comment = f"  -- {column.comment}" if column.comment else ""
        lines.append(
            f"  {quoted(column.name)} {column.sql_type}{'' if column.nullable else ' NOT NULL'}{comma}{comment}"
        )
    about = f"  -- {table.comment}" if table.comment else ""
    text = f"CREATE TABLE {quoted(table.name)} ({about}\n" + "\n".join(lines) + "\n);"
    rows = copy.rows[table.name].rows[:SAMPLE_ROWS] if with_rows else ()
    return "\n".join([text, *(f"-- row: {' | '.join(map(str, row))}" for row in rows)])
