"""Where the time of a finished run went, and the share of it in which neither training nor sampling ran."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bootstrap.config import changed_keys, load_config
from bootstrap.errors import UserError
from bootstrap.files import read_json
from bootstrap.run_store import RunStore
from eval.bench_table import Section
from eval.final_report import BUSY_FIELDS
from eval.report_shape import RUNNING

IDLE_AIM = 0.10
MAKE_ONE = "make one with: make demo (about 6 minutes)"


def find_run(run_dir: Path | None, config: Path, outputs: Path = Path("outputs")) -> RunStore | None:
    """Return the run to read: the one that was named, else the newest finished run of `config`, whatever its seed.

    Raises UserError when the folder that was named holds no finished run.
    """
    if run_dir is not None:
        store = RunStore(run_dir)
        if not is_finished(store):
            raise UserError(f"--run-dir {run_dir} holds no finished run (no final_report.json with an end); {MAKE_ONE}")
        return store
    stores = [RunStore(path.parent) for path in outputs.glob("*/final_report.json")]
    fitting = [store for store in stores if is_finished(store) and has_config(store, config)]
    return max(fitting, key=lambda store: store.final_report_file.stat().st_mtime, default=None)


def is_finished(store: RunStore) -> bool:
    if not store.exists or not store.final_report_file.is_file():
        return False
    return read_json(store.final_report_file)["stopped_because"] != RUNNING


def has_config(store: RunStore, config: Path) -> bool:
    try:
        return changed_keys(load_config(config, {}), store.config()).keys() <= {"seed"}
    except UserError:  # a run of another version, whose configuration no longer reads
        return False


def stages_section(store: RunStore | None) -> Section:
    title = "Seconds by stage of a run, and the share in which neither training nor sampling ran"
    if store is None:
        return Section(title, notes=[f"There is no finished run of configs/demo.yaml in outputs/; {MAKE_ONE}"])
    report = read_json(store.final_report_file)
    busy = busy_by_stage(store)
    total = report["seconds_total"]
    rows = [stage_row(stage, seconds, busy.get(stage), total) for stage, seconds in by_size(report)]
    idle = report["timing"]["idle_share"]
    said = "not recorded by this run" if idle is None else f"{idle:.1%} of {total:,.0f} s (aim: at most {IDLE_AIM:.0%})"
    figures = {"run": str(store.root), "seconds_by_stage": report["seconds_by_stage"], "seconds_busy": busy,
               "seconds_total": total, "idle_share": idle, "aim": IDLE_AIM}  # fmt: skip
    columns = ("stage", "seconds", "of the run", "busy s", "idle s")
    notes = [f"run {store.root}, made {store.run_row()['created']}", f"Neither trained nor sampled: {said}"]
    return Section(title, columns, rows, notes, figures)


def by_size(report: Mapping[str, Any]) -> list[tuple[str, float]]:
    return sorted(report["seconds_by_stage"].items(), key=lambda item: -item[1])


def stage_row(stage: str, seconds: float, busy: float | None, total: float) -> list[str]:
    busy = busy or 0.0
    return [stage, f"{seconds:.1f}", f"{seconds / total:.1%}", f"{busy:.1f}", f"{seconds - busy:.1f}"]


def busy_by_stage(store: RunStore) -> dict[str, float]:
    """Return the seconds in which a model was trained or sampled, summed over the iterations."""
    found: dict[str, float] = {}
    for folder in [*store.iterations(), store.final]:
        for stage, record in store.metadata(folder)["stages"].items():
            if stage in BUSY_FIELDS:
                found[stage] = found.get(stage, 0.0) + (record.get(BUSY_FIELDS[stage]) or 0.0)
    return {stage: round(seconds, 1) for stage, seconds in found.items()}
