"""From the bytes of a CSV file to its text, without being told the encoding.

A byte order mark decides. Without one, zero bytes at every other place are UTF-16; what is valid UTF-8 is UTF-8; what
is not is read line by line, so that a file pasted together from UTF-8 and Windows-1252 keeps both. Other code pages of
one byte cannot be told from Windows-1252 by their bytes, and are read as it.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_ZEROS = 0.3  # share of zero bytes among the odd (or even) ones from which a text is UTF-16


@dataclass(frozen=True)
class Decoded:
    """`notes`: what a person must hear of, one line each."""

    text: str
    encoding: str
    notes: tuple[str, ...] = ()


def decode(raw: bytes) -> Decoded:
    """Return the text of a file."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return _by_mark(raw, encoding)
    if b"\0" in raw:
        return _with_zeros(raw)
    try:
        return Decoded(raw.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        return _by_lines(raw)


def _by_mark(raw: bytes, encoding: str) -> Decoded:
    try:
        return Decoded(raw.decode(encoding), encoding)
    except UnicodeDecodeError:
        if encoding == "utf-8-sig":
            rest = _by_lines(raw.removeprefix(codecs.BOM_UTF8))
            return Decoded(rest.text, f"utf-8-sig, {rest.encoding}", rest.notes)
        text = raw.decode(encoding, "replace").replace("�", "")
        return Decoded(text, encoding, (f"bytes that are no {encoding} are left out",))


def _with_zeros(raw: bytes) -> Decoded:
    """Tell UTF-16 without a mark from a text with stray zero bytes."""
    half = max(len(raw) // 2, 1)
    if raw[1::2].count(0) / half > _ZEROS:
        return Decoded(raw.decode("utf-16-le", "ignore"), "utf-16-le")
    if raw[::2].count(0) / half > _ZEROS:
        return Decoded(raw.decode("utf-16-be", "ignore"), "utf-16-be")
    rest = decode(raw.replace(b"\0", b""))
    return Decoded(rest.text, rest.encoding, (*rest.notes, f"{raw.count(0)} zero bytes are left out"))


def _by_lines(raw: bytes) -> Decoded:
    lines, wide, narrow = [], 0, 0
    for line in raw.split(b"\n"):
        try:
            lines.append(line.decode("utf-8"))
            wide += not line.isascii()
        except UnicodeDecodeError:
            lines.append(_narrow(line))
            narrow += 1
    if not wide:
        return Decoded("\n".join(lines), "cp1252")
    note = f"mixed encodings: {wide} lines are UTF-8, {narrow} lines are read as Windows-1252"
    return Decoded("\n".join(lines), "utf-8 and cp1252", (note,))


def _narrow(line: bytes) -> str:
    """Return Windows-1252, and Latin-1 for the five bytes that it does not have."""
    try:
        return line.decode("cp1252")
    except UnicodeDecodeError:
        return line.decode("latin-1")
