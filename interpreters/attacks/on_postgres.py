"""Attacks in PostgreSQL's SQL, on the server that checks share and on its limits. See attacks.py."""

from __future__ import annotations

from interpreters.attacks.effects import (
    KEPT,
    Attack,
    Effect,
    carried_out,
    kept,
    nothing_special,
    other_rows,
    read_others,
    read_roles,
)

_SPLIT = f"'{KEPT[:5]}' || '{KEPT[5:]}'"


_ALL = "SELECT * FROM t"


def _postgres(
    number: int, name: str, code: str | tuple[str, ...], succeeded: Effect = nothing_special, settle: float = 0.0
) -> Attack:
    return Attack(number, name, "postgres", code, succeeded, settle)


_PG_FILES = [
    "COPY t FROM PROGRAM 'touch @out'",
    "COPY (SELECT 1) TO PROGRAM 'touch @out'",
    "COPY t TO '@out'",
    "COPY t(s) FROM '@secret'",
    "SELECT pg_read_file('@secret') AS a",
    "SELECT pg_read_binary_file('@secret') AS a",
    "SELECT * FROM pg_ls_dir('@folder')",
    "SELECT * FROM pg_stat_file('@secret')",
    "SELECT lo_import('@secret') AS a",
    "SELECT lo_export(lo_from_bytea(0, 'x'), '@out') AS a",
    "SELECT pg_ls_logdir() AS a",
    "SELECT pg_current_logfile() AS a",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT pg_logdir_ls() AS a",
]
_PG_RIGHTS = [
    "ALTER SYSTEM SET shared_preload_libraries = 'x'",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "RESET SESSION AUTHORIZATION",
    "CREATE ROLE x SUPERUSER",
    "GRANT pg_read_server_files TO CURRENT_USER",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION plpython3u",
    "LOAD '@secret'",
    "CREATE DATABASE x",
    "CREATE FUNCTION x() RETURNS int LANGUAGE c AS '@secret', 'x'",
    "SELECT pg_reload_conf() AS a",
    "CREATE SERVER x FOREIGN DATA WRAPPER postgres_fdw",
    "SELECT pg_rotate_logfile() AS a",
    "CHECKPOINT",
    "SELECT pg_terminate_backend(pid) AS a FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    "SELECT pg_cancel_backend(pid) AS a FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename <> user",
]
_PG_SLOW = {
    "sleeps": "SELECT pg_sleep(3600) AS a",
    "a loop": "DO $$ BEGIN LOOP END LOOP; END $$",
    "a recursive query": "WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a FROM r) SELECT count(*) AS a FROM r",
    "a cross join": "SELECT count(*) AS a FROM generate_series(1, 10000000) x, generate_series(1, 10000000) y",
    "a regular expression": r"SELECT repeat('a', 30000) ~ '^(a|a?)+\1$' AS a FROM generate_series(1, 100000)",
}
_PG_TIMEOUT = [
    "SET statement_timeout = 0; SELECT pg_sleep(3600) AS a",
    "SET statement_timeout = 0",
    "SET LOCAL statement_timeout = 0; SELECT pg_sleep(3600) AS a",
]
_PG_CAUGHT = (
    "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(3600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"
)
_PG_CONFIG = "SELECT set_config('statement_timeout', '0', false) AS a, pg_sleep(3600) AS b"
_PG_WRITES = [
    "DROP TABLE t",
    "DROP SCHEMA public CASCADE",
    "DELETE FROM t",
    "UPDATE t SET a = 0",
    "TRUNCATE t",
    "INSERT INTO t VALUES (9, 'z')",
    "CREATE TABLE x (a int)",
    "CREATE TABLE x AS SELECT 1 AS a",
    "SELECT 1 AS a INTO x",
    "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE VIEW x AS SELECT 1 AS a",
    "CREATE TEMP TABLE t AS SELECT 0 AS a, 'z' AS s",
    "CREATE SCHEMA x",
    "COMMENT ON TABLE t IS 'x'",
    "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
    "LOCK TABLE t",
    "GRANT ALL ON t TO PUBLIC",
    "WITH new AS (INSERT INTO t VALUES (9, 'z') RETURNING *) SELECT * FROM new",
    "ALTER TABLE t ADD COLUMN b int",
]
_PG_ESCAPES = [
    "COMMIT; CREATE TABLE x (a int)",
    "ROLLBACK; BEGIN READ WRITE; DELETE FROM t; COMMIT",
    "COMMIT",
    "ROLLBACK",
    "COMMIT; DROP TABLE t",
    "SET TRANSACTION READ WRITE; DELETE FROM t",
    "ABORT; DELETE FROM t",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET transaction_read_only = off",
    "COMMIT AND CHAIN; SET TRANSACTION READ WRITE; DELETE FROM t; COMMIT",
    "SAVEPOINT x; DELETE FROM t",
    "PREPARE TRANSACTION 'x'",
    "SELECT set_config('transaction_read_only', 'off', false) AS a",
]
_PG_KEEPING = {
    "an advisory lock": (
        "SELECT pg_advisory_lock(7391)::text AS a",
        f"SELECT {_SPLIT} AS a FROM pg_locks WHERE locktype = 'advisory' AND objid = 7391",
    ),
    "a prepared statement": (f"PREPARE kept AS SELECT {_SPLIT} AS a", "EXECUTE kept"),
    "the name of a prepared statement": (
        f'PREPARE "{KEPT}" AS SELECT 1',
        "SELECT name AS a FROM pg_prepared_statements",
    ),
    "a cursor": (f"DECLARE kept CURSOR WITH HOLD FOR SELECT {_SPLIT} AS a", "FETCH ALL FROM kept"),
    "a channel": (f'LISTEN "{KEPT}"', "SELECT pg_listening_channels() AS a"),
    "a setting": (f"SELECT set_config('my.kept', {_SPLIT}, false) AS a", "SELECT current_setting('my.kept') AS a"),
    "a search path": (
        f"SELECT set_config('search_path', '{KEPT}', false) AS a",
        "SELECT current_setting('search_path') AS a",
    ),
    "a time zone": (
        "SELECT set_config('TimeZone', 'Asia/Tokyo', false) AS a",
        f"SELECT {_SPLIT} AS a WHERE current_setting('TimeZone') = 'Asia/Tokyo'",
    ),
    "a temporary table": (f"CREATE TEMP TABLE kept AS SELECT {_SPLIT} AS a", "SELECT a FROM kept"),
    "a large object": (
        "SELECT lo_create(7391) AS a",
        f"SELECT {_SPLIT} AS a FROM pg_largeobject_metadata WHERE oid = 7391",
    ),
    "bytes in a large object": (
        f"SELECT lo_from_bytea(7391, '{KEPT}') AS a",
        "SELECT convert_from(lo_get(7391), 'utf8') AS a",
    ),
}
_PG_GREEDY = {
    "a sort that spills": "SELECT md5(g::text) AS a FROM generate_series(1, 50000000) g ORDER BY 1 LIMIT 1",
    "a large text": "SELECT repeat('x', 900000000) AS a",
    "a large result": "SELECT repeat('x', 1000000) AS a FROM generate_series(1, 2000)",
    "a result of many cells": "SELECT g AS a FROM generate_series(1, 100000000) g",
    "many bytes in one value": "SELECT string_agg(repeat('x', 1000000), '') AS a FROM generate_series(1, 900)",
}
_PG_LOOKS = {
    "the passwords of all roles": "SELECT string_agg(rolpassword, ' ') AS a FROM pg_authid",
    "the passwords of all roles, by their old name": "SELECT string_agg(passwd, ' ') AS a FROM pg_shadow",
    "a server beside it": "SELECT * FROM dblink('host=127.0.0.1 port=@tcp', 'SELECT 1') AS x(a int)",
}
_PG_OTHERS = (
    "SELECT string_agg(query_to_xml(format('SELECT * FROM %I.%I', schemaname, tablename), true, true, '')::text, ' ') "
    "AS a FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') "
    "AND has_table_privilege(format('%I.%I', schemaname, tablename), 'SELECT') "
    "AND schemaname <> coalesce(current_schema(), '')"
)
_PG_ACTIVITY = "SELECT string_agg(query, ' ') AS a FROM pg_stat_activity WHERE usename <> user OR state = 'idle'"


POSTGRES: list[Attack] = [
    *(_postgres(45, one, one) for one in _PG_FILES),
    *(_postgres(45, one, one, carried_out) for one in _PG_RIGHTS),
    *(_postgres(45, name, code, read_roles) for name, code in _PG_LOOKS.items()),
    *(_postgres(46, name, code, carried_out) for name, code in _PG_SLOW.items()),
    *(_postgres(47, one, one, carried_out) for one in _PG_TIMEOUT),
    _postgres(47, "the limit set by a function", _PG_CONFIG, carried_out),
    _postgres(48, "a loop that catches its end", _PG_CAUGHT, carried_out),
    *(_postgres(49, one, (one, _ALL), other_rows) for one in _PG_WRITES),
    *(_postgres(50, one, (one, _ALL), other_rows) for one in _PG_ESCAPES),
    *(_postgres(52 if "large object" in name else 51, name, codes, kept) for name, codes in _PG_KEEPING.items()),
    *(_postgres(53, name, code, carried_out) for name, code in _PG_GREEDY.items()),
    _postgres(54, "the tables of other problems", _PG_OTHERS, read_others),
    _postgres(54, "what other sessions ask", _PG_ACTIVITY),
]
