"""Draw the curves of a run: held-out pass@1 and solved problems by iteration, with the controls beside them.

Colours are from the Okabe-Ito palette, which colour-blind readers tell apart; shape and dash say the same once more.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from eval.paired import SampleOnlyControl, TestReport
from eval.report_shape import FinalReport, SeedOnlyControl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LOOP, CONTROL, BASE, INK, FAINT = "#0072B2", "#D55E00", "#6b7280", "#1f2933", "#d9dee5"
Point = tuple[int, float, tuple[float, float]]  # iteration, pass@1, its interval
Bar = tuple[str, float, tuple[float, float], str, str]  # name, rate, its interval, colour, marker
_STYLE: dict[Any, Any] = {
    "font.size": 12,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa5b1",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 14,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.fontsize": 11,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "curves",  # else ids differ from run to run
}


def curves_png(report: FinalReport) -> bytes:
    return _render(report, "png")


def curves_svg(report: FinalReport) -> str:
    """Return an <svg> element to put into a page, without XML prologue."""
    text = _render(report, "svg").decode("utf-8")
    return text[text.index("<svg") :]


def _render(report: FinalReport, kind: Literal["png", "svg"]) -> bytes:
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    sampling = next((control for control in report.controls if isinstance(control, SampleOnlyControl)), None)
    widths = {"dev": 1.6, "test": 0.85 if report.test else 0, "solved": 1.35, "sampling": 0.65 if sampling else 0}
    out = io.BytesIO()
    with _figure() as figure:
        panels = {name: width for name, width in widths.items() if width}
        axes: dict[str, Axes] = figure.subplot_mosaic([list(panels)], width_ratios=list(panels.values()))
        _draw_accuracy(axes["dev"], report)
        if report.test:
            _draw_test(axes["test"], report.test)
        _draw_solved(axes["solved"], report)
        if sampling:
            _draw_sampling(axes["sampling"], sampling)
        figure.savefig(out, format=kind, dpi=160, metadata=metadata)
    return out.getvalue()


@contextmanager
def _figure() -> Iterator[Figure]:
    """Give a figure of its own canvas (no pyplot, so no global state and no window system)."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(11.0, 4.3), layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        yield figure


def _draw_accuracy(axes: Axes, report: FinalReport) -> None:
    points = [(row.iteration, row.dev.pass_at_1, row.dev.ci95) for row in report.iterations if row.dev]
    _draw_line(axes, points, LOOP, "the loop", "-", "o")
    for control in report.controls:
        if isinstance(control, SeedOnlyControl):
            _draw_line(axes, _control_points(control, points), CONTROL, "control: seeds only, same steps", "--", "s")
    _frame(axes, "Held-out problems", "pass@1 (%)")
    _count_iterations(axes, report)
    if points:
        legend = axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 0.985), ncols=2, columnspacing=1.2)
        legend.set_in_layout(False)  # it may reach over the next panel; the title's padding keeps the room
    else:
        axes.text(0.5, 0.5, "nothing measured yet", transform=axes.transAxes, ha="center", color=BASE)


def _control_points(control: SeedOnlyControl, loop: Sequence[Point]) -> list[Point]:
    """Return the control's points; both lines start at iteration 0, where the two models are the same."""
    points = [(point.iteration, point.pass_at_1, point.ci95) for point in control.dev_by_iteration]
    return [*loop[:1], *points] if loop and loop[0][0] == 0 and points[0][0] > 0 else points


def _draw_line(axes: Axes, points: Sequence[Point], colour: str, label: str, dash: str, marker: str) -> None:
    x = [point[0] for point in points]
    low, high = ([100 * point[2][side] for point in points] for side in (0, 1))
    axes.fill_between(x, low, high, color=colour, alpha=0.14, linewidth=0)
    axes.plot(x, [100 * point[1] for point in points], dash, marker=marker, color=colour, linewidth=2.2, label=label)


def _draw_test(axes: Axes, test: TestReport) -> None:
    bars: list[Bar] = [("base", test.base.pass_at_1, test.base.ci95, BASE, "D")]
    if test.seed_only:
        bars.append(("seeds", test.seed_only.pass_at_1, test.seed_only.ci95, CONTROL, "s"))
    bars.append(("loop", test.best.pass_at_1, test.best.ci95, LOOP, "o"))
    _draw_bars(axes, bars)
    _frame(axes, "", f"test, once\n({test.n:,} problems)")


def _draw_sampling(axes: Axes, control: SampleOnlyControl) -> None:
    """Show what the first model alone solves of a subset, and what the loop solved of the same problems."""
    resampled = ("resample", control.solved_rate, control.solved_ci95, BASE, "D")
    _draw_bars(axes, [resampled, ("loop", control.loop_solved_rate, control.loop_solved_ci95, LOOP, "o")])
    _frame(axes, "", f"control, on\n{control.problems:,} of them")


def _draw_bars(axes: Axes, bars: Sequence[Bar]) -> None:
    for x, (_, rate, interval, colour, marker) in enumerate(bars):
        y, (low, high) = 100 * rate, (100 * bound for bound in interval)
        axes.errorbar(x, y, [[y - low], [high - y]], color=colour, marker=marker, markersize=8, capsize=5, linewidth=2)
        axes.annotate(f"{y:.1f}", (x, high), (0, 5), textcoords="offset points", ha="center", color=colour)
    axes.set_xlim(-0.6, len(bars) - 0.4)
    axes.set_xticks(range(len(bars)), [bar[0] for bar in bars], fontsize=11)
    axes.tick_params(axis="x", length=0)
    axes.tick_params(axis="y", labelleft=False, length=0)
    axes.spines["left"].set_visible(False)


def _draw_solved(axes: Axes, report: FinalReport) -> None:
    total = report.problems.to_solve if report.problems else 0
    points = [(row.iteration, row.solved_by_loop) for row in report.iterations if row.solved_by_loop is not None]
    _frame(axes, "Training problems solved so far", f"share of {total:,} (%)" if total else "share (%)")
    _count_iterations(axes, report)
    if not (points and total):
        return
    axes.plot([0, *(i for i, _ in points)], [0, *(100 * n / total for _, n in points)], "-o", color=LOOP, linewidth=2.2)
    for iteration, solved in points if len(points) <= 8 else points[-1:]:
        at = (iteration, 100 * solved / total)
        axes.annotate(f"{solved:,}", at, (3, -15), textcoords="offset points", ha="left", color=LOOP)


def _frame(axes: Axes, title: str, label: str) -> None:
    """Give the axes the scale that all panels share; `label` names the y axis, or a panel that has none."""
    axes.set_title(title, pad=30)
    if title:
        axes.set_ylabel(label)
    else:
        axes.set_xlabel(label, fontsize=11)
    axes.set_ylim(0, 102)
    axes.set_yticks(range(0, 101, 20))
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)


def _count_iterations(axes: Axes, report: FinalReport) -> None:
    last = max((row.iteration for row in report.iterations), default=0)
    axes.set_xlabel("iteration of the loop")
    axes.set_xlim(-0.04 * max(last, 1), max(last, 1) * 1.14)
    axes.set_xticks(range(0, last + 1, (last + 9) // 10 or 1))
