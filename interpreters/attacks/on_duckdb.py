"""Attacks in DuckDB SQL: on the gate that lets one SELECT through, and on scripts, which may do more."""

from __future__ import annotations

from interpreters.attacks.effects import (
    KEPT,
    Attack,
    Effect,
    Language,
    carried_out,
    kept,
    nothing_special,
    other_rows,
    took_memory,
)

_SPLIT = f"'{KEPT[:5]}' || '{KEPT[5:]}'"


def _duckdb(
    number: int,
    name: str,
    code: str | tuple[str, ...],
    succeeded: Effect = nothing_special,
    on: Language = "duckdb",
) -> Attack:
    return Attack(number, name, on, code, succeeded)


_READERS = [
    "read_text('@secret')",
    "read_blob('@secret')",
    "read_csv('@secret', header=false)",
    "read_csv_auto('@secret')",
    "'@secret'",
    "read_json_auto('@secret')",
    "read_ndjson_objects('@secret')",
    "sniff_csv('@secret')",
    "glob('@folder/*')",
    "parquet_metadata('@secret')",
    "query('FROM read_text(''@secret'')')",
    "query_table('@secret')",
    "read_text('/proc/@victim/environ')",
    "read_blob('/proc/@caller/environ')",
]
_WRITERS = [
    "COPY t TO '@out'",
    "COPY (SELECT 1) TO '@out' (FORMAT PARQUET)",
    "EXPORT DATABASE '@out'",
    "ATTACH '@out' AS x",
    "COPY (SELECT 1) TO '/dev/fd/3'",
    "CREATE SECRET x (TYPE S3, KEY_ID 'a', SECRET 'b')",
    "INSTALL httpfs",
    "LOAD '@secret'",
    "LOAD httpfs",
    "CREATE PERSISTENT SECRET x (TYPE HTTP, BEARER_TOKEN 'a')",
    "CHECKPOINT",
    "ATTACH ':memory:' AS x",
    "DETACH memory",
    "USE memory.main",
    "CALL pragma_version()",
]
_WEB = [
    "'http://127.0.0.1:@tcp/x.csv'",
    "read_csv('http://127.0.0.1:@tcp/x.csv')",
    "read_text('https://127.0.0.1:@tcp/')",
]
_SETTINGS = [
    "SET enable_external_access = true",
    "RESET enable_external_access",
    "SET lock_configuration = false",
    "SET memory_limit = '64GB'",
    "SET threads = 64",
    "SET temp_directory = '@folder'",
    "SET GLOBAL threads = 8",
    "PRAGMA enable_external_access",
    "PRAGMA memory_limit='64GB'",
    "SET python_enable_replacements = true",
    "SET allowed_paths = ['@secret']",
    "PRAGMA enable_profiling='json'",
    "PRAGMA profile_output='@out'",
]
_ALL = "SELECT * FROM t"
_STATEMENTS = [
    "COMMIT; DROP TABLE t",
    "COMMIT; BEGIN; UPDATE t SET a = 0",
    "ROLLBACK",
    "DROP TABLE t",
    "DELETE FROM t",
    "INSERT INTO t VALUES (9, 'z')",
    "UPDATE t SET a = a + 1",
    "ALTER TABLE t ADD COLUMN b INT",
    "TRUNCATE t",
    "CREATE OR REPLACE TABLE t AS SELECT 0 AS a, 'z' AS s",
    "CREATE TEMP TABLE t AS SELECT 0 AS a, 'z' AS s",
    "CREATE TEMP VIEW t AS SELECT 0 AS a, 'z' AS s",
    "CREATE MACRO t() AS TABLE SELECT 0 AS a, 'z' AS s",
    "SET search_path = 'pg_catalog'",
    "SET schema = 'information_schema'",
    "COMMIT; CREATE SCHEMA x; USE x",
    "SELECT 1 AS a; DROP TABLE t",
    "SELECT 1 AS a; COMMIT; DELETE FROM t",
    "ABORT; BEGIN; DELETE FROM t; COMMIT",
    "EXPLAIN ANALYZE DELETE FROM t",
    "PREPARE p AS DELETE FROM t",
    "EXECUTE p",
    "VACUUM t",
]
_KEEPING = {
    "a variable": (f"SET VARIABLE kept = {_SPLIT}", "SELECT getvariable('kept') AS a"),
    "a macro": (f"CREATE MACRO kept() AS {_SPLIT}", "SELECT kept() AS a"),
    "a temporary view": (f"CREATE TEMP VIEW kept AS SELECT {_SPLIT} AS a", "FROM kept"),
    "a temporary table": (f"CREATE TEMP TABLE kept AS SELECT {_SPLIT} AS a", "FROM kept"),
    "a prepared statement": (f"PREPARE kept AS SELECT {_SPLIT} AS a", "EXECUTE kept"),
    "a comment": (f"COMMENT ON TABLE t IS '{KEPT}'", "SELECT comment AS a FROM duckdb_tables()"),
    "a type": (f"CREATE TYPE kept AS ENUM ('{KEPT}')", "SELECT unnest(enum_range(NULL::kept)) AS a"),
    "a sequence": ("CREATE SEQUENCE kept; SELECT nextval('kept') AS a", f"SELECT {_SPLIT} || nextval('kept') AS a"),
    "the text of a query": (f"SELECT {_SPLIT} AS a, '{KEPT}' AS b", "SELECT * FROM duckdb_logs()"),
}
_ENDLESS = {
    "a cross join": "SELECT count(*) AS a FROM range(10000000) x, range(10000000) y WHERE x.range + y.range % 7 = 3",
    "a recursive query": "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a FROM r) SELECT count(*) AS a FROM r",
    "a function that nothing interrupts": "SELECT length(repeat('x', 1000000000) || repeat('y', 1000000000)) AS a",
    "a comparison of long texts": "SELECT levenshtein(repeat('ab', 100000), repeat('ba', 100000)) AS a",
}
_MEMORY = {
    "one long list": "SELECT list(x.range::VARCHAR || repeat('x', 100000)) AS a FROM range(10000000) x",
    "a large sort": "SELECT md5(range::VARCHAR) AS a FROM range(200000000) ORDER BY a LIMIT 1 OFFSET 99999999",
    "a large hash table": "SELECT count(*) AS a FROM (SELECT DISTINCT md5(range::VARCHAR) FROM range(200000000))",
    "one long text": "SELECT string_agg(repeat('x', 1000000), '') AS a FROM range(100000)",
    "a large result": "SELECT repeat('x', 1000000) AS a FROM range(2000)",
    "a result of many cells": "SELECT range AS a FROM range(100000000)",
}

# A script may change settings; none of them opens a door.
_UNLOCKED = [f"{setting}; SELECT content AS a FROM read_text('@secret')" for setting in _SETTINGS]
_SPILL = (
    "SET temp_directory = '@folder'; SET memory_limit = '50MB'; SELECT a.range FROM range(3000000) a ORDER BY -a.range"
)
_SCRIPT = [
    *(_duckdb(39, one, one, on="duckdb_script") for one in _WRITERS),
    *(_duckdb(40, one, one, on="duckdb_script") for one in _UNLOCKED),
    _duckdb(40, "a folder for what does not fit", _SPILL, on="duckdb_script"),
    _duckdb(40, "files that are made by a setting", "SET log_query_path = '@out'; SELECT 1 AS a", on="duckdb_script"),
    *(
        _duckdb(
            44, f"{name}, without the engine's limit", f"SET memory_limit = '1TB'; {code}", took_memory, "duckdb_script"
        )
        for name, code in _MEMORY.items()
    ),
]

DUCKDB: list[Attack] = [
    *(_duckdb(39, f"reads: {one}", f"SELECT * FROM {one}") for one in _READERS),
    *(_duckdb(39, f"reaches: {one}", f"SELECT * FROM {one}") for one in _WEB),
    *(_duckdb(39, one, one, carried_out, "duckdb_select") for one in _WRITERS),
    _duckdb(39, "an environment variable", "SELECT getenv('ATTACK_SCENE_SECRET') AS a"),
    _duckdb(39, "its settings and secrets", "SELECT (SELECT list(s) FROM duckdb_secrets() s)::VARCHAR AS a"),
    *(_duckdb(39, f"a variable of Python: {one}", f"SELECT * FROM {one}") for one in ("expected", "loaded", "tests")),
    *(_duckdb(40, one, one, carried_out, "duckdb_select") for one in _SETTINGS),
    _duckdb(40, "a setting, and then a file", ("SET enable_external_access = true", "FROM read_text('@secret')")),
    *(_duckdb(41, one, (one, _ALL), other_rows) for one in _STATEMENTS),
    *(_duckdb(42, name, codes, kept) for name, codes in _KEEPING.items()),
    *(_duckdb(43, name, code, carried_out) for name, code in _ENDLESS.items()),
    *(_duckdb(44, name, code, carried_out) for name, code in _MEMORY.items()),
    *_SCRIPT,
]
