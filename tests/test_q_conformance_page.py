"""The page on the q subset: what it says is refused is refused, and every miss of a replay stands on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ROOT

from eval.bench_q import main
from eval.q_conformance import GAPS, Replay, conformance_page
from interpreters.q_subset import VERSION, Unsupported, Workspace


@pytest.mark.parametrize("expression", [expression for _, expression in GAPS])
def test_every_known_gap_is_refused(expression: str) -> None:
    with pytest.raises(Unsupported):
        Workspace().evaluate(expression)


def test_the_page_shows_counts_and_misses() -> None:
    replays = [
        Replay("a.md", 1, "1+1", "2", "2", "agrees"),
        Replay("b.md", 7, "`a|b", "1\n2", "`3|4", "differs"),
        Replay("b.md", 9, "1?10", "5", "random numbers", "unsupported"),
    ]
    page = conformance_page(replays)
    assert "| agrees | 1 | 33.3% |" in page and "| b.md | 0 | 1 | 1 |" in page
    assert "| b.md:7 | `` `3\\|4 `` |" in page and "1\\n2" not in page
    assert "| b.md:9 | `random numbers` |" in page


def test_the_program_writes_the_page(tmp_path: Path) -> None:
    data = tmp_path / "sessions.jsonl"
    data.write_text('{"page": "p", "line": 1, "setup": [], "expr": "1+1", "expected": "2"}\n', encoding="utf-8")
    assert main(["--data", str(data), "--page", str(tmp_path / "page.md")]) == 0
    assert "None." in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_the_page_in_docs_is_of_this_version() -> None:
    page = (ROOT / "docs" / "q_conformance.md").read_text(encoding="utf-8")
    assert f"`interpreters/q_subset` {VERSION} " in page
    assert all(what.replace("|", "\\|") in page for what, _ in GAPS)
