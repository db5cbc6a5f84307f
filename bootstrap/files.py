"""Writing files so that a kill at any moment leaves either the old or the new content, and reading JSONL back."""

from __future__ import annotations

import itertools
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bootstrap.errors import UserError
from bootstrap.records import dump_line

log = logging.getLogger(__name__)


def write_text_atomic(path: Path, text: str) -> None:
    """Replace the file by temp file in the same folder, fsync and rename."""
    write_bytes_atomic(path, text.encode("utf-8", "surrogatepass"))


def write_bytes_atomic(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as e:
        temporary.unlink(missing_ok=True)
        raise disk_error(path, e) from e
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_error(path: Path, error: OSError) -> UserError:
    """Return the sentence for a write that failed."""
    return UserError(
        f"cannot write {path}: {error.strerror or error}. What was finished before is kept; "
        "make room or fix the permissions, then start again with --resume"
    )


def write_json(path: Path, row: Mapping[str, Any]) -> None:
    write_text_atomic(path, json.dumps(row, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; a broken one is a UserError that names it."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise UserError(f"{path} is missing: the run folder is not complete") from e
    except ValueError as e:
        raise UserError(f"{path} is not JSON ({e}): restore it from a copy, or move it away") from e
    if not isinstance(row, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(row).__name__}")
    return row


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a whole JSONL file atomically."""
    write_text_atomic(path, "".join(dump_line(row) for row in rows))


def append_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append rows with one flush to disk. After a failed write the file may end in a torn line; reading drops it."""
    try:
        with open(path, "ab") as file:
            file.write("".join(dump_line(row) for row in rows).encode("utf-8", "surrogatepass"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as e:
        raise disk_error(path, e) from e


def read_jsonl(path: Path, *, mend: bool = False) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file.

    A torn last line (no newline, or half a row) is dropped with a warning, and cut from the file when `mend`; any
    other line that is not a JSON object is a UserError that names the line.
    """
    return list(each_jsonl(path, mend=mend))


def each_jsonl(path: Path, *, mend: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSONL file one by one, as read_jsonl; what is appended meanwhile is not read."""
    if not path.exists():
        return
    good = 0  # bytes of whole rows
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        for number in itertools.count(1):  # noqa: B007 - the messages below name it
            line = file.readline(size - good)
            if not line:
                return
            row = _parse(line) if line.endswith(b"\n") else None
            if row is not None:
                yield row
            elif line.strip():
                break
            good += len(line)
        rest = file.read(size - file.tell())
    if rest.strip():
        raise UserError(
            f"{path}, line {number}: expected one JSON object per line, found {line.rstrip()[:60]!r}; "
            "take the line out (keep a copy) and start again with --resume"
        )
    log.warning("%s: line %d is torn and is dropped; its work is done again", path, number)
    if mend:
        write_bytes_atomic(path, path.read_bytes()[:good])


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line.decode("utf-8", "surrogatepass"))
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
