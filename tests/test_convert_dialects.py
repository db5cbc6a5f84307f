"""Dialects: what SQLite gives for a query, DuckDB and PostgreSQL give for its translation, rule by rule.

The expected rows are those of the sqlite3 module on the same small tables, the judges the real interpreters. Days are
text in SQLite, conditions 1 and 0; the comparison takes them for the same as dates and booleans.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import pytest

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.dialects import convert_dialect
from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Interpreter, Limits, Outcome, Table, Value
from interpreters.compare import compare_tables
from interpreters.postgres_sql import PostgresSql

INT, FLOAT, STRING, BOOL = ColumnType.INT, ColumnType.FLOAT, ColumnType.STRING, ColumnType.BOOL
DATE, TIMESTAMP = ColumnType.DATE, ColumnType.TIMESTAMP
SQLITE_TYPES = {INT: "INTEGER", BOOL: "INTEGER", FLOAT: "REAL"}
TARGETS: tuple[Literal["duckdb", "postgres"], ...] = ("duckdb", "postgres")


def table(columns: dict[str, ColumnType], *rows: tuple[Value, ...]) -> Table:
    return Table(tuple(Column(name, kind) for name, kind in columns.items()), rows)


TABLES = {
    "Person": table(
        {"Id": INT, "Name": STRING, "age": INT, "city": STRING, "code": STRING, "score": FLOAT, "born": DATE,
         "active": BOOL},
        (1, "Ann", 31, "Oslo", "7", 2.5, dt.date(1990, 5, 17), True),
        (2, "bob", 25, "Rome", "12", 3.5, dt.date(1996, 1, 2), False),
        (3, "Cy", None, "Oslo", "abc", None, None, True),
        (4, "Dee", 47, "Bonn", "3.5", -1.25, dt.date(1974, 12, 31), None),
        (5, "ann", 31, None, "9 lives", 10.0, dt.date(1990, 5, 18), False),
    ),
    "sale": table(
        {"id": INT, "person_id": STRING, "amount": FLOAT, "placed": TIMESTAMP, "order": INT, "Full Name": STRING,
         "day": STRING},
        (1, "1", 10.5, dt.datetime(2020, 1, 31, 10), 3, "Ann A", "2020-01-31"),
        (2, "1", 20.0, dt.datetime(2020, 2, 1, 0), 1, "Ann A", "2020-02-01"),
        (3, "02", 5.25, dt.datetime(2021, 3, 4, 23, 59, 58), 2, "Bob's", "2021-03-04"),
        (4, "4", None, None, 4, None, None),
        (5, "x", 7.0, dt.datetime(2021, 3, 4, 1), 5, "No_one", "2021-03-04"),
    ),
    "empty": table({"a": INT, "b": STRING}),
}  # fmt: skip
SCHEMA = {name: {column.name: column.type for column in one.columns} for name, one in TABLES.items()}

STATEMENTS = {
    "names in any letters": "SELECT NAME, Age FROM PERSON WHERE iD = 1",
    "alias in other letters": "SELECT P.name FROM person AS p WHERE p.AGE > 30",
    "a name that is a reserved word": 'SELECT "order", Sale."order" FROM sale',
    "a name with a blank": "SELECT [full name] FROM sale WHERE `Full Name` = 'Bob''s'",
    "names of a derived table": "SELECT q.NAME FROM (SELECT name, age FROM person) AS q WHERE Q.age = 25",
    "a derived table without a name": "SELECT max(n) FROM (SELECT count(*) AS n FROM person GROUP BY city)",
    "names of a common table": "WITH o(Who, Age) AS (SELECT name, age FROM person) SELECT who FROM O WHERE AGE > 30",
    "recursion": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT sum(i) FROM n",
    "a text in double quotes": 'SELECT name FROM person WHERE city = "Oslo"',
    "a text in double quotes in a list": 'SELECT name FROM person WHERE city IN ("Oslo", "Rome")',
    "a column in double quotes": 'SELECT "name" FROM person WHERE "age" > 30',
    "a text shown in double quotes": 'SELECT "hello", name FROM person WHERE id = 1',
    "LIKE in any letters": "SELECT name FROM person WHERE name LIKE 'A%'",
    "NOT LIKE": "SELECT name FROM person WHERE name NOT LIKE '%N%'",
    "LIKE of a number": "SELECT id FROM person WHERE age LIKE '3%'",
    "LIKE of a day": "SELECT id FROM person WHERE born LIKE '1990%'",
    "LIKE with ESCAPE": "SELECT id FROM sale WHERE [Full Name] LIKE '%\\_%' ESCAPE '\\'",
    "LIKE with a backslash": "SELECT id FROM sale WHERE [Full Name] LIKE '%\\_%'",
    "GLOB": "SELECT name FROM person WHERE name GLOB '[Aa]n*'",
    "a bare column": "SELECT name, count(*) FROM person WHERE city = 'Bonn' GROUP BY city",
    "a bare column fixed by a join": (
        "SELECT T1.name, T1.id, count(*) FROM person AS T1 JOIN sale T2 ON T1.id = T2.person_id GROUP BY T2.person_id"
    ),
    "the row of the greatest": "SELECT name, max(age) FROM person",
    "the row of the greatest where all are NULL": (
        "SELECT p.name, max(s.amount) FROM person p JOIN sale s ON p.id = s.id WHERE s.id = 4 GROUP BY p.id"
    ),
    "the row of the least by group": "SELECT person_id, id, min(amount) FROM sale WHERE amount > 0 GROUP BY person_id",
    "the row of the greatest in HAVING": "SELECT id FROM sale WHERE id < 9 GROUP BY person_id HAVING max(amount) > 9",
    "a bare column with no row": "SELECT a, max(b) FROM empty",
    "a bare column in ORDER BY": (
        "SELECT count(*) FROM person WHERE city <> 'Oslo' GROUP BY city ORDER BY age"
    ),
    "a group by the alias": "SELECT age > 30 AS old, count(*) FROM person WHERE age IS NOT NULL GROUP BY old",
    "a group by position": "SELECT city, count(*) FROM person GROUP BY 1",
    "HAVING with an alias": "SELECT city, count(*) AS n FROM person GROUP BY city HAVING n > 1",
    "WHERE with an alias": "SELECT age * 2 AS twice FROM person WHERE twice > 60",
    "ORDER BY with an alias inside": "SELECT id, age AS years FROM person WHERE age > 0 ORDER BY years * -1, id",
    "HAVING without GROUP BY": "SELECT count(*) FROM person HAVING count(*) > 2",
    "DISTINCT by a hidden key": "SELECT DISTINCT city FROM person WHERE id IN (1, 2, 4) ORDER BY age DESC",
    "DISTINCT over groups": "SELECT DISTINCT city FROM person GROUP BY city ORDER BY count(*) DESC, city",
    "NULL first": "SELECT id, age FROM person ORDER BY age, id",
    "NULL last when it descends": "SELECT id, age FROM person ORDER BY age DESC, id",
    "upper case before lower": "SELECT name FROM person ORDER BY name",
    "COLLATE NOCASE": "SELECT id FROM person WHERE name = 'ANN' COLLATE NOCASE",
    "ORDER BY COLLATE NOCASE": "SELECT id FROM person ORDER BY name COLLATE NOCASE, id",
    "division of integers": "SELECT age / 2, -7 / 2, 7 / 2.0 FROM person",
    "division of sums": "SELECT sum(age) / count(*), sum(age) * 1.0 / count(*) FROM person",
    "division by zero": "SELECT id / 0, score / 0 FROM person",
    "remainder": "SELECT age % 4, -7 % 3, score % 2, 5 % 0 FROM person",
    "a share": "SELECT CAST(sum(age > 30) AS REAL) / count(*) * 100 FROM person",
    "a sum of conditions": "SELECT sum(city = 'Oslo'), count(*) FROM person",
    "conditions shown": "SELECT id > 2, age IS NULL, name LIKE 'a%', id IN (1, 2) FROM person",
    "a number as a condition": "SELECT id FROM person WHERE age",
    "NOT of a number": "SELECT id FROM person WHERE NOT (id - 1)",
    "a boolean column and a number": "SELECT id FROM person WHERE active = 1",
    "a sum of booleans": "SELECT sum(active), max(active) FROM person",
    "a text column and a number": "SELECT id FROM person WHERE code = 7",
    "a text column after a number": "SELECT id FROM person WHERE code > 5",
    "a number column and a text": "SELECT id FROM person WHERE age = '31'",
    "a number column and words": "SELECT id FROM person WHERE age = 'x' OR age < 'x' AND NOT age > 'x'",
    "a number column among texts": "SELECT id FROM person WHERE age IN ('25', '47')",
    "a text column among numbers": "SELECT id FROM person WHERE code IN (7, 12)",
    "a number between texts": "SELECT id FROM person WHERE age BETWEEN '25' AND '31'",
    "a join of text to integer": "SELECT p.id, s.id FROM person p JOIN sale s ON p.id = s.person_id",
    "text IN a query of integers": "SELECT id FROM sale WHERE person_id IN (SELECT id FROM person)",
    "a count and a text": "SELECT city FROM person GROUP BY city HAVING count(*) > '1'",
    "a day and a text": "SELECT id FROM person WHERE born >= '1990-05-18'",
    "a day and words": "SELECT id FROM person WHERE born > '1990'",
    "a day between": "SELECT id FROM person WHERE born BETWEEN '1990-01-01' AND '1995-12-31'",
    "arithmetic of text": "SELECT code + 1, code * 2 FROM person",
    "a sum of text": "SELECT sum(code), avg(code) FROM person",
    "CAST to integer": "SELECT CAST(score AS INTEGER), CAST(code AS INTEGER), CAST('3.9x' AS INT) FROM person",
    "CAST to real": "SELECT CAST(code AS REAL), CAST(age AS REAL) / 2 FROM person",
    "CAST to text": "SELECT CAST(age AS TEXT), CAST(score AS TEXT), CAST(age AS VARCHAR(2)) FROM person",
    "texts put together": "SELECT name || ' ' || age || '/' || score FROM person",
    "IFNULL": "SELECT ifnull(age, 0), coalesce(city, '?'), nullif(id, 1) FROM person",
    "IIF and CASE": "SELECT iif(age > 30, 'old', 'young'), CASE city WHEN 'Oslo' THEN 1 ELSE 0 END FROM person",
    "CASE by a number": "SELECT CASE WHEN id - 1 THEN 'many' ELSE 'one' END FROM person",
    "GROUP_CONCAT": "SELECT group_concat(id), group_concat(name, '; ') FROM person WHERE id = 3",
    "ROUND": "SELECT round(score), round(score / 3, 2), round(avg(age), 1) FROM person GROUP BY id, score",
    "scalar MAX": "SELECT max(age, 30), min(id, 2, 3) FROM person",
    "TOTAL": "SELECT total(amount), total(id) FROM sale WHERE id > 100",
    "texts cut": "SELECT substr(name, 2), substr(name, -2), substr(name, 1, 1), upper(name), length(age) FROM person",
    "INSTR and REPLACE": "SELECT instr(name, 'n'), replace(name, 'n', 'm'), trim('  x ') FROM person",
    "strftime": "SELECT strftime('%Y', born), strftime('%Y-%m', placed) FROM person JOIN sale ON sale.id = person.id",
    "strftime of a text": "SELECT strftime('%m', day), count(*) FROM sale GROUP BY strftime('%m', day)",
    "strftime and a text": "SELECT id FROM sale WHERE strftime('%Y', placed) = '2021'",
    "strftime as an integer": "SELECT CAST(strftime('%Y', born) AS INTEGER) + 1 FROM person",
    "date": "SELECT date(placed), date(day) FROM sale",
    "date with steps": "SELECT date(born, '+1 month', '-1 day'), date(born, 'start of year') FROM person",
    "julianday": "SELECT julianday(placed) - julianday('2020-01-01') FROM sale",
    "days subtracted": "SELECT born - 1900 FROM person",
    "a step from the start of a month": "SELECT date(day, 'start of month', '+14 days') FROM sale",
    "a late condition": (
        "SELECT p.id FROM person p JOIN sale s ON s.id = q.id AND q.age > 30 JOIN person q ON q.id = p.id"
    ),
    "the whole of one table": "SELECT s.* FROM person p JOIN sale s ON p.id = s.id WHERE p.age > 30",
    "USING": "SELECT id, name, amount FROM person JOIN sale USING (id)",
    "NATURAL JOIN": "SELECT name FROM person NATURAL JOIN sale",
    "a query in FROM with a group": (
        "SELECT avg(n), max(city) FROM (SELECT city, count(*) AS n FROM person GROUP BY city) AS t WHERE n > 0"
    ),
    "the greatest of a query in FROM": (
        "SELECT city, max(n) FROM (SELECT city, count(*) AS n FROM person GROUP BY city) AS t"
    ),
    "a group sorted by an aggregate": "SELECT city FROM person GROUP BY city ORDER BY avg(age) DESC, count(*) LIMIT 2",
    "COUNT of a condition": "SELECT count(DISTINCT age > 30), count(CASE WHEN age > 30 THEN 1 END) FROM person",
    "a difference of averages": (
        "SELECT (SELECT avg(age) FROM person WHERE active) - (SELECT avg(age) FROM person WHERE NOT active)"
    ),
    "NOT IN among texts": "SELECT id FROM person WHERE id NOT IN (SELECT person_id FROM sale WHERE id <> 4)",
    "a moment with a step": "SELECT datetime(placed, '+1 hour'), time(placed) FROM sale",
    "a sort key that is a text": "SELECT id FROM person ORDER BY 'id', id",
    "a name of no column to sort by": 'SELECT id FROM person ORDER BY "nothing", id',
    "parts of a moment": "SELECT strftime('%s', placed), strftime('%w', day), strftime('%H:%M', placed) FROM sale",
    "years since": "SELECT strftime('%Y', placed) - strftime('%Y', born) FROM person JOIN sale USING (id)",
    "a common table joined to itself": (
        "WITH a AS (SELECT city, count(*) n FROM person GROUP BY city), b AS (SELECT max(n) m FROM a) "
        "SELECT city FROM a, b WHERE n = m"
    ),
    "a window over groups": "SELECT city, rank() OVER (ORDER BY count(*) DESC) FROM person GROUP BY city",
    "conditions compared": "SELECT id FROM person WHERE (age > 30) = (score > 2) OR (age > 30) + (id > 2) = 2",
    "an average of booleans": "SELECT avg(active), count(active) FROM person WHERE NOT active OR active = TRUE",
    "a keyword as an alias": 'SELECT name AS user, age AS "end" FROM person ORDER BY user',
    "NOT IN with NULL": "SELECT id FROM person WHERE id NOT IN (SELECT age FROM person)",
    "members of two classes": "SELECT code FROM person WHERE id = 3 UNION SELECT name FROM person WHERE id = 3",
    "a text that is empty": "SELECT id FROM sale WHERE [Full Name] = '' OR [Full Name] IS NULL",
    "unary minus": "SELECT -age, - -id, +score FROM person",
    "an average of a group as a condition": "SELECT city FROM person GROUP BY city HAVING avg(age) >= 31",
    "BETWEEN and NOT": "SELECT id FROM person WHERE age NOT BETWEEN 30 AND 40",
    "a date part of now": "SELECT count(*) FROM person WHERE born < date('now', '-1 year')",
    "LIMIT with a comma": "SELECT id FROM person ORDER BY id LIMIT 1, 2",
    "LIMIT of a negative number": "SELECT id FROM person LIMIT -1",
    "UNION sorted by a name": "SELECT id AS n FROM person UNION SELECT age FROM person ORDER BY n DESC LIMIT 3",
    "set operations from left to right": "SELECT id FROM person UNION SELECT id FROM sale INTERSECT SELECT 2",
    "EXCEPT": "SELECT city FROM person EXCEPT SELECT city FROM person WHERE age > 40",
    "JOIN without a condition": "SELECT count(*) FROM person JOIN sale",
    "commas before a JOIN": "SELECT count(*) FROM person, empty LEFT JOIN sale ON person.id = sale.id",
    "LEFT JOIN": "SELECT p.id, count(s.id) FROM person p LEFT JOIN sale s ON s.person_id = p.id GROUP BY p.id",
    "the first row of a sub-query": "SELECT name FROM person WHERE age = (SELECT age FROM person ORDER BY id)",
    "a correlated sub-query": "SELECT id, (SELECT count(*) FROM sale WHERE person_id = person.id) FROM person",
    "EXISTS": "SELECT id FROM person AS p WHERE NOT EXISTS (SELECT * FROM sale AS s WHERE s.id = p.age)",
    "a window": "SELECT id, rank() OVER (PARTITION BY city ORDER BY age DESC) FROM person WHERE age > 0",
    "IS a value": "SELECT id FROM person WHERE city IS 'Oslo' OR age IS NOT 31",
    "two equal signs": "SELECT id FROM person WHERE id == 2",
}  # fmt: skip


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    for name, one in TABLES.items():
        heads = ", ".join(f'"{column.name}" {SQLITE_TYPES.get(column.type, "TEXT")}' for column in one.columns)
        connection.execute(f'CREATE TABLE "{name}" ({heads})')
        marks = ", ".join("?" * len(one.columns))
        connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', [[plain(v) for v in row] for row in one.rows])
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def duckdb() -> Iterator[Interpreter]:
    with load_interpreter("duckdb_sql") as loaded:
        yield loaded


def plain(value: Value) -> Value:
    """Return a cell as SQLite holds it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, dt.date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def as_table(width: int, rows: list[tuple[Value, ...]]) -> Table:
    columns = tuple(Column(str(i), ColumnType.OTHER) for i in range(width))
    return Table(columns, tuple(tuple(plain(value) for value in row) for row in rows))


def difference(sql: str, code: str, one: Interpreter, sqlite: sqlite3.Connection) -> str | None:
    """Return how the rows of a translation differ from those of SQLite."""
    cursor = sqlite.execute(sql)
    expected = as_table(len(cursor.description), cursor.fetchall())
    execution = one.execute(code, [TABLES], Limits(seconds=20))
    if execution.outcome is not Outcome.PASSED:
        return f"{execution.outcome}: {execution.message}"
    [given] = execution.results
    ties = (1,) * len(expected.rows) if "ORDER BY" in sql.partition("OVER")[0].rpartition(")")[2] else ()
    found = as_table(len(given.columns), list(given.rows))
    shown = f" in {found.rows}, expected {expected.rows}"
    problem = compare_tables(found, expected, ties=ties, match_names=False)
    return None if problem is None else problem + shown


@pytest.mark.parametrize("what", STATEMENTS)
def test_duckdb_gives_what_sqlite_gives(what: str, duckdb: Interpreter, sqlite: sqlite3.Connection) -> None:
    first = convert_dialect(STATEMENTS[what], "sqlite", "duckdb", SCHEMA)[0]
    assert difference(STATEMENTS[what], first.code, duckdb, sqlite) is None, first


@pytest.mark.parametrize("what", STATEMENTS)
def test_postgres_gives_what_sqlite_gives(what: str, postgres: PostgresSql, sqlite: sqlite3.Connection) -> None:
    first = convert_dialect(STATEMENTS[what], "sqlite", "postgres", SCHEMA)[0]
    assert difference(STATEMENTS[what], first.code, postgres, sqlite) is None, first


REFUSED = {
    "SELECT FROM WHERE": "sqlglot cannot read",
    "SELECT 1; SELECT 2": "2 statements",
    "DELETE FROM person": "no query",
    "SELECT nothing FROM person": "no column nothing",
    "SELECT x.id FROM person": "no table x",
    "SELECT id FROM nowhere": "no table nowhere",
    "SELECT rowid FROM person": "hidden number of a row",
    "SELECT date(day, 'weekday 0') FROM sale": "modifier 'weekday 0'",
    "SELECT strftime('%W', day) FROM sale": "format %W",
    "SELECT *, count(*) FROM person": "[*] in a grouped query",
    "SELECT id, name FROM person UNION SELECT id FROM person": "2 and 1 columns",
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("sql", REFUSED)
def test_what_no_rule_translates_is_refused_with_the_reason(sql: str, target: Literal["duckdb", "postgres"]) -> None:
    with pytest.raises(UnsupportedSqlError, match=REFUSED[sql]) as caught:
        convert_dialect(sql, "sqlite", target, SCHEMA)
    assert "\n" not in str(caught.value)


def test_an_unknown_dialect_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="known: sqlite, duckdb, postgres"):
        convert_dialect("SELECT 1", "oracle", "duckdb", SCHEMA)


def test_plain_queries_stay_as_they_are() -> None:
    sql = "SELECT id, COUNT(*) FROM sale WHERE amount > 3 GROUP BY id ORDER BY COUNT(*) DESC NULLS LAST LIMIT 3"
    for target in TARGETS:
        [only] = convert_dialect(sql, "sqlite", target, SCHEMA)
        assert only.code.replace(" NULLS LAST", "") == sql.replace(" NULLS LAST", "")
        assert only.rule == "sqlglot"


def test_what_is_left_open_gives_further_attempts() -> None:
    codes = [one.code for one in convert_dialect("SELECT id FROM sale GROUP BY day", "sqlite", "duckdb", SCHEMA)]
    assert codes == [f"SELECT {name}(id) AS id FROM sale GROUP BY day" for name in ("ANY_VALUE", "MAX", "MIN")]
    liked = [one.code for one in convert_dialect("SELECT id FROM sale WHERE day LIKE 'a'", "sqlite", "duckdb", SCHEMA)]
    assert liked == [f"SELECT id FROM sale WHERE day {name} 'a'" for name in ("ILIKE", "LIKE")]


FROM_DUCKDB = {
    'SELECT ANY_VALUE("Name"), city FROM "Person" WHERE city = \'Bonn\' GROUP BY city': [("Dee", "Bonn")],
    "SELECT ROUND(AVG(score), 2) FROM Person": [(3.69,)],
    "SELECT p.Id FROM Person AS p JOIN sale AS s ON p.Id = s.id WHERE s.id // 2 = 2 ORDER BY 1": [(4,), (5,)],
    "SELECT id FROM sale WHERE person_id LIKE '0%'": [(3,)],
    "SELECT p.Id FROM Person AS p JOIN sale AS s ON p.Id = s.person_id WHERE amount < 6": [(2,)],
}
EXTENSIONS = (
    "SELECT * EXCLUDE (id) FROM sale",
    "SELECT day FROM sale GROUP BY ALL",
    "SELECT id FROM sale ORDER BY ALL",
    "SELECT id FROM sale LIMIT 10%",
    "SELECT id FROM sale QUALIFY rank() OVER (ORDER BY id) = 1",
)


@pytest.mark.parametrize("sql", EXTENSIONS)
def test_extensions_of_duckdb_are_refused_and_not_written_as_something_else(sql: str) -> None:
    with pytest.raises(UnsupportedSqlError):
        convert_dialect(sql, "duckdb", "postgres", SCHEMA)


@pytest.mark.parametrize("sql", FROM_DUCKDB)
def test_duckdb_golds_become_postgres(sql: str, postgres: PostgresSql) -> None:
    first = convert_dialect(sql, "duckdb", "postgres", SCHEMA)[0]
    execution = postgres.execute(first.code, [TABLES], Limits(seconds=20))
    assert execution.outcome is Outcome.PASSED, (execution.message, first)
    assert [tuple(plain(v) for v in row) for row in execution.results[0].rows] == FROM_DUCKDB[sql]
