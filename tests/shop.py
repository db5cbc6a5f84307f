"""A small folder in the layout of the text2sql source: two shops in Oslo, one in Rome, and four sales."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bootstrap.records import digest

SHOP = """
CREATE TABLE shop (id BIGINT, town TEXT, opened DATE, "floor space" DOUBLE PRECISION);
CREATE TABLE sale (shop_id BIGINT, moment TIMESTAMP, amount DOUBLE PRECISION, note TEXT);
INSERT INTO shop VALUES (1, 'Oslo', '2001-02-03', 10.5), (2, 'Rome', '2002-02-03', NULL), (3, 'Oslo', NULL, 20);
INSERT INTO sale VALUES
(1, '2024-01-01 10:00:00', 5, 'a;b'), (1, '2024-01-02 10:00:00', 7.5, NULL),
(2, '2024-01-02 11:30:00', 7.5, 'it''s'), (3, '2024-01-03 00:00:00', 1, '');
"""


def line(gold: str, columns: str, expected: list[list[Any]], **changes: Any) -> dict[str, Any]:
    row = {
        "id": digest(gold), "db_id": "shop", "db_file": "databases/shop.sql",
        "question": "Which?", "gold_sql": gold, "columns": columns.split(), "expected": expected,
        "ordered": "ORDER BY" in gold, "features": ["order", "limit"],
    }  # fmt: skip
    return {**row, **changes}


def write_folder(folder: Path, *lines: dict[str, Any], engine: str = "duckdb") -> Path:
    (folder / "databases").mkdir(exist_ok=True)
    (folder / "databases" / "shop.sql").write_text(SHOP, encoding="utf-8")
    (folder / f"{engine}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines), encoding="utf-8")
    return folder
