"""What a generation leaves besides the pairs: schemas, the pairs as chats, and as files with code for retrieval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bootstrap.files import write_json, write_jsonl
from bootstrap.generate.base import Pair
from bootstrap.generate.nl_to_polars.csv_tables import CsvTable, schema_of, schema_text

SYSTEM = (
    "You write lazy Polars code. `pl` is there, `df` is a LazyFrame of the first table, and other tables are "
    "LazyFrames by their names. Answer with one expression: one chain that begins with `df.lazy()` and ends with its "
    "one `.collect()`. Import nothing, print nothing, read no files, assign nothing, run no Python functions over "
    "values. Give the columns in the order in which they are asked for, those that rows are grouped by first."
)


def write_outputs(tables: Sequence[CsvTable], pairs: Sequence[Pair], folder: Path) -> None:
    """Write schemas.json, chat.jsonl and file_code_pair.jsonl; one id joins the rows of all of them."""
    entries = {table.name: schema_of(table) for table in tables}
    write_json(folder / "schemas.json", {"tables": list(entries.values())})
    texts = {name: schema_text(entry) for name, entry in entries.items()}
    write_jsonl(folder / "chat.jsonl", (chat(pair, texts) for pair in pairs))
    write_jsonl(folder / "file_code_pair.jsonl", (retrieval(pair, texts) for pair in pairs))


def _schemas(pair: Pair, texts: Mapping[str, str]) -> str:
    return "\n\n".join(texts[name] for name in pair.data["tables"])


def chat(pair: Pair, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return a pair as messages."""
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"{_schemas(pair, texts)}\n\n{pair.question}"},
        {"role": "assistant", "content": f"```python\n{pair.code}\n```"},
    ]
    return {"id": pair.pair_id, "messages": messages, "score": pair.data["score"]["total"]}


def retrieval(pair: Pair, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return a pair for retrieval: what a file holds, and a question about it with its code in each language."""
    codes = {"polars": pair.code, "duckdb": pair.data["duckdb"], "pandas": pair.data["pandas"]}
    return {
        "id": pair.pair_id, "files": list(pair.data["files"]), "text": _schemas(pair, texts), "question": pair.question,
        "codes": {language: code for language, code in codes.items() if code},
    }  # fmt: skip
