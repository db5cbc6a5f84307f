"""report.html opens without network or errors, and what a model wrote stays text."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_final_report import HOSTILE, RunShape, make_run

from bootstrap.run_store import RunStore
from bootstrap.visible_text import LONGEST, visible
from eval.final_report import RunFiles, build_report
from eval.report_html import headline_sentences, render_report

SMALL = RunShape(train=60, held_out=30)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")


class Tags(HTMLParser):
    """Collects tags and the addresses that a page would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


def page_of(folder: Path, shape: RunShape) -> str:
    files = RunFiles(RunStore(make_run(folder, shape)))
    return render_report(build_report(files), files)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(tmp_path_factory.mktemp("outputs") / "demo", SMALL)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(tmp_path_factory.mktemp("outputs") / "demo", replace(SMALL, hostile=True))


def test_the_page_has_every_section_of_a_finished_run(page: str) -> None:
    for section in ("curves", "iterations", "outcomes", "difficulty", "changes", "candidates", "time", "setup"):
        assert f'<section id="{section}">' in page
    for text in (
        "polars",
        "2.13.0",
        "level 3 of 3",
        "sampling.temperature",
        "bootstrap_loop.py --config",
        "touched once",
    ):
        assert text in page


def test_the_page_loads_nothing_from_elsewhere(page: str) -> None:
    tags = Tags(page)
    loaded = [value for name, value in tags.attributes if name in ("src", "href", "xlink:href", "action")]
    assert all(value.startswith("#") for value in loaded)
    assert not {"link", "iframe", "img", "object", "base"} & set(tags.names)
    assert "url(http" not in page and "@import" not in page


def test_hostile_candidates_stay_text(hostile: str) -> None:
    tags = Tags(hostile)
    assert "img" not in tags.names and tags.names.count("script") == 1
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;{{ 7*7 }}\\u0000\\u202e" in hostile
    assert "\x00" not in hostile and "\u202e" not in hostile


def test_hidden_characters_are_written_out_and_long_text_is_cut() -> None:
    assert visible("a\tb\nc\u2028\ud800\x1b[2J") == "a\tb\nc\\u2028\\ud800\\u001b[2J"
    assert visible("é → 漢字") == "é → 漢字"
    assert visible("x" * (LONGEST + 5)).endswith("(5 more characters)")


def test_the_policy_admits_the_one_script_that_is_there(page: str) -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy.startswith("default-src &#39;none&#39;") or policy.startswith("default-src 'none'")
    assert "sha256-" in policy and "unsafe-inline" not in policy.split("script-src")[1]


@pytest.mark.parametrize(
    "shape",
    [
        replace(SMALL, control_skill=None),
        replace(SMALL, finished=False, skill=(0.2, 0.4)),
        replace(SMALL, finished=False, skill=(0.2,)),
        replace(SMALL, finished=False, skill=()),
    ],
    ids=["no controls", "unfinished", "only iteration 0", "nothing yet"],
)
def test_missing_parts_leave_no_empty_sections(tmp_path: Path, shape: RunShape) -> None:
    text = page_of(tmp_path / "demo", shape)
    assert "None" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)
    assert ('<section id="difficulty">' in text) == shape.finished
    assert ("not finished" in text) == (not shape.finished)


def test_sentences_give_intervals_and_name_the_control(tmp_path: Path) -> None:
    report = build_report(RunFiles(RunStore(make_run(tmp_path / "demo"))))
    first, second, third = headline_sentences(report)
    assert "touched once" in first and "95 % interval" in first and "p\u00a0<\u00a00.0001" in first
    assert "seeds alone" in second and "37 of 100" in third


@pytest.mark.chromium
@needs_chromium
@pytest.mark.parametrize("name", ["page", "hostile"])
def test_a_browser_shows_the_page_without_an_error(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "report.html"
    path.write_text(request.getfixturevalue(name), encoding="utf-8")
    browser = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--enable-logging=stderr", "--v=0", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert browser.returncode == 0
    assert [line for line in browser.stderr.splitlines() if "CONSOLE" in line] == []
    assert '<body class="js">' in browser.stdout  # our script ran to its end under the page's policy
    assert "<img" not in browser.stdout and HOSTILE not in browser.stdout
