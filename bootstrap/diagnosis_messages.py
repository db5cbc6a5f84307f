"""Error messages with values and names folded, so that the same mistake is counted once whatever it was made on."""

from __future__ import annotations

import re

from bootstrap.visible_text import visible

LONGEST = 160

RULES = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        # what interpreters/compare.py says of tables: its lists of column names
        (r"^columns .*, expected .*", "columns …, expected …"),
        (r"^(\d+ columns, expected \d+): .*", r"\1"),
        (r"^column .* holds ", "column … holds "),
        (r"differ in column .*", "differ in column …"),
        (r"order by .*", "order by …"),
        # what engines say: quoted names and values, addresses, numbers (but not the 64 of i64)
        (r"\"[^\"]*\"|`[^`]*`|(?<!\w)'[^']*'(?!\w)|«[^»]*»", "'…'"),
        (r"'…'(?:, '…')+", "'…', …"),
        (r"\b0x[0-9a-fA-F]+\b", "N"),
        (r"(?<![\w.])[-+]?\d+(?:[._:]\d+)*(?:e[-+]?\d+)?(?![\w])", "N"),
        (r"\s+", " "),
    )
)


def fold(message: str) -> str:
    """Return the message without the values and names that vary from problem to problem."""
    message = visible(message)
    for pattern, put in RULES:
        message = pattern.sub(put, message)
    message = message.strip()
    return message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"
