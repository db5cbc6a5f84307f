"""From a proved candidate to the pair and the problem that are written."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass

from bootstrap.generate.base import Pair
from bootstrap.generate.sql_to_ibis.expansion import Candidate
from bootstrap.generate.sql_to_ibis.input_dialects import Said
from bootstrap.records import Problem, digest
from interpreters.base import TestCase

TITLES = {
    "duckdb": "DuckDB", "postgres": "PostgreSQL", "sqlite": "SQLite", "mysql": "MySQL", "bigquery": "BigQuery",
    "snowflake": "Snowflake", "clickhouse": "ClickHouse", "trino": "Trino", "databricks": "Databricks",
    "oracle": "Oracle", "druid": "Druid", "exasol": "Exasol", "hive": "Hive", "tsql": "SQL Server", "spark": "Spark",
    "singlestore": "SingleStore",
}  # fmt: skip
_INSTRUCTIONS = (
    "Translate this {title} query.",
    "Give the same result as this {title} query.",
    "Here is a query in the SQL of {title}. Say the same.",
)
"""They leave the language to the prompt: the problem may be put to a model that learns another one than Ibis."""


@dataclass(frozen=True)
class Origin:
    """Where a pair comes from: template, composition, mined or given; its domain or file; the version of Ibis."""

    kind: str
    place: str
    ibis_version: str
    licence: str


def make_pair(candidate: Candidate, tests: tuple[TestCase, ...], said: Said, origin: Origin) -> Pair:
    """Return the pair. It is another one where the text of the query is another one, line breaks aside."""
    pair_id = f"si-{digest(said.dialect, ' '.join(said.text.split()))}"
    tables = {
        name: {column.name: column.type.value for column in table.columns} for name, table in tests[0].tables.items()
    }
    data = {
        "task": "translate", "dialect": said.dialect, "dialect_refused": said.refused, "sql": candidate.sql,
        "kind": origin.kind, "domain": origin.place, "features": list(candidate.features),
        "difficulty": candidate.difficulty, "params": dict(candidate.params), "tables": tables,
        "ibis_version": origin.ibis_version, "ordered": any(test.ties for test in tests),
    }  # fmt: skip
    problem = Problem(
        problem_id=pair_id,
        statement=statement_of(said, pair_id),
        tests=tests,
        family=f"si-{shape_of(candidate.ibis, tables)}",
        source="sql_to_ibis",
        licence=origin.licence,
        difficulty=candidate.difficulty,
        references={"duckdb": candidate.sql, "ibis": candidate.ibis},
    )
    return Pair(pair_id, candidate.group, said.text, candidate.ibis, "ibis", data, problem)


def statement_of(said: Said, pair_id: str) -> str:
    instruction = _INSTRUCTIONS[int(pair_id[-2:], 16) % len(_INSTRUCTIONS)]
    return f"{instruction.format(title=TITLES[said.dialect])}\n\n{said.text}"


def shape_of(code: str, tables: Collection[str]) -> str:
    """Return a digest of code without its names and constants: the same query over another schema has the same, and
    the two belong to the same part of a split."""
    tree = ast.parse(code)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
        elif isinstance(node, ast.Name) and node.id in tables:
            node.id = "table"
        elif isinstance(node, ast.Attribute) and id(node) not in called:
            node.attr = "column"
        elif isinstance(node, ast.keyword) and node.arg:
            node.arg = "name"
    return digest(ast.dump(tree))
