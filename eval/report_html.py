"""Render report.html: one file that needs no network and works with JavaScript off.

What a model wrote is hostile text. Three things keep it text: the template escapes every value, control and direction
characters are replaced by visible ones, and the page's own policy lets no script run but the one whose digest it names.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.files import read_jsonl
from bootstrap.summary_diagnosis import cause_sentence, promotion_sentence
from bootstrap.visible_text import render_page
from eval.final_report import RunFiles
from eval.gpu_curve import gpu_svg, read_gpu
from eval.paired import SampleOnlyControl, TestReport
from eval.report_shape import RUNNING, FinalReport, SeedOnlyControl

PASSING, FAILING = 3, 1  # candidates shown per iteration: of PASSED, and of every other verdict
CHANGES = {"won": 4, "lost": 2, "failed by both": 2}

COLOURS = {  # Okabe-Ito, with greys for the rare ones
    "PASSED": "#009e73", "WRONG_ANSWER": "#e69f00", "RUNTIME_ERROR": "#d55e00", "SYNTAX_ERROR": "#cc79a7",
    "TIMEOUT": "#56b4e9", "MEMORY_EXCEEDED": "#0072b2", "OUTPUT_EXCEEDED": "#f0e442", "FORBIDDEN": "#111827",
    "NO_RESULT": "#9ca3af", "UNSUPPORTED": "#d1d5db", "INFRA": "#7f1d1d",
}  # fmt: skip

SCRIPT = """
document.body.classList.add("js");
document.querySelectorAll("button[data-show]").forEach(function (button) {
  button.addEventListener("click", function () {
    document.querySelectorAll("button[data-show]").forEach(function (other) {
      other.setAttribute("aria-pressed", String(other === button));
    });
    document.querySelectorAll("[data-outcome]").forEach(function (item) {
      item.hidden = button.dataset.show !== "" && item.dataset.outcome !== button.dataset.show;
    });
  });
});
"""


ROUTE_WORDS = {"given": "given", "rules": "translated by rules", "teacher": "by a teacher model"}


@dataclass(frozen=True)
class Card:
    kind: str
    title: str
    value: str
    note: str


@dataclass(frozen=True)
class Answer:
    model: str
    outcome: str
    code: str
    message: str


@dataclass(frozen=True)
class Change:
    """One test problem as the base and the best model answered it."""

    kind: str
    problem_id: str
    statement: str
    answers: tuple[Answer, Answer]


@dataclass(frozen=True)
class Sample:
    """One candidate to show."""

    problem_id: str
    sample_index: int
    statement: str
    outcome: str
    code: str
    message: str


@dataclass(frozen=True)
class Bar:
    name: str
    percent: float
    seconds: float


def render_report(report: FinalReport, files: RunFiles) -> str:
    """Return the page for a run, finished or not."""
    from markupsafe import Markup

    from eval.curves import curves_svg

    script_hash = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    ks = dict.fromkeys(k for row in report.iterations if row.dev for k in row.dev.pass_at_k if k != "1")
    statements = {row["problem_id"]: row["statement"] for row in read_jsonl(files.store.problems_file)}
    samples = [(row.iteration, _samples(files, row.iteration, statements)) for row in report.iterations]
    return render_page(
        Path(__file__).with_name("report.html.jinja"),
        report=report,
        run={"resume_command": None, "versions": {}, **files.run},
        sentences=headline_sentences(report),
        cards=_cards(report),
        curves=Markup(curves_svg(report)),
        ks=list(ks),
        taxonomy=_taxonomy(report),
        outcomes=[{"name": name, "colour": COLOURS[name]} for name in _outcomes(report)],
        diagnoses=[row.diagnosis for row in report.iterations if row.diagnosis],
        causes=[cause_sentence(cause) for cause in report.causes],
        promotions=[promotion_sentence(d) for row in report.iterations if (d := row.diagnosis) and d.iteration],
        gpu_curve=Markup(gpu_svg(read_gpu(files.gpu_files))),
        changes=_changes(files, statements) if report.test else [],
        samples=[(iteration, items) for iteration, items in samples if items],
        sample_outcomes=_by_palette({item.outcome for _, items in samples for item in items}),
        stages=_stages(report),
        facts=_facts(report, files),
        settings=list(_flat(files.run.get("settings", {}))),
        script=Markup(SCRIPT),
        script_hash=f"sha256-{script_hash}",
    )


def headline_sentences(report: FinalReport) -> list[str]:
    """Return what the run showed so far, in sentences with intervals; also the end of the terminal summary."""
    said = _test_sentences(report.test) if report.test else _dev_sentences(report)
    for control in report.controls:
        if isinstance(control, SampleOnlyControl):
            said.append(
                f"Sampling without training solved {control.solved:,} of {control.problems:,} training problems "
                f"({_points(control.solved_ci95)} %), the loop {control.loop_solved:,} of the same "
                f"({_points(control.loop_solved_ci95)} %)."
            )
    return said


def _test_sentences(test: TestReport) -> list[str]:
    said = [
        f"On {test.n:,} held-out test problems, touched once, pass@1 went from {_percent(test.base.pass_at_1)} "
        f"to {_percent(test.best.pass_at_1)} (iteration {test.best.iteration}): "
        f"{_gain(test.difference, test.ci95, test.p_value)}."
    ]
    if test.seed_only and test.vs_seed_only:
        against = test.vs_seed_only
        said.append(
            "The control with the same training steps on the seeds alone reached "
            f"{_percent(test.seed_only.pass_at_1)}; the loop is ahead of it by "
            f"{_gain(against.difference, against.ci95, against.p_value)}."
        )
    return said


def _dev_sentences(report: FinalReport) -> list[str]:
    measured = [row for row in report.iterations if row.dev]
    best = next((row for row in measured if row.iteration == report.best_iteration), None)
    if report.base is None or best is None or best.dev is None:
        return ["Nothing has been measured yet."]
    return [
        f"On dev, pass@1 went from {_percent(report.base.pass_at_1)} ({_points(report.base.pass_at_1_ci95)}) to "
        f"{_percent(best.dev.pass_at_1)} ({_points(best.dev.ci95)}) in iteration {best.iteration}. "
        "The test problems have not been touched."
    ]


def _percent(share: float) -> str:
    return f"{share * 100:.1f}\u00a0%"


def _points(interval: tuple[float, float]) -> str:
    return f"{interval[0] * 100:.1f} to {interval[1] * 100:.1f}"


def _gain(difference: float, ci95: tuple[float, float], p_value: float) -> str:
    p = f"p\u00a0=\u00a0{p_value:.2g}" if p_value >= 1e-4 else "p\u00a0<\u00a00.0001"
    return f"{difference * 100:+.1f} points (95 % interval {_points(ci95)}, {p})"


def _cards(report: FinalReport) -> list[Card]:
    cards = []
    if test := report.test:
        change = f"{test.base.pass_at_1 * 100:.1f} → {_percent(test.best.pass_at_1)}"
        cards.append(Card("loop", "test pass@1, base → best", change, f"best: {_points(test.best.ci95)}"))
        gain = Card("", "gain, paired", f"{test.difference * 100:+.1f} points", _points(test.ci95))
        cards.append(gain)
    elif report.base and (last := [row.dev for row in report.iterations if row.dev]):
        change = f"{report.base.pass_at_1 * 100:.1f} → {_percent(last[-1].pass_at_1)}"
        cards.append(Card("loop", "dev pass@1, base → newest", change, f"newest: {_points(last[-1].ci95)}"))
    for control in report.controls:
        if isinstance(control, SeedOnlyControl):
            on_test = report.test.seed_only if report.test else None
            rate, interval = (on_test.pass_at_1, on_test.ci95) if on_test else (control.pass_at_1, control.ci95)
            title = f"control: seeds only ({'test' if on_test else 'dev'})"
            cards.append(Card("control", title, _percent(rate), _points(interval)))
    solved = [row.solved_by_loop for row in report.iterations if row.solved_by_loop is not None]
    if solved and report.problems:
        note = f"of {report.problems.to_solve:,} that came without a solution"
        cards.append(Card("", "training problems solved", f"{solved[-1]:,}", note))
    return cards


def _outcomes(report: FinalReport) -> list[str]:
    return _by_palette({name for row in report.iterations for name in row.outcomes or {}})


def _by_palette(names: Iterable[str]) -> list[str]:
    return sorted(names, key=list(COLOURS).index)


def _taxonomy(report: FinalReport) -> list[dict[str, Any]]:
    """Return one stacked bar per iteration that sampled."""
    bars = []
    for row in report.iterations:
        total = sum((row.outcomes or {}).values())
        numbers = [(name, (row.outcomes or {}).get(name, 0)) for name in _outcomes(report)]
        parts = [
            {"outcome": name, "number": number, "percent": round(100 * number / total, 1), "colour": COLOURS[name]}
            for name, number in numbers
            if number
        ]
        if parts:
            bars.append({"iteration": row.iteration, "total": total, "parts": parts})
    return bars


def _samples(files: RunFiles, iteration: int, statements: Mapping[str, str]) -> list[Sample]:
    """Return a few candidates of every verdict. The digest decides: order in the file and our taste do not."""
    by_outcome: dict[str, list[Mapping[str, Any]]] = {}
    for row in read_jsonl(files.store.candidates_file(iteration)):
        by_outcome.setdefault(row["outcome"], []).append(row)
    picked: list[Sample] = []
    for outcome in _by_palette(by_outcome):
        rows = _pick(by_outcome[outcome], PASSING if outcome == "PASSED" else FAILING)
        picked += (
            Sample(
                problem_id=row["problem_id"], sample_index=row["sample_index"], outcome=outcome, code=row["code"],
                message=row["message"], statement=statements.get(row["problem_id"], ""),
            )
            for row in rows
        )  # fmt: skip
    return picked


def _pick(rows: Iterable[Mapping[str, Any]], number: int) -> list[Mapping[str, Any]]:
    def key(row: Mapping[str, Any]) -> tuple[bytes, str, int]:
        name, index = str(row["problem_id"]), row.get("sample_index", 0)
        return hashlib.sha256(f"{name}/{index}".encode("utf-8", "surrogatepass")).digest(), name, index

    return heapq.nsmallest(number, rows, key=key)


def _changes(files: RunFiles, statements: Mapping[str, str]) -> list[Change]:
    """Return test problems that the best model won or lost against the base, and some that neither solves."""
    base, best = ({row["problem_id"]: row for row in read_jsonl(files.test_rows(model))} for model in ("base", "best"))
    kinds: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in CHANGES}
    for problem_id, row in base.items():
        passed = row["outcome"] == "PASSED", best[problem_id]["outcome"] == "PASSED"
        kind = {(False, True): "won", (True, False): "lost", (False, False): "failed by both"}.get(passed)
        if kind:
            kinds[kind].append(row)
    return [
        Change(
            kind, row["problem_id"], statements.get(row["problem_id"], ""),
            (_answer("base", row), _answer("best", best[row["problem_id"]])),
        )
        for kind, rows in kinds.items()
        for row in _pick(rows, CHANGES[kind])
    ]  # fmt: skip


def _answer(model: str, row: Mapping[str, Any]) -> Answer:
    return Answer(model, row["outcome"], row["code"], row["message"])


def _stages(report: FinalReport) -> list[Bar]:
    total = report.seconds_total or 1.0
    shares = [Bar(name, round(100 * s / total, 1), s) for name, s in report.seconds_by_stage.items()]
    return sorted(shares, key=lambda bar: (-bar.seconds, bar.name))


def _facts(report: FinalReport, files: RunFiles) -> list[tuple[str, str]]:
    counts = report.problems
    facts: list[tuple[str, Any]] = [
        ("base model", report.base_model),
        ("started", files.run.get("created")),
        ("commit", files.run.get("git_commit")),
        ("sandbox", files.run.get("sandbox")),
        ("state", "not finished" if report.stopped_because == RUNNING else f"stopped: {report.stopped_because}"),
    ]
    if counts:
        routes = ", ".join(f"{count:,} {ROUTE_WORDS[route]}" for route, count in counts.seeds_by_route.items())
        split = f"{counts.train:,} train, {counts.dev:,} dev, {counts.test:,} test, {counts.seeds:,} seeds ({routes})"
        facts.append(("problems", f"{split}, {counts.quarantined:,} quarantined"))
    facts.append(("verifier", report.audit))
    return [(name, str(value)) for name, value in facts if value]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the settings under dotted names, as the command line takes them."""
    for name, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
