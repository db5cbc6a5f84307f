"""Whether two run folders hold the same results: every file that a run's outcome rests on, times left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.final_report import without_times

JSON_LINES = {
    "problems and split": ("problems.jsonl", "split.json"),
    "candidates": ("iteration_*/candidates.jsonl", "final/sample_only.jsonl"),
    "solved set": ("iteration_*/solved_problems/*",),
    "training rows": ("iteration_*/train.jsonl", "iteration_*/dataset_stats.json"),
    "models": (
        "base/*.safetensors", "base/*.json", "iteration_*/*model/*.safetensors", "iteration_*/*model/config.json",
        "iteration_*/*model/tokenizer.json",
    ),
    "evaluation rows": ("*/evaluation/*.jsonl",),
    "diagnosis": ("iteration_*/diagnosis.json",),
    "report": ("final_report.json",),
}  # fmt: skip
"""What is compared -> the files that hold it."""


@dataclass(frozen=True)
class Part:
    """One kind of result in both folders. `difference` names the first, None: equal."""

    name: str
    files: int
    rows: int
    difference: str | None


def compare_runs(expected: Path, found: Path) -> list[Part]:
    """Return one Part per kind of result, in the order in which a run makes them."""
    return [compare_part(name, patterns, expected, found) for name, patterns in JSON_LINES.items()]


def compare_part(name: str, patterns: tuple[str, ...], expected: Path, found: Path) -> Part:
    paths = [sorted({p.relative_to(run) for g in patterns for p in run.glob(g)}) for run in (expected, found)]
    difference = None
    if paths[0] != paths[1]:
        odd = sorted(set(paths[0]) ^ set(paths[1]))[0]
        difference = f"{odd} is only in {expected if odd in paths[0] else found}"
    differences = (first_difference(path, expected, found) for path in sorted({*paths[0]} & {*paths[1]}))
    difference = difference or next((text for text in differences if text), None)
    rows = sum(len(content_of(expected / path)) for path in paths[0])
    return Part(name, len(paths[0]), rows, difference)


def first_difference(path: Path, expected: Path, found: Path) -> str | None:
    """Return where the two versions of a file part first, or None."""
    left, right = content_of(expected / path), content_of(found / path)
    for number, (a, b) in enumerate(zip(left, right, strict=False), 1):
        if a != b:
            return f"{path}, row {number}: " + next(differing_values("", a, b))
    return f"{path}: {len(left)} rows, and {len(right)}" if len(left) != len(right) else None


def differing_values(key: str, a: Any, b: Any) -> Iterator[str]:
    """Yield the dotted keys whose values differ, with both values."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(a.keys() | b.keys()):
            if a.get(name) != b.get(name):
                yield from differing_values(f"{key}.{name}".lstrip("."), a.get(name), b.get(name))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            if x != y:
                yield from differing_values(f"{key}[{i}]", x, y)
    else:
        yield f"{key or 'value'} was {a!r:.200}, is {b!r:.200}"


def content_of(path: Path) -> list[Any]:
    """Return what of a file must be equal, row by row: no seconds, and a digest of anything but text."""
    read = READERS.get(path.suffix, digest_of)
    return read(path)


def _lines(path: Path) -> list[Any]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def _json(path: Path) -> list[Any]:
    content = without_times(json.loads(path.read_text(encoding="utf-8")))
    return [content]


def digest_of(path: Path) -> list[Any]:
    return [hashlib.sha256(path.read_bytes()).hexdigest()]


READERS: dict[str, Callable[[Path], list[Any]]] = {".jsonl": _lines, ".json": _json}
