"""Track a run in Weights & Biases: one W&B run per iteration, and one `loop` run that holds the curves over iterations.

Offline unless WANDB_MODE says otherwise; W&B's other usual variables (WANDB_API_KEY, WANDB_PROJECT, WANDB_ENTITY, …)
keep their meaning. Everything lies in `<run folder>/wandb`; `wandb sync` on its folders uploads an offline run later.

The loop process never imports wandb. At the end of an iteration the numbers go to `wandb/metrics.json` (in one step),
and a child program beside the next stage brings W&B up to that file and exits. So the loop does not wait for wandb,
whose start takes 1.4 s, and has no wandb-core process among its children. What is published is a function of
metrics.json and of the finished iterations that it names (bootstrap.tracking_content): W&B ids follow from the run's
name and the iteration, an offline run that is written again replaces its folder, and a child that was killed is simply
run again at the next iteration.

    python -m bootstrap.tracking --run-dir outputs/RUN        # what the child does; safe to repeat by hand

What is not covered: a re-run iteration in online mode updates that run's summary, but W&B does not rewrite history
that it has received.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bootstrap.config import WandbConfig
from bootstrap.errors import UserError
from bootstrap.files import write_text_atomic
from bootstrap.tracking_content import artifacts, candidate_table

if TYPE_CHECKING:
    from wandb import Run

Mode = Literal["environment", "offline", "online", "disabled"]
Number = float | int

CLOSE_SECONDS = 60.0  # how long the end of a run waits for W&B
MODEL_SECONDS = 3600.0  # the same, where models go along (wandb.models)
_MODES = {"": "offline", "dryrun": "offline", "run": "online"}  # W&B's own names for modes, and ours for none

ROOT = Path(__file__).resolve().parents[1]
log = logging.getLogger(__name__)


class TrackerUnavailable(UserError):  # noqa: N818 - says what is wrong, like InterpreterUnavailable
    """W&B cannot be used as configured; the message says what to do."""


@dataclass(frozen=True)
class TrackedRun:
    """Everything W&B should know about a run: the content of wandb/metrics.json."""

    run_name: str
    project: str
    mode: str
    config: Mapping[str, Any]
    iterations: dict[int, dict[str, Number]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> TrackedRun:
        row = json.loads(path.read_text(encoding="utf-8"))
        iterations = {int(number): metrics for number, metrics in row.pop("iterations").items()}
        return cls(**row, iterations=dict(sorted(iterations.items())))

    @property
    def content(self) -> WandbConfig:
        """Return what is to be published beside the figures."""
        return WandbConfig.model_validate(self.config.get("wandb", {}))

    def id_of(self, part: str) -> str:
        """Return the W&B id of "loop" or "iteration-N": the same for the same run name, on any machine."""
        return f"{hashlib.sha256(self.run_name.encode()).hexdigest()[:12]}-{part}"


class Tracker:
    """What the loop sees of W&B. After a good start no failure of W&B reaches the loop: it is logged once."""

    def __init__(
        self,
        run_dir: Path,
        run_name: str,
        config: Mapping[str, Any],
        mode: Mode = "environment",
        project: str = "bootstrap-loop",
    ) -> None:
        """Raises TrackerUnavailable when W&B is wanted and cannot start here."""
        self._folder = run_dir / "wandb"
        self._child: subprocess.Popen[bytes] | None = None
        self._complained = False
        self.mode = resolve_mode(mode)
        if self.mode == "disabled":
            return
        _require_wandb(self.mode)
        self._run = TrackedRun(run_name, os.environ.get("WANDB_PROJECT", project), self.mode, config)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._metrics.is_file():
                self._run.iterations.update(TrackedRun.read(self._metrics).iterations)
        except (OSError, ValueError, TypeError, KeyError) as e:
            raise TrackerUnavailable(
                f"cannot use {self._folder} ({e}); move it away, or set wandb.mode=disabled"
            ) from e

    @property
    def _metrics(self) -> Path:
        return self._folder / "metrics.json"

    def log_iteration(self, iteration: int, metrics: Mapping[str, Number]) -> None:
        """Record the metrics of a finished iteration and return at once; nothing happens when they are known already.

        Later iterations leave the loop's curve: the run was taken back to this one.
        """
        if self.mode == "disabled":
            return
        known = self._run.iterations
        for later in [number for number in known if number >= iteration]:
            del known[later]
        known[iteration] = dict(metrics)
        try:
            _write_json(self._metrics, asdict(self._run))
            if self._child is None or self._child.poll() is not None:
                self._reap()
                self._start_if_owed()
        except (UserError, OSError, ValueError, TypeError) as e:
            self._complain(f"cannot record iteration {iteration}: {e}")

    def close(self) -> None:
        """Wait until W&B has everything, for a while; then end what is left of it. Safe to call twice."""
        if self.mode == "disabled":
            return
        seconds = MODEL_SECONDS if self._run.content.models else CLOSE_SECONDS
        try:
            if self._wait(seconds):
                self._start_if_owed()
                self._wait(seconds)
        except (OSError, ValueError) as e:
            self._complain(str(e))

    def _start_if_owed(self) -> None:
        if not _unpublished(self._folder, self._run):
            return
        with open(self._folder / "tracking.log", "ab") as out:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "bootstrap.tracking", "--run-dir", str(self._folder.parent.resolve())],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def _wait(self, seconds: float) -> bool:
        """Return whether the child, if there was one, ended well."""
        if self._child is not None:
            try:
                self._child.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self._child.pid, signal.SIGKILL)
                self._child.wait()
        return self._reap()

    def _reap(self) -> bool:
        status = 0 if self._child is None else self._child.returncode
        self._child = None
        if status:
            self._complain(f"its child ended with status {status}")
        return not status

    def _complain(self, reason: str) -> None:
        level = logging.DEBUG if self._complained else logging.WARNING
        log.log(level, "W&B: %s; the run goes on. See %s", reason, self._folder / "tracking.log")
        self._complained = True


def resolve_mode(mode: Mode) -> str:
    """Return "offline", "online" or "disabled"; "environment" reads WANDB_MODE and means offline where it is unset."""
    chosen = os.environ.get("WANDB_MODE", "").strip().lower() if mode == "environment" else mode
    chosen = _MODES.get(chosen, chosen)
    if chosen not in ("offline", "online", "disabled"):
        raise TrackerUnavailable(f"WANDB_MODE is {chosen!r}; expected offline, online or disabled")
    return chosen


def publish(run_dir: Path) -> None:
    """Bring W&B up to wandb/metrics.json. One publisher at a time; what is already published is not written again."""
    folder = run_dir / "wandb"
    with _only_publisher(folder):
        run = TrackedRun.read(folder / "metrics.json")
        _quiet(folder)
        published = _published(folder)
        for part, rows in _unpublished(folder, run).items():
            _write_run(run_dir, run, part, rows)
            published[run.id_of(part)] = _digest(rows, run.content)
            _write_json(folder / "published.json", published)


def _write_run(run_dir: Path, run: TrackedRun, part: str, rows: Mapping[int, Mapping[str, Number]]) -> None:
    import wandb

    identity = run.id_of(part)
    if run.mode == "offline":
        for old in (run_dir / "wandb").glob(f"offline-run-*-{identity}"):
            shutil.rmtree(old)
    settings = wandb.Settings(
        silent=True, console="off", disable_git=True, save_code=False, disable_job_creation=True, x_disable_stats=True,
    )  # fmt: skip
    tracked = wandb.init(
        dir=run_dir, id=identity, name=f"{run.run_name}/{part}", group=run.run_name, project=run.project,
        job_type="loop" if part == "loop" else "iteration", config=dict(run.config), settings=settings,
        mode="offline" if run.mode == "offline" else "online", resume="allow" if run.mode == "online" else None,
    )  # fmt: skip
    if part == "loop":
        tracked.define_metric("iteration")
        tracked.define_metric("loop/*", step_metric="iteration")
    else:
        _log_content(tracked, run_dir, run, next(iter(rows)))
    for iteration, metrics in rows.items():
        prefix = "loop/" if part == "loop" else ""
        row = {"iteration": iteration, **{f"{prefix}{name}": value for name, value in metrics.items()}}
        if iteration >= tracked.step or part != "loop":  # on line, W&B has the earlier ones
            tracked.log(row)
        tracked.summary.update(row)
    tracked.finish()


def _log_content(tracked: Run, run_dir: Path, run: TrackedRun, iteration: int) -> None:
    """Give W&B the candidates' table, in the row that the figures join, and the artifacts of an iteration."""
    table = candidate_table(run_dir, iteration, run.content)
    if table is not None:
        tracked.log({"candidates": table}, commit=False)
    for artifact in artifacts(run_dir, run.run_name, iteration, run.content):
        tracked.log_artifact(artifact, aliases=[f"iteration-{iteration}"])


def _unpublished(folder: Path, run: TrackedRun) -> dict[str, dict[int, dict[str, Number]]]:
    """Return the rows of every W&B run whose content is not what was published last."""
    parts = {f"iteration-{number}": {number: metrics} for number, metrics in run.iterations.items()}
    published = _published(folder)
    everything = {**parts, "loop": run.iterations} if parts else {}
    return {
        part: rows for part, rows in everything.items() if published.get(run.id_of(part)) != _digest(rows, run.content)
    }


def _published(folder: Path) -> dict[str, str]:
    """Return the digest of what was published, by W&B id."""
    path = folder / "published.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _digest(rows: Mapping[int, Mapping[str, Number]], content: WandbConfig) -> str:
    wanted = content.model_dump(exclude={"mode", "project"})
    return hashlib.sha256(json.dumps([rows, wanted], sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def _only_publisher(folder: Path) -> Iterator[None]:
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_wandb(mode: str) -> None:
    """Check, without importing it, that wandb is the package; a folder named wandb on the path would hide it."""
    found = importlib.util.find_spec("wandb")
    if found is None or found.origin is None:
        why = (
            "is not installed"
            if found is None
            else f"is hidden by the folder {list(found.submodule_search_locations or [])}"
        )
        raise TrackerUnavailable(f"wandb {why}: pip install wandb, or set wandb.mode=disabled")
    if mode == "online" and not (os.environ.get("WANDB_API_KEY") or _has_login()):
        raise TrackerUnavailable(
            "W&B is set to online and finds no key: run `wandb login`, set WANDB_API_KEY, or go offline"
        )


def _has_login() -> bool:
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    return path.is_file() and "wandb" in path.read_text(encoding="utf-8", errors="replace")


def _quiet(folder: Path) -> None:
    """Keep wandb out of the terminal, the network (its error reports) and the home folder."""
    os.environ.update(WANDB_SILENT="true", WANDB_CONSOLE="off", WANDB_ERROR_REPORTING="false")
    os.environ.setdefault("WANDB_CACHE_DIR", str(folder / ".cache"))
    os.environ.setdefault("WANDB_CONFIG_DIR", str(folder / ".config"))
    os.environ.setdefault("WANDB_DATA_DIR", str(folder / ".data"))
    os.environ.setdefault("WANDB_ARTIFACT_DIR", str(folder / ".artifacts"))
    for name in ("WANDB_RUN_ID", "WANDB_RESUME", "WANDB_RUN_GROUP", "WANDB_NAME", "WANDB_JOB_TYPE", "WANDB_DIR"):
        os.environ.pop(name, None)  # ours are decided by the run; another's would mix up two runs


def _write_json(path: Path, content: object) -> None:
    write_text_atomic(path, json.dumps(content, indent=1, sort_keys=True) + "\n")  # a loss may be NaN


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Bring W&B up to what a run has recorded in wandb/metrics.json.")
    parser.add_argument("--run-dir", type=Path, required=True, help="folder of the run, e.g. outputs/RUN")
    run_dir = parser.parse_args(argv).run_dir
    os.nice(5)  # the next stage of the loop is running
    publish(run_dir.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
