"""The loop: stages in order, each finished when its record is in metadata.json, so that any of them can be the last
one before a kill.

    iteration 0    CONVERT  BASE  BUILD  TRAIN  EVALUATE  DONE
    iteration i    SOLVE    BUILD  TRAIN  EVALUATE  DONE
    final          CONTROLS  TEST  REPORT

SOLVE, TRAIN, EVALUATE and REPORT are child programs; this process loads no torch, transformers, vllm or wandb.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bootstrap import commands
from bootstrap.children import Command, run_children
from bootstrap.config import RunConfig
from bootstrap.dataset import build_dataset
from bootstrap.files import read_json, write_json, write_jsonl
from bootstrap.prepare import prepare, seed_solutions
from bootstrap.progression import Past, best_of, past_of, stop_reason
from bootstrap.prompts import render_prompt
from bootstrap.records import Problem
from bootstrap.run_store import RunStore
from bootstrap.screen import Screen
from bootstrap.solving import solved_before
from bootstrap.summary import iteration_markdown, metrics_of
from bootstrap.tracking import Tracker

Record = dict[str, Any]

log = logging.getLogger(__name__)


class Loop:
    """One run, from where its folder says it is to its end."""

    def __init__(self, store: RunStore, config: RunConfig, language: str, screen: Screen, tracker: Tracker) -> None:
        self.store, self.config, self.language = store, config, language
        self.screen, self.tracker = screen, tracker
        self.logs = store.new_attempt()
        self._problems: dict[str, Problem] | None = None

    def run(self) -> str:
        """Run every stage that is owed; return why the loop stopped."""
        self.iteration_zero()
        number = 0
        while (reason := self.stop_reason(number)) is None:
            number += 1
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
        self.stage(folder, "TRAIN", lambda: self.train(0, self.base_model, self.config.train.seed_steps))
        self.stage(folder, "EVALUATE", lambda: self.evaluate(0))
        self.stage(folder, "DONE", lambda: self.tell(0))

    def convert(self) -> Record:
        with self.screen.stage("iteration 0", "CONVERT: problems, their references and the split") as on_progress:
            on_progress(0, 0, "making problems")
            return prepare(self.store, self.config, self.language, lambda n, of: on_progress(n, of, "references run"))

    def make_base(self) -> Record:
        """Make the base model from random weights, where the configuration says so."""
        if self.config.from_scratch is None:
            return {"model": self.base_model}
        spec, corpus = self.store.root / "base_spec.json", self.store.root / "base_corpus.jsonl"
        write_json(spec, self.config.from_scratch.model_dump(mode="json"))
        split = self.store.split()
        train = [self.problems[pid] for pid in split["train"]]
        texts = [render_prompt(p, self.language, self.config.prompt) for p in train]
        texts += [s.code for s in seed_solutions(self.problems, split["seeds"], self.language)]
        write_jsonl(corpus, ({"text": text} for text in texts))
        shutil.rmtree(self.store.base_model, ignore_errors=True)
        self.child("iteration 0", "base", commands.base_model(spec, corpus, self.store.base_model, self.config.seed))
        return {"model": self.base_model}

    # --- iterations ---

    def iteration(self, number: int) -> None:
        folder = self.store.iteration(number)
        parent = best_of(self.past(number - 1)).iteration if self.config.train.start_from == "best" else 0
        solver = best_of(self.past(number - 1)).iteration
        self.stage(folder, "SOLVE", lambda: self.solve(number, solver), iteration=number, parent=parent)
        self.stage(folder, "BUILD", lambda: self.build(number))
        start = self.model(parent) if self.config.train.start_from == "best" else self.base_model
        self.stage(folder, "TRAIN", lambda: self.train(number, start, self.config.train.steps, parent))
        self.stage(folder, "EVALUATE", lambda: self.evaluate(number))
        self.stage(folder, "DONE", lambda: self.tell(number))

    def solve(self, number: int, solver: int) -> Record:
        self.child(f"iteration {number}", "solve", commands.solve(self.store, number, self.model(solver)))
        record = read_json(self.store.iteration(number) / "solve_metrics.json")
        candidates = self.store.candidates(number)
        self.write_solved(number, {c.problem_id: c.code for c in reversed(candidates) if c.passed})
        before = len(solved_before(self.store, number))
        return {**record, "solver": solver, "solved_total": before + record["newly_solved"]}

    def write_solved(self, number: int, solved: Mapping[str, str]) -> None:
        """Write one file per solved problem, for people; the loop itself reads the candidates."""
        folder = self.store.solved_folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        suffix = ".sql" if "sql" in self.config.target else ".py"
        comment = "-- " if suffix == ".sql" else "# "
        for problem_id, code in solved.items():
            text = f"{comment}{self.problems[problem_id].statement}\n{code}\n"
            (folder / f"{problem_id}{suffix}").write_text(text, encoding="utf-8", errors="surrogatepass")

    def build(self, number: int) -> Record:
        split = self.store.split()
        seeds = seed_solutions(self.problems, split["seeds"], self.language)
        candidates = [c for i in range(1, number + 1) for c in self.store.candidates(i)]
        rows, stats = build_dataset(seeds, candidates, self.problems, split, self.config, self.language)
        write_jsonl(self.store.train_file(number), rows)
        write_json(self.store.dataset_stats_file(number), asdict(stats))
        return {"train_rows": len(rows), **asdict(stats)}

    def train(self, number: int, start: str, steps: int, parent: int | None = None) -> Record:
        """Train the model of this iteration and, where the configuration asks for it, its twin on the seeds alone."""
        if not self.trains(number):
            return {"steps": 0, "train_seconds": 0.0}
        train = self.trainer(number, start, steps, self.store.train_file(number), self.store.model(number), "train")
        with_twin = bool(number) and self.config.controls.seed_only
        twins = [self.twin(number, steps, parent)] if with_twin else []
        twin_folders = [self.store.control_model(number)] if with_twin else []
        title = f"iteration {number}"
        if twins and self.config.controls.parallel:
            seconds = self.children(title, [train, *twins])
        else:
            seconds = [self.children(title, [command])[0] for command in (train, *twins)]
        found = [read_json(folder / "train_metrics.json") for folder in (self.store.model(number), *twin_folders)]
        return train_record(found, seconds, parallel=bool(twins) and self.config.controls.parallel)

    def trains(self, number: int) -> bool:
        """Say whether this iteration trains: a replay never does, iteration 0 only on `seed_steps`."""
        return self.config.train.program is not None and (number > 0 or self.config.train.seed_steps > 0)

    def twin(self, number: int, steps: int, parent: int | None) -> Command:
        """Return the training of the control: the same steps from the same point of its own line, on the seeds."""
        start = self.base_model if self.config.train.start_from == "base" else self.control(parent or 0)
        seeds = self.store.train_file(0)
        return self.trainer(number, start, steps, seeds, self.store.control_model(number), "train_control")

    def trainer(self, number: int, start: str, steps: int, rows: Path, out: Path, label: str) -> Command:
        if not self.config.train.save_steps:
            shutil.rmtree(out, ignore_errors=True)  # of an attempt that was killed; its record was never written
        name = f"{self.store.name}-iteration-{number}-{label}"
        seed = self.config.seed * 1000 + number
        side_by_side = 2 if number and self.config.controls.seed_only and self.config.controls.parallel else 1
        threads = self.config.train.threads or max(1, (os.cpu_count() or 1) // side_by_side)
        words = commands.train(
            self.config, name=name, model=start, train_file=rows, out=out, steps=steps, seed=seed, threads=threads
        )  # fmt: skip
        return self.command(f"iteration_{number}_{label}", words)

    def evaluate(self, number: int) -> Record:
        models = {"dev": self.model(number)}
        if number and self.config.controls.seed_only and self.trains(number):
            models["control_dev"] = self.control(number)
        out = self.store.evaluation(number)
        self.child(f"iteration {number}", "evaluate", commands.evaluate(self.store, "dev", out, models))
        result = read_json(out / "scores.json")
        dev = result["scores"]["dev"]
        past = self.past(number - 1)
        best = not past or dev["pass_at_1"] >= best_of(past).dev_pass_at_1
        control = result["scores"].get("control_dev")
        return {"dev": dev, "control_dev": control, "best_so_far": best, "engine_seconds": result["engine_seconds"]}

    def tell(self, number: int) -> Record:
        """Show and store the summary of a finished iteration."""
        records = self.records(number)
        self.screen.iterations(records, train_problems=len(self.store.split()["train"]))
        path = self.store.summary_file(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(iteration_markdown(records[-1], self.problems, self.store, self.config), encoding="utf-8")
        self.tracker.log_iteration(number, metrics_of(records[-1]))
        return {}

    # --- the end ---

    def finish(self, reason: str, iterations: int) -> None:
        self.stage(self.store.final, "CONTROLS", lambda: self.controls(iterations), stopped_because=reason)
        best = best_of(self.past(iterations)).iteration
        self.stage(self.store.final, "TEST", lambda: self.test(best), best_iteration=best)
        self.stage(self.store.final, "REPORT", self.report)

    def controls(self, iterations: int) -> Record:
        if not self.config.controls.sample_only_problems or iterations < 1:
            return {"engine_seconds": 0.0}
        self.child("controls", "sample_only", commands.sample_only(self.store, self.model(0), iterations))
        return {"engine_seconds": read_json(self.store.final / "sample_only.json")["engine_seconds"]}

    def test(self, best: int) -> Record:
        """Look at the test split, once: base, best, and the twin of the best."""
        if not self.store.split()["test"]:
            return {"engine_seconds": 0.0}
        models = {"test_base": self.model(0), "test_best": self.model(best)}
        if best and self.config.controls.seed_only and self.trains(best):
            models["test_seed_only"] = self.control(best)
        out = self.store.final / "evaluation"
        self.child("test", "test", commands.evaluate(self.store, "test", out, models))
        return {"engine_seconds": read_json(out / "scores.json")["engine_seconds"]}

    def report(self) -> Record:
        self.child("report", "report", commands.final_report(self.store))
        return {}

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
        record = work()
        record["seconds"] = round(time.monotonic() - started, 3)
        self.store.finish_stage(folder, name, record, **top)
        if name != "DONE":
            log.info("%s %s finished in %.1f s", folder.name, name, record["seconds"])

    def command(self, name: str, words: commands.Words) -> Command:
        return Command(name, words, self.logs / f"{name}.log")

    def child(self, title: str, name: str, words: commands.Words) -> None:
        label = f"{title.replace(' ', '_')}_{name}" if title != name else name
        self.children(title, [self.command(label, words)])

    def children(self, title: str, children: list[Command]) -> list[float]:
        with self.screen.stage(title, " + ".join(c.label for c in children)) as on_progress:
            return run_children(children, on_progress, self.store.lock_descriptors)

    @property
    def problems(self) -> dict[str, Problem]:
        if self._problems is None:
            self._problems = self.store.problems()
        return self._problems

    @property
    def base_model(self) -> str:
        return self.config.base_model or str(self.store.base_model)

    def model(self, iteration: int) -> str:
        """Return the model of an iteration: what it trained, or the base model where nothing is trained."""
        return str(self.store.model(iteration)) if self.trains(iteration) else self.base_model

    def control(self, iteration: int) -> str:
        """Return the twin of an iteration's model; iteration 0 has seen nothing but the seeds anyway."""
        return str(self.store.control_model(iteration)) if iteration else self.model(0)

    def records(self, last: int) -> list[Record]:
        return [self.store.metadata(self.store.iteration(i)) for i in range(last + 1)]

    def past(self, last: int) -> list[Past]:
        return [past_of(record) for record in self.records(last)]

    def stop_reason(self, last: int) -> str | None:
        return stop_reason(self.past(last), self.config, len(self.store.split()["train"]))


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
