"""Mutants: each differs from its reference in one place, on every machine alike; what changes nothing is not made."""

from __future__ import annotations

import pytest
from support import pipeline_problems

from bootstrap.audit.mutants import (
    OTHER_COLUMNS,
    ColumnFacts,
    Mutant,
    UnmutableError,
    columns_of,
    is_ordered,
    mutants,
    rewritten,
)
from interpreters.base import ColumnType

INT, TEXT = ColumnFacts(ColumnType.INT, False), ColumnFacts(ColumnType.STRING, False)
NULLABLE = ColumnFacts(ColumnType.INT, True)
TABLES = {
    "singer": {"id": INT, "name": TEXT, "country": TEXT, "age": NULLABLE, "height": INT},
    "concert": {"cid": INT, "singer_id": INT, "year": INT, "venue": TEXT},
}


def made(code: str, language: str, *, ordered: bool = True) -> list[Mutant]:
    return mutants(code, language, TABLES, ordered=ordered)


def codes(found: list[Mutant], operator: str) -> set[str]:
    return {mutant.code for mutant in found if mutant.operator == operator}


CHANGES: dict[str, list[tuple[str, str, str]]] = {
    "duckdb": [
        ("SELECT name FROM singer WHERE height > 20", "comparison", "SELECT name FROM singer WHERE height >= 20"),
        ("SELECT name FROM singer WHERE height > 20", "constant", "SELECT name FROM singer WHERE height > 19"),
        ("SELECT name FROM singer WHERE height > 20", "column", "SELECT name FROM singer WHERE age > 20"),
        ("SELECT name FROM singer WHERE height > 20", "column", "SELECT country AS name FROM singer WHERE height > 20"),
        ("SELECT name FROM singer WHERE height > 20", "drop_where", "SELECT name FROM singer"),
        ("SELECT height - id AS d FROM singer", "arithmetic", "SELECT (id - height) AS d FROM singer"),
        ("SELECT height * 2 + id FROM singer", "arithmetic", "SELECT ((height * 2) * id) FROM singer"),
        (
            "SELECT name FROM singer WHERE id = 1 AND height = 2",
            "connective",
            "SELECT name FROM singer WHERE ((id = 1) OR (height = 2))",
        ),
        (
            "SELECT name FROM singer WHERE id = 1 AND height = 2",
            "drop_where",
            "SELECT name FROM singer WHERE height = 2",
        ),
        (
            "SELECT name FROM singer WHERE country = 'France' OR country = 'Peru'",
            "constant",
            "SELECT name FROM singer WHERE country = 'Peru' OR country = 'Peru'",
        ),
        ("SELECT name FROM singer WHERE age IS NULL", "null_test", "SELECT name FROM singer WHERE (NOT age IS NULL)"),
        (
            "SELECT name FROM singer WHERE NOT id IN (1, 2)",
            "membership",
            "SELECT name FROM singer WHERE id IN (1, 2)",
        ),
        ("SELECT name FROM singer WHERE id IN (1, 2)", "membership", "SELECT name FROM singer WHERE id IN (2)"),
        ("SELECT name FROM singer WHERE name LIKE 'A%'", "pattern", "SELECT name FROM singer WHERE name LIKE '%A%'"),
        ("SELECT name FROM singer ORDER BY id", "direction", "SELECT name FROM singer ORDER BY id DESC"),
        ("SELECT name FROM singer ORDER BY age", "nulls_order", "SELECT name FROM singer ORDER BY age NULLS FIRST"),
        ("SELECT name FROM singer ORDER BY id", "drop_order", "SELECT name FROM singer"),
        ("SELECT name FROM singer ORDER BY id LIMIT 3", "limit", "SELECT name FROM singer ORDER BY id LIMIT 2"),
        ("SELECT name FROM singer ORDER BY id LIMIT 3", "drop_limit", "SELECT name FROM singer ORDER BY id"),
        ("SELECT DISTINCT country FROM singer", "drop_distinct", "SELECT country FROM singer"),
        ("SELECT country FROM singer", "add_distinct", "SELECT DISTINCT country FROM singer"),
        ("SELECT sum(height) AS s FROM singer", "aggregate", "SELECT MAX(height) AS s FROM singer"),
        ("SELECT count(*) AS n FROM singer", "count", "SELECT COUNT(age) AS n FROM singer"),
        ("SELECT count(age) AS n FROM singer", "count", "SELECT COUNT(*) AS n FROM singer"),
        ("SELECT count(age) AS n FROM singer", "count", "SELECT COUNT(DISTINCT age) AS n FROM singer"),
        (
            "SELECT name, year FROM singer JOIN concert ON id = singer_id",
            "join_kind",
            "SELECT name, year FROM singer LEFT JOIN concert ON id = singer_id",
        ),
        (
            "SELECT name FROM singer UNION SELECT venue FROM concert",
            "set_operation",
            "SELECT name FROM singer UNION ALL SELECT venue FROM concert",
        ),
        (
            "SELECT CASE WHEN id > 1 THEN 'a' ELSE 'b' END AS c FROM singer",
            "case_branches",
            "SELECT CASE WHEN id > 1 THEN 'b' ELSE 'a' END AS c FROM singer",
        ),
        ("SELECT name, country FROM singer", "drop_column", "SELECT country FROM singer"),
        ("SELECT name, country FROM singer", "swap_columns", "SELECT country, name FROM singer"),
        (
            "SELECT country, count(*) AS n FROM singer GROUP BY country HAVING count(*) > 2",
            "drop_having",
            "SELECT country, COUNT(*) AS n FROM singer GROUP BY country",
        ),
        (
            "SELECT country, count(*) AS n FROM singer GROUP BY country",
            "group_key",
            "SELECT name AS country, COUNT(*) AS n FROM singer GROUP BY name",
        ),
        (
            "WITH s AS (SELECT DISTINCT name FROM singer WHERE id > 3) SELECT count(*) AS n FROM s",
            "drop_step",
            "WITH s AS (SELECT * FROM singer) SELECT COUNT(*) AS n FROM s",
        ),
    ],
    "postgres": [
        ("SELECT name FROM singer ORDER BY age", "direction", "SELECT name FROM singer ORDER BY age DESC"),
        (
            "SELECT DISTINCT ON (country) name FROM singer ORDER BY country, height",
            "direction",
            "SELECT DISTINCT ON (country) name FROM singer ORDER BY country, height DESC",
        ),
        ("SELECT name FROM singer WHERE name ILIKE '%a'", "pattern", "SELECT name FROM singer WHERE name ILIKE 'a'"),
        ("SELECT floor(height / 2.5) AS h FROM singer", "constant", "SELECT FLOOR(height / 2.6) AS h FROM singer"),
    ],
    "polars": [
        ("singer.filter(pl.col('height') > 20)", "comparison", "singer.filter(pl.col('height') >= 20)"),
        ("singer.filter(pl.col('height') > 20)", "constant", "singer.filter(pl.col('height') > 21)"),
        ("singer.filter(pl.col('height') > 20)", "column", "singer.filter(pl.col('id') > 20)"),
        ("singer.filter(pl.col('height') > 20).head(2)", "drop_where", "singer.head(2)"),
        ("singer.sort('id').head(2)", "direction", "singer.sort('id', descending=True).head(2)"),
        (
            "singer.sort('id', 'age', descending=[True, False])",
            "direction",
            "singer.sort('id', 'age', descending=[True, True])",
        ),
        ("singer.sort('age')", "nulls_order", "singer.sort('age', nulls_last=True)"),
        ("singer.sort('id').head(2)", "limit", "singer.sort('id').head(3)"),
        ("singer.sort('id').head(2)", "drop_order", "singer.head(2)"),
        ("singer.select('country').unique()", "drop_distinct", "singer.select('country')"),
        ("singer.select('name')", "column", "singer.select(pl.col('country').alias('name'))"),
        ("singer.select('name', 'id')", "swap_columns", "singer.select('id', 'name')"),
        (
            "singer.group_by('country').agg(pl.col('height').sum())",
            "aggregate",
            "singer.group_by('country').agg(pl.col('height').max())",
        ),
        (
            "singer.group_by('country').len('n')",
            "count",
            "singer.group_by('country').agg(pl.col('age').count().alias('n'))",
        ),
        (
            "singer.join(concert, left_on='id', right_on='singer_id')",
            "join_kind",
            "singer.join(concert, left_on='id', right_on='singer_id', how='left')",
        ),
        (
            "singer.select(pl.when(pl.col('id') > 1).then(1).otherwise(2).alias('c'))",
            "case_branches",
            "singer.select(pl.when(pl.col('id') > 1).then(2).otherwise(1).alias('c'))",
        ),
        (
            "q = singer.filter(pl.col('country').is_in(['a', 'b']))\nresult = q.select('name')",
            "membership",
            "q = singer.filter(~pl.col('country').is_in(['a', 'b']))\nresult = q.select('name')",
        ),
    ],
    "ibis": [
        ("singer.filter(_.height > 20)", "comparison", "singer.filter(_.height < 20)"),
        ("singer.filter(_.height > 20)", "column", "singer.filter(_.id > 20)"),
        ("singer.order_by(ibis.desc('id')).limit(2)", "direction", "singer.order_by('id').limit(2)"),
        ("singer.order_by('id').limit(2)", "direction", "singer.order_by(ibis.desc('id')).limit(2)"),
        ("singer.order_by('id').limit(2)", "limit", "singer.order_by('id').limit(1)"),
        (
            "singer.group_by('country').aggregate(n=_.height.sum())",
            "aggregate",
            "singer.group_by('country').aggregate(n=_.height.mean())",
        ),
        ("singer.select('country').distinct()", "drop_distinct", "singer.select('country')"),
        ("singer.filter(singer.age.isnull())", "null_test", "singer.filter(singer.age.notnull())"),
    ],
}


@pytest.mark.parametrize(
    ("language", "code", "operator", "expected"),
    [(language, *row) for language, rows in CHANGES.items() for row in rows],
)
def test_a_mutant_has_one_usual_mistake(language: str, code: str, operator: str, expected: str) -> None:
    assert expected in codes(made(code, language), operator)


NOTHING: list[tuple[str, str, str]] = [
    ("duckdb", "WITH s AS (SELECT * FROM singer ORDER BY id) SELECT count(*) AS n FROM s", "direction"),
    ("duckdb", "SELECT name FROM singer WHERE id IN (SELECT DISTINCT singer_id FROM concert)", "drop_distinct"),
    ("duckdb", "SELECT name FROM singer WHERE id IN (SELECT cid FROM concert UNION SELECT year FROM concert)",
     "set_operation_all"),
    ("duckdb", "SELECT DISTINCT country, count(*) AS n FROM singer GROUP BY country", "drop_distinct"),
    ("duckdb", "SELECT country, count(*) AS n FROM singer GROUP BY country", "add_distinct"),
    ("duckdb", "SELECT count(id) AS n FROM singer", "count_rows"),
    ("duckdb", "SELECT name FROM singer ORDER BY id", "nulls_order"),
    ("duckdb", "SELECT name FROM singer JOIN concert ON id = singer_id WHERE year = 3", "join_kind"),
    ("polars", "singer.sort('id').group_by('country').len('n')", "direction"),
    ("polars", "singer.sort('id').sort('age').head(3)", "direction_of_id"),
    ("polars", "singer.group_by('country').len('n')", "add_distinct"),
    ("ibis", "singer.order_by('id').group_by('country').aggregate(n=_.count())", "direction"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "code", "operator"), NOTHING)
def test_what_is_known_to_change_nothing_is_not_made(language: str, code: str, operator: str) -> None:
    found = made(code, language)
    if operator == "set_operation_all":
        assert not [code for code in codes(found, "set_operation") if "UNION ALL" in code]
    elif operator == "count_rows":
        assert not [code for code in codes(found, "count") if "COUNT(*)" in code]
    elif operator == "direction_of_id":
        assert not [code for code in codes(found, "direction") if "'id', desc" in code]
    else:
        assert codes(found, operator) == set()


@pytest.mark.parametrize("language", ["polars", "duckdb", "postgres", "ibis"])
def test_order_is_left_alone_where_it_does_not_count(language: str) -> None:
    code = {"polars": "singer.sort('id')", "ibis": "singer.order_by('id')"}.get(
        language, "SELECT * FROM singer ORDER BY id"
    )
    operators = {mutant.operator for mutant in made(code, language, ordered=False)}
    assert not operators & {"direction", "drop_order"}
    assert {"direction", "drop_order"} <= {mutant.operator for mutant in made(code, language)}


@pytest.mark.parametrize("language", ["polars", "duckdb"])
def test_mutants_are_the_same_again_all_different_and_the_first_are_the_first(language: str) -> None:
    for problem in pipeline_problems(30):
        code, columns = problem.references[language], columns_of(problem.tests)
        every = mutants(code, language, columns, ordered=is_ordered(problem.tests))
        assert every == mutants(code, language, columns, ordered=is_ordered(problem.tests))
        assert every[:5] == mutants(code, language, columns, ordered=is_ordered(problem.tests), limit=5)
        written = [mutant.code for mutant in every]
        assert len({*written, rewritten(code, language)}) == len(every) + 1
        assert every


def test_a_wide_table_does_not_crowd_out_other_mistakes() -> None:
    wide = {"t": {f"c{i}": INT for i in range(40)}}
    found = mutants("SELECT c0 FROM t WHERE c1 > 3", "duckdb", wide)
    assert len(codes(found, "column")) == 2 * OTHER_COLUMNS


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("duckdb", "SELEC name"),
        ("duckdb", "SELECT 1; SELECT 2"),
        ("polars", "singer.filter("),
        ("q", "(select from t"),
        ("cobol", "STOP RUN."),
    ],
)
def test_code_that_cannot_be_read_is_refused_with_the_reason(language: str, code: str) -> None:
    with pytest.raises(UnmutableError):
        made(code, language)


def test_a_column_of_a_table_that_is_joined_stays_in_its_table() -> None:
    code = "SELECT s.name FROM singer AS s JOIN concert AS c ON s.id = c.singer_id"
    for mutant in codes(made(code, "duckdb"), "column"):
        assert not {"s.cid", "s.year", "s.venue", "c.height", "c.age"} & set(mutant.replace(",", " ").split())
