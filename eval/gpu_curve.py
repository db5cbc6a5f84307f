"""Load and memory of the GPUs over a run, from the gpu.jsonl of its stages: figures by stage, and a curve as SVG.

The curve has a point per sample and no gaps: time in which the loop did not run is not drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any
from xml.sax.saxutils import escape

from eval.report_shape import GpuUse

WIDTH, HEIGHT, TOP = 1000, 130, 16  # of the drawing; the stages' names stand above it
MOST_POINTS = 500
KEYS = {"stage", "time", "gpu", "utilisation", "memory_mb", "memory_total_mb"}
NAME_WIDTH = 70  # a stage that is drawn narrower has no name above it

Row = Mapping[str, Any]


def read_gpu(paths: Iterable[Path]) -> list[Row]:
    """Return the samples of the files. A line that a kill cut off, wherever it stands, is left out."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file()]
    rows = [_parse(line) for text in texts for line in text.splitlines()]
    return [row for row in rows if row is not None]


def _parse(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.keys() >= KEYS else None


def gpu_use(rows: Sequence[Row]) -> dict[str, GpuUse]:
    """Return what the samples show by stage, in the order in which the stages were first seen."""
    found = {}
    for stage in dict.fromkeys(row["stage"] for row in rows):
        own = [row for row in rows if row["stage"] == stage]
        load, used, total = (
            [row[name] for row in own if row[name] is not None]
            for name in ("utilisation", "memory_mb", "memory_total_mb")
        )
        found[stage] = GpuUse(
            samples=len(own), gpus=len({row["gpu"] for row in own}),
            utilisation_mean=round(fmean(load), 1) if load else None,
            memory_peak_mb=max(used, default=None), memory_total_mb=max(total, default=None),
        )  # fmt: skip
    return found


def gpu_svg(rows: Sequence[Row]) -> str:
    """Return an <svg> element: mean load and memory of the fullest GPU, in per cent; empty without rows."""
    moments = [_moment(list(group)) for _, group in groupby(rows, key=lambda row: (row["stage"], row["time"]))]
    if not moments:
        return ""
    step = max(1, -(-len(moments) // MOST_POINTS))
    points = [_thinned(moments[i : i + step]) for i in range(0, len(moments), step)]
    width = WIDTH / len(points)
    middle = [(i + 0.5) * width for i in range(len(points))]
    memory = " ".join(f"{x:.1f},{_y(point[2]):.1f}" for x, point in zip(middle, points, strict=True))
    load = " ".join(f"{x:.1f},{_y(point[1]):.1f}" for x, point in zip(middle, points, strict=True))
    area = f"{middle[0]:.1f},{_y(0):.1f} {memory} {middle[-1]:.1f},{_y(0):.1f}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {TOP + HEIGHT + 2}" role="img" aria-label="GPU load and memory over the run">'
        + "".join(_stages([point[0] for point in points], width))
        + f'<polygon points="{area}" fill="#c25400" fill-opacity="0.16"/>'
        + f'<polyline points="{memory}" fill="none" stroke="#c25400" stroke-width="1.5"/>'
        + f'<polyline points="{load}" fill="none" stroke="#0072b2" stroke-width="1.5"/>'
        + f'<line x1="0" x2="{WIDTH}" y1="{_y(0)}" y2="{_y(0)}" stroke="#9aa5b1"/></svg>'
    )


def _moment(rows: Sequence[Row]) -> tuple[str, float, float]:
    """Return (stage, mean load, memory of the fullest GPU), both in per cent; what is not known counts as none."""
    load = [row["utilisation"] or 0.0 for row in rows]
    memory = [100 * (row["memory_mb"] or 0.0) / row["memory_total_mb"] for row in rows if row["memory_total_mb"]]
    return rows[0]["stage"], fmean(load), max(memory, default=0.0)


def _thinned(moments: Sequence[tuple[str, float, float]]) -> tuple[str, float, float]:
    return moments[0][0], fmean(load for _, load, _ in moments), max(memory for _, _, memory in moments)


def _y(percent: float) -> float:
    return TOP + HEIGHT * (1 - min(percent, 100.0) / 100)


def _stages(names: Sequence[str], width: float) -> Iterator[str]:
    """Yield a line where each stage starts, and its name where there is room."""
    start = 0
    for name, group in groupby(names):
        count = len(list(group))
        x = start * width
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + HEIGHT}" stroke="#d9dee5"/>'
        if count * width >= NAME_WIDTH:
            yield f'<text x="{x + 3:.1f}" y="{TOP - 4}" font-size="11" fill="#5b6774">{escape(name)}</text>'
        start += count
