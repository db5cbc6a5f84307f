"""Words that DuckDB and PostgreSQL keep for themselves: as a name of a column or a table they need quotes."""

from __future__ import annotations

import re

_WORDS = """
all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate
collation column concurrently constraint create cross current_catalog current_date current_role current_schema
current_time current_timestamp current_user default deferrable desc describe distinct do else end except false
fetch for foreign freeze from full glob grant group having ilike in initially inner intersect into is isnull
join lambda lateral leading left like limit localtime localtimestamp map natural not notnull null offset on
only or order outer overlaps pivot pivot_longer pivot_wider placing positional primary qualify references
returning right select semi anti asof session_user show similar some summarize symmetric system_user table
tablesample then to trailing true try_cast union unique unpivot user using variadic verbose when where window
with between bigint bit boolean char character coalesce dec decimal exists extract float greatest grouping
inout int integer interval json least national nchar none normalize nullif numeric out overlay position
precision real row setof smallint struct substring time timestamp treat trim values varchar xmlattributes
"""
RESERVED = frozenset(_WORDS.split())
_PLAIN = {"postgres": re.compile(r"[a-z_][a-z0-9_]*"), "duckdb": re.compile(r"[A-Za-z_][A-Za-z0-9_]*")}


def needs_quotes(name: str, target: str) -> bool:
    """Say whether a target's grammar reads the name as something else when it is not quoted."""
    return _PLAIN[target].fullmatch(name) is None or name.lower() in RESERVED
