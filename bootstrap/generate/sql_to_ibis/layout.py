"""How code looks on the page: one line where it is short, else a line per clause of SQL and per call of a chain."""

from __future__ import annotations

import re
from collections.abc import Iterator

WIDTH = 88
_CLAUSE = re.compile(
    r"(?<=\s)(?:FROM|(?:(?:LEFT|RIGHT|FULL|CROSS|INNER|SEMI|ANTI)\s+)?(?:OUTER\s+)?JOIN|WHERE|GROUP BY|HAVING|QUALIFY|"
    r"WINDOW|ORDER BY|LIMIT|UNION ALL|UNION|INTERSECT|EXCEPT|SELECT)\b"
)


def laid_out_sql(sql: str) -> str:
    """Return a query on one line where it fits, else with its outer clauses on lines of their own."""
    flat = " ".join(sql.split())
    if len(flat) <= WIDTH:
        return flat
    starts = [found.start() for found in _CLAUSE.finditer(flat) if _depths(flat)[found.start()] == 0]
    # A set operation and the SELECT behind it stay apart; FROM inside EXTRACT and the like is not at depth 0.
    pieces = [flat[start:end].strip() for start, end in zip([0, *starts], [*starts, len(flat)], strict=True)]
    return "\n".join(piece for piece in pieces if piece)


def laid_out_ibis(code: str) -> str:
    """Return a single expression on one line where it fits, else its outer calls on lines of their own.

    Statements, and what was laid out by hand, stay as they are.
    """
    code = code.strip()
    if "\n" in code or len(code) <= WIDTH:
        return code
    starts = list(_calls(code))[1:]
    if not starts:
        return code
    pieces = [code[start:end] for start, end in zip([0, *starts], [*starts, len(code)], strict=True)]
    return "(\n" + "\n".join(f"    {piece}" for piece in pieces) + "\n)"


def _calls(code: str) -> Iterator[int]:
    """Yield where the methods of the outermost chain begin."""
    depths = _depths(code)
    for found in re.finditer(r"\.[a-z_]+\(", code):
        if depths[found.start()] == 0:
            yield found.start()


def _depths(code: str) -> list[int]:
    """Return how many brackets are open at each character, counting a string as one."""
    found, depth, quote = [], 0, ""
    for character in code:
        if quote:
            found.append(depth + 1)
            quote = "" if character == quote else quote
            continue
        depth -= character in ")]}"
        found.append(depth)
        depth += character in "([{"
        quote = character if character in "'\"" else ""
    return found
