"""The strict rules for lazy Polars code, on the syntax tree."""

from __future__ import annotations

import pytest

from bootstrap.generate.nl_to_polars.lazy_rules import broken_rule

KEPT = [
    "df.lazy().filter(pl.col('a') > 1).collect()",
    "(\n    df.lazy()\n    .group_by('a', pl.col('d').dt.year())\n    .agg(n=pl.len())\n    .collect()\n)",
    "df.lazy().join(t.lazy().filter(~pl.col('x')), on='k', how='left').select('a').collect()",
    "df.lazy().join(other=t.lazy(), on='k').collect()",
    "pl.concat([df.lazy(), t.lazy()]).select(pl.col.a.sum()).collect()",
    "df.lazy().with_columns(pl.when(pl.col('a') > 0).then(pl.lit('x')).otherwise(None).alias('y')).collect()",
    "df.lazy().group_by_dynamic('day', every='1mo').agg(pl.col('v').sum()).collect()",
    "df.lazy().select(pl.col('a').cast(pl.Float64).rank('min').over('k', order_by='d')).collect()",
    "df.lazy().with_columns(pl.col('a').replace_strict({1: 'x'}, default=None)).collect()",
]
BROKEN = [
    ("", "one expression"),
    ("df.lazy().filter(", "cannot be read"),
    ("import os\ndf.lazy().collect()", "one expression"),
    ("result = df.lazy().collect()", "one expression"),
    ("print(df)", "collect"),
    ("df.lazy().filter(pl.col('a') > 1)", "ends with .collect()"),
    ("df.lazy().collect().head(1)", "ends with .collect()"),
    ("df.lazy().collect().lazy().collect()", ".collect()"),
    ("df.filter(pl.col('a') > 1).collect()", "begins with a given table"),
    ("other.lazy().collect()", "begins with a given table"),
    ("pl.scan_csv('x').collect()", "begins with a given table"),
    ("df.lazy().collect(engine='gpu')", "without arguments"),
    ("df.lazy().join(t.lazy().collect(), on='k').collect()", ".collect()"),
    ("df.lazy().join(t, on='k').collect()", "chain"),
    ("df.lazy().map_batches(f).collect()", "map_batches"),
    ("df.lazy().pipe(f).collect()", "pipe"),
    ("df.lazy().sink_csv('x').collect()", "sink_csv"),
    ("df.lazy().sql('SELECT 1').collect()", "sql"),
    ("df.lazy().inspect().collect()", "inspect"),
    ("df.lazy().select(pl.col('a').map_elements(str)).collect()", "map_elements"),
    ("df.lazy().select(pl.col('a').map_batches(str)).collect()", "map_batches"),
    ("df.lazy().select(pl.col('a').sample(2)).collect()", "sample"),
    ("df.lazy().select(lambda x: x).collect()", "Lambda"),
    ("df.lazy().select([pl.col(c) for c in 'ab']).collect()", "ListComp"),
    ("df.lazy().select(f'{1}').collect()", "JoinedStr"),
    ("df.lazy().select(x := pl.col('a')).collect()", "NamedExpr"),
    ("df.lazy().select(pl.col('a') if 1 else 2).collect()", "IfExp"),
    ("df.lazy().filter(pl.col('a') > 1 and pl.col('b') > 1).collect()", "BoolOp"),
    ("df.lazy().filter(1 < pl.col('a') < 3).collect()", "chained comparison"),
    ("df.lazy().filter(not pl.col('a')).collect()", "use ~"),
    ("df.lazy().filter(pl.col('a') in [1]).collect()", "is_in"),
    ("df.lazy().filter(pl.read_csv('x')).collect()", "pl.read_csv"),
    ("df.lazy().select(pl.DataFrame({'a': [1]})).collect()", "pl.DataFrame"),
    ("df.lazy().select(pl.col('a').__class__).collect()", "underscore"),
    ("df.lazy().select(open('x')).collect()", "open"),
    ("df.lazy().select(pl).collect()", "pl"),
    ("df.lazy().filter(df['a'] > 1).collect()", "Subscript"),
    ("df.lazy().group_by('a').map_groups(f).collect()", "map_groups"),
    ("df.lazy().select(" + "+".join(["pl.col('a')"] * 2000) + ").collect()", "too long"),
]  # fmt: skip


@pytest.mark.parametrize("code", KEPT)
def test_lazy_chains_are_allowed(code: str) -> None:
    assert broken_rule(code, ["t"]) is None


@pytest.mark.parametrize(("code", "told"), BROKEN, ids=[f"broken {i}" for i in range(len(BROKEN))])
def test_what_breaks_a_rule_is_told(code: str, told: str) -> None:
    found = broken_rule(code, ["t"])
    assert found is not None and told in found
