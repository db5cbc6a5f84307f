"""The loop: stages in order, each finished when its record is in metadata.json, so that any of them can be the last
one before a kill.

    iteration 0    CONVERT  BASE  BUILD  TRAIN  EVALUATE  DONE
    iteration i    SOLVE    BUILD  TRAIN  EVALUATE  DONE
    final          CONTROLS  TEST  REPORT

SOLVE, TRAIN, EVALUATE and REPORT are child programs; this process loads no torch, transformers, vllm or wandb.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from bootstrap.children import ChildRunner, Command
from bootstrap.commands import Commands
from bootstrap.config import RunConfig
from bootstrap.dataset import build_dataset, seed_solutions
from bootstrap.diagnosis import write_diagnosis
from bootstrap.files import read_json, write_json, write_jsonl
from bootstrap.gpu_samples import gpu_samples
from bootstrap.models import base_model, best_before, has_twin, past, trains
from bootstrap.prepare import add_converted, prepare
from bootstrap.progression import best_of, stop_reason
from bootstrap.prompts import render_prompt
from bootstrap.records import Problem
from bootstrap.run_store import RunStore
from bootstrap.screen import Screen
from bootstrap.solving import solved_before
from bootstrap.summary import iteration_markdown, metrics_of
from bootstrap.summary_diagnosis import log_sentences
from bootstrap.targets import language_of
from bootstrap.tracking import Tracker

Record = dict[str, Any]

FILES = {"duckdb": (".sql", "-- "), "postgres": (".sql", "-- "), "q": (".q", "/ ")}
"""Language -> ending and comment of the files for people; .py and # for the others."""

log = logging.getLogger(__name__)


class Loop:
    """One run, from where its folder says it is to its end. A context manager: leaving it ends every child."""

    def __init__(self, store: RunStore, config: RunConfig, screen: Screen, tracker: Tracker) -> None:
        self.store, self.config = store, config
        self.screen, self.tracker = screen, tracker
        self.commands = Commands(store, config, store.new_attempt())
        self.children = ChildRunner(store.lock_descriptors)
        self._problems: dict[str, Problem] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.children.close()

    def run(self) -> str:
        """Run every stage that is owed; return why the loop stopped."""
        self.iteration_zero()
        number = 0
        while (reason := self.stop_reason(number)) is None:
            number += 1
            if not self.is_done(number):
                self.reopen_final()
                self.iteration(number)
        self.finish(reason, number)
        return reason

    # --- iteration 0 ---

    def iteration_zero(self) -> None:
        folder = self.store.iteration(0)
        self.stage(folder, "CONVERT", self.convert, iteration=0, parent=None)
        self.stage(folder, "BASE", self.make_base)
        self.stage(folder, "BUILD", lambda: self.build(0))
        self.stage(folder, "TRAIN", lambda: self.train(0, 0))
        self.stage(folder, "EVALUATE", lambda: self.evaluate(0))
        self.stage(folder, "DONE", lambda: self.tell(0))

    def convert(self) -> Record:
        with self.screen.stage("iteration 0", "CONVERT: problems, their references and the split") as on_progress:
            on_progress(0, 0, "making problems")
            if self.config.convert.teacher is None:
                self.prestart(self.base_commands())
            record = prepare(self.store, self.config, on_progress)
        if self.config.convert.teacher is None or len(self.store.split()["seeds"]) >= self.config.split.seeds:
            return record
        self.children_of("iteration 0", [self.commands.convert()], then=self.base_commands())
        return {**record, **add_converted(self.store, self.config)}

    def base_commands(self) -> list[Command]:
        """Return the programs between CONVERT and the first evaluation, as far as the configuration has them."""
        made = [self.commands.base_model(self.base_spec, self.base_corpus)] if self.config.from_scratch else []
        return made + (self.commands.trainings(0, 0) if trains(self.config, 0) else [])

    @property
    def base_spec(self) -> Path:
        return self.store.root / "base_spec.json"

    @property
    def base_corpus(self) -> Path:
        return self.store.root / "base_corpus.jsonl"

    def make_base(self) -> Record:
        """Make the base model from random weights, where the configuration says so."""
        if self.config.from_scratch is not None:
            write_json(self.base_spec, self.config.from_scratch.model_dump(mode="json"))
            split = self.store.split()
            train = [self.problems[pid] for pid in split["train"]]
            texts = [render_prompt(p, language_of(p, self.config), self.config.prompt) for p in train]
            texts += [s.code for s in seed_solutions(self.problems, split["seeds"], self.config)]
            write_jsonl(self.base_corpus, ({"text": text} for text in texts))
            shutil.rmtree(self.store.base_model, ignore_errors=True)
            now, *later = self.base_commands()
            self.children_of("iteration 0", [now], then=later)
        return {"model": base_model(self.store, self.config)}

    # --- iterations ---

    def iteration(self, number: int) -> None:
        folder = self.store.iteration(number)
        parent = 0 if self.config.train.start_from == "base" else best_before(self.store, number)
        self.stage(folder, "SOLVE", lambda: self.solve(number, parent), iteration=number, parent=parent)
        self.stage(folder, "BUILD", lambda: self.build(number))
        self.stage(folder, "TRAIN", lambda: self.train(number, parent))
        self.stage(folder, "EVALUATE", lambda: self.evaluate(number))
        self.stage(folder, "DONE", lambda: self.tell(number))

    def solve(self, number: int, parent: int) -> Record:
        trainings = self.commands.trainings(number, parent) if trains(self.config, number) else []
        now = trainings if self.config.controls.parallel else trainings[:1]
        self.children_of(f"iteration {number}", [self.commands.solve(number)], then=now)
        record = read_json(self.store.iteration(number) / "solve_metrics.json")
        first: dict[str, str] = {}
        for candidate in self.store.each_candidate(number):
            if candidate.passed:
                first.setdefault(candidate.problem_id, candidate.code)
        self.write_solved(number, first)
        before = len(solved_before(self.store, number))
        return {**record, "solver": best_before(self.store, number), "solved_total": before + record["newly_solved"]}

    def write_solved(self, number: int, solved: Mapping[str, str]) -> None:
        """Write one file per solved problem, for people; the loop itself reads the candidates."""
        folder = self.store.solved_folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        for problem_id, code in solved.items():
            problem = self.problems[problem_id]
            suffix, comment = FILES.get(language_of(problem, self.config), (".py", "# "))
            text = f"{comment}{problem.statement}\n{code}\n"
            (folder / f"{problem_id}{suffix}").write_text(text, encoding="utf-8", errors="surrogatepass")

    def build(self, number: int) -> Record:
        split = self.store.split()
        seeds = seed_solutions(self.problems, split["seeds"], self.config)
        candidates = (c for i in range(1, number + 1) for c in self.store.each_candidate(i))
        rows, stats = build_dataset(seeds, candidates, self.problems, split, self.config)
        write_jsonl(self.store.train_file(number), rows)
        write_json(self.store.dataset_stats_file(number), asdict(stats))
        return {"train_rows": len(rows), **asdict(stats)}

    def train(self, number: int, parent: int) -> Record:
        """Train the model of this iteration and, where the configuration asks for it, its twin on the seeds alone."""
        if not trains(self.config, number):
            return {"steps": 0, "train_seconds": 0.0}
        twin = has_twin(self.config, number)
        folders = [self.store.model(number), *([self.store.control_model(number)] if twin else [])]
        for folder in folders:
            if not self.config.train.save_steps:
                shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed; it has no record
        trainings, after = self.commands.trainings(number, parent), self.after_training(number)
        title, parallel = f"iteration {number}", twin and self.config.controls.parallel
        if parallel:
            seconds = self.children_of(title, trainings, then=after)
        else:
            seconds = [self.children_of(title, [command], then=after)[0] for command in trainings]
        found = [read_json(folder / "train_metrics.json") for folder in folders]
        record = train_record(found, seconds, parallel=parallel)
        return {**record, "total_steps": record["steps"] + self.steps_before(number, parent)}

    def steps_before(self, number: int, parent: int) -> int:
        """Return the optimizer steps behind the model from which an iteration's training (and its twin's) starts."""
        if number == 0 or self.config.train.start_from == "base":
            return 0
        record = self.store.stage(self.store.iteration(parent), "TRAIN") or {}
        return int(record.get("total_steps", 0))

    def after_training(self, number: int) -> list[Command]:
        """Return the programs of the next stages, as far as they can be foreseen."""
        if number < self.config.max_iterations:
            return [self.commands.evaluate(number), self.commands.solve(number + 1)]
        control = [self.commands.sample_only(number)] if self.config.controls.sample_only_problems else []
        return [self.commands.evaluate(number), *control, self.commands.test(number)]

    def evaluate(self, number: int) -> Record:
        self.children_of(f"iteration {number}", [self.commands.evaluate(number)])
        result = read_json(self.store.evaluation(number) / "scores.json")
        dev, before = result["scores"]["dev"], past(self.store, number - 1)
        best = not before or dev["pass_at_1"] >= best_of(before).dev_pass_at_1
        control = result["scores"].get("control_dev")
        return {"dev": dev, "control_dev": control, "best_so_far": best, "engine_seconds": result["engine_seconds"]}

    def tell(self, number: int) -> Record:
        """Show and store the summary of a finished iteration."""
        records = self.records(number)
        self.screen.iterations(records, train_problems=len(self.store.split()["train"]))
        diagnosis = write_diagnosis(self.store, self.config, number, self.problems)
        for sentence in log_sentences(diagnosis):
            log.info("%s", sentence)
        path = self.store.summary_file(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        page = iteration_markdown(records[-1], self.problems, self.store, self.config, diagnosis)
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
        self.tracker.log_iteration(number, metrics_of(records[-1], diagnosis))
        return {}

    # --- the end ---

    def finish(self, reason: str, iterations: int) -> None:
        self.stage(self.store.final, "CONTROLS", lambda: self.controls(iterations), stopped_because=reason)
        best = best_of(past(self.store, iterations)).iteration
        self.stage(self.store.final, "TEST", lambda: self.test(iterations), best_iteration=best)
        self.stage(self.store.final, "REPORT", self.report)

    def controls(self, iterations: int) -> Record:
        if not self.config.controls.sample_only_problems or iterations < 1:
            return {"engine_seconds": 0.0}
        self.children_of("controls", [self.commands.sample_only(iterations)])
        return {"engine_seconds": read_json(self.store.final / "sample_only.json")["engine_seconds"]}

    def test(self, iterations: int) -> Record:
        """Look at the test split, once: base, best, and the twin of the best."""
        if not self.store.split()["test"]:
            return {"engine_seconds": 0.0}
        self.children_of("test", [self.commands.test(iterations)])
        return {"engine_seconds": read_json(self.store.final / "evaluation" / "scores.json")["engine_seconds"]}

    def report(self) -> Record:
        self.children_of("report", [self.commands.final_report()])
        return {}

    def is_done(self, number: int) -> bool:
        return self.store.stage(self.store.iteration(number), "DONE") is not None

    def reopen_final(self) -> None:
        """Move the end of an earlier, shorter run aside when the loop goes on (a higher max_iterations)."""
        if self.store.final.exists():
            self.store.move_final_aside()

    # --- what the stages share ---

    def stage(self, folder: Path, name: str, work: Callable[[], Record], **top: Any) -> None:
        """Do a stage unless its record is there; write the record last."""
        if self.store.stage(folder, name) is not None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        with gpu_samples(folder / "gpu.jsonl", name):
            record = work()
        record["seconds"] = round(time.monotonic() - started, 3)
        self.store.finish_stage(folder, name, record, **top)
        if name != "DONE":
            log.info("%s %s finished in %.1f s", folder.name, name, record["seconds"])

    def children_of(self, title: str, commands: list[Command], then: Sequence[Command] = ()) -> list[float]:
        """Run the children of a stage, and meanwhile let those of the next one do their imports."""
        with self.screen.stage(title, " + ".join(c.label for c in commands)) as on_progress:
            return self.children.run(commands, on_progress, lambda: self.prestart(then))

    def prestart(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if self.commands.can_wait(command):
                self.children.prestart(command)

    @property
    def problems(self) -> dict[str, Problem]:
        if self._problems is None:
            self._problems = self.store.problems()
        return self._problems

    def records(self, last: int) -> list[Record]:
        return [self.store.metadata(self.store.iteration(i)) for i in range(last + 1)]

    def stop_reason(self, last: int) -> str | None:
        return stop_reason(past(self.store, last), self.config, len(self.store.split()["train"]))


def train_record(metrics: list[Record], seconds: list[float], *, parallel: bool) -> Record:
    """Return the TRAIN record of the model and, second in both lists, of its twin.

    `train_seconds`: the time in which at least one of them trained.
    """
    first = metrics[0]
    training = [float(m["seconds"]["train"]) for m in metrics]
    return {
        "steps": first["steps"],
        "train_loss": first.get("train_loss"),
        "tokens_per_second": first.get("tokens_per_second"),
        "train_seconds": max(training) if parallel else sum(training),
        "dropped_rows": first.get("dropped_rows", 0),
        "control_steps": metrics[1]["steps"] if len(metrics) > 1 else None,
        "control_seconds": round(seconds[1], 3) if len(seconds) > 1 else None,
    }
