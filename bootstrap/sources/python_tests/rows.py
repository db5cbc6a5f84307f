"""The rows of a data set: from a JSONL file, from a folder of them, or from the Hugging Face hub."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bootstrap.errors import UserError

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")
Row = Mapping[str, Any]


def read_rows(path: str, split: str, dropped: Counter[str]) -> Iterator[Row]:
    """Yield the rows; a line that is no JSON object is counted in `dropped`.

    `path`: a file, a folder whose *.jsonl files are read in order, or, where no such path exists, a name on the hub
    like `owner/name` or `owner/name:configuration`. Raises UserError.
    """
    place = Path(path)
    if place.is_dir():
        files = sorted(place.glob("*.jsonl"))
        if not files:
            raise UserError(f"source.options.path: no *.jsonl file in the folder {place}")
        for file in files:
            yield from _lines(file, dropped)
    elif place.is_file():
        yield from _lines(place, dropped)
    elif _HUB_NAME.fullmatch(path):
        yield from _from_hub(path, split)
    else:
        raise UserError(f"source.options.path: no file or folder {place}, and no name on the hub like owner/name")


def _lines(file: Path, dropped: Counter[str]) -> Iterator[Row]:
    with file.open("rb") as lines:
        for line in lines:
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                dropped["the line is no JSON"] += 1
                continue
            if isinstance(row, dict):
                yield row
            else:
                dropped["the line is no JSON object"] += 1


def _from_hub(path: str, split: str) -> Iterator[Row]:
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            f"source.options.path: {path} is no file or folder here; to read it from the hub, "
            "install the library: python -m pip install datasets"
        ) from error
    name, _, configuration = path.partition(":")
    try:
        rows = datasets.load_dataset(name, configuration or None, split=split)
    except Exception as error:  # the boundary of the library: the network, the name, the split, the format
        raise UserError(f"source.options.path: cannot read {path}, split {split}, from the hub: {error}") from error
    yield from rows


def text_field(row: Row, *names: str) -> str:
    """Return the first of the fields that holds text, "" without one."""
    return next((value for name in names if isinstance(value := row.get(name), str) and value.strip()), "")
