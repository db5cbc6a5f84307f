"""Text that somebody else wrote, on a page for people: what hides or reorders it is written out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

LONGEST = 4_000  # characters of one text

# C0 and C1 controls but tab and newline, zero-width and direction marks, line separators, lone surrogates.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """Return the text with characters that hide, reorder or break off text written out, and bounded in length."""
    shown = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} … ({len(shown) - LONGEST:,} more characters)"


def render_page(template: Path, **values: Any) -> str:
    """Return an HTML page. Every value is escaped and made visible; names that the template lacks are errors."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=lambda value: visible(value) if type(value) is str else value,
    )  # fmt: skip
    return environment.get_template(template.name).render(**values) + "\n"
