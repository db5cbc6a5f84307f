"""What `eval.run_eval --benchmark` does: an outside test set, answered by models or from a file of completions.

Leaves OUT/NAME.jsonl (one line per task) and, last, OUT/scores.json. A file of completions has one JSON object per
line, {"task_id": ..., "completion": ...}; several lines of a task are its samples in order. Models get the prompt as
it stands in the file where the run's `prompt.style` is plain, as base models are asked; else a line that says what to
do is put before it, and `prompt.chat` sends it as a chat message.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bootstrap.config import RunConfig
from bootstrap.engines import open_engine
from bootstrap.engines.base import Decoding, Engine, Request
from bootstrap.errors import UserError
from bootstrap.files import read_jsonl, write_json, write_jsonl
from bootstrap.lanes import Lanes, lanes_of
from bootstrap.models import engine_config
from bootstrap.progress import ProgressLines
from bootstrap.records import digest
from bootstrap.run_store import RunStore
from eval.q_humaneval import Answer, Task, judge_all, read_tasks, scores_of, table_lines, task_rows
from interpreters import load_interpreter
from interpreters.base import InterpreterUnavailable

BENCHMARKS = ("q_humaneval",)
INSTRUCTION = "Write the q function that is described and begun here. Answer with one ```q block that defines it.\n\n"


def add_benchmark_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("an outside test set")
    group.add_argument("--benchmark", choices=BENCHMARKS, help="which one, in the place of --split")
    group.add_argument("--data", type=Path, help="its file")
    group.add_argument("--completions", type=Path, help="answers by task, in the place of --models")
    group.add_argument("--samples", type=int, default=1, help="of each model for each task; 1: greedy (%(default)s)")
    group.add_argument("--ks", type=int, nargs="+", help="k of pass@k (powers of two up to the samples)")
    group.add_argument("--interpreter", default="q_subset", help="what runs the answers (%(default)s)")
    group.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="threads that check (%(default)s)")


def run_benchmark(args: argparse.Namespace, models: Mapping[str, str]) -> None:
    """Judge every model, or the completions, on all tasks; write rows and scores, and show them. Raises UserError."""
    if args.data is None:
        raise UserError("--benchmark: give its file with --data FILE")
    if (args.completions is None) == (not models):
        raise UserError("--benchmark: give either --completions FILE or --models NAME=MODEL with --run-dir FOLDER")
    tasks = read_tasks(args.data)
    engine = label_of(args.interpreter)
    scores: dict[str, Any] = {}
    for name, answers in answers_by_name(args, models, tasks):
        progress = ProgressLines(len(answers), f"answers/s of {name}")
        rows = task_rows(tasks, judge_all(tasks, answers, args.interpreter, args.workers, progress.add))
        progress.show()
        scores[name] = scores_of(rows, args.ks, engine)
        write_jsonl(args.out / f"{name}.jsonl", rows)
        for line in (f"{name}:", *table_lines(rows, scores[name])):
            print(line, flush=True)
    write_json(args.out / "scores.json", {"benchmark": args.benchmark, "scores": scores})


def label_of(interpreter: str) -> str:
    """Return the engine and version that every score is labelled with. Raises InterpreterUnavailable."""
    with load_interpreter(interpreter) as opened:
        reason = opened.available()
        if reason is not None:
            raise InterpreterUnavailable(f"{interpreter}: {reason}")
        return opened.version()


def answers_by_name(
    args: argparse.Namespace, models: Mapping[str, str], tasks: Sequence[Task]
) -> Iterator[tuple[str, list[Answer]]]:
    if args.completions is not None:
        yield args.completions.stem, recorded(args.completions, tasks)
        return
    if args.run_dir is None:
        raise UserError("--benchmark with --models: give the run whose settings the models get with --run-dir FOLDER")
    store = RunStore(args.run_dir)
    config = store.config()
    config = config.model_copy(update={"engine": engine_config(store, config)})
    for name, model in models.items():
        yield name, sampled(model, config, tasks, args.samples, f"{args.benchmark} {name}")


def recorded(path: Path, tasks: Sequence[Task]) -> list[Answer]:
    """Return the completions in a file. Raises UserError for a row of another form, or of no task."""
    if not path.is_file():
        raise UserError(f"--completions: no file {path}")
    known = {task.task_id for task in tasks}
    counted: Counter[str] = Counter()
    found = []
    for number, row in enumerate(read_jsonl(path), start=1):
        task_id, completion = str(row.get("task_id")), row.get("completion")
        if task_id not in known or not isinstance(completion, str):
            raise UserError(f"{path}: row {number}: expected the task_id of a task and its completion as text")
        found.append(Answer(task_id, counted[task_id], completion))
        counted[task_id] += 1
    return found


def sampled(model: str, config: RunConfig, tasks: Sequence[Task], samples: int, tag: str) -> list[Answer]:
    """Return the answers of a model. Raises EngineError."""
    instruct = config.prompt.style == "instruct"
    requests = [Request(task.task_id, INSTRUCTION * instruct + task.prompt, samples, tag) for task in tasks]
    temperature = config.evaluation.temperature if samples > 1 else 0.0
    width = max(1, config.engine.batch_sequences // samples)
    engine = open_engine(model, config, config.engine, apart=True)

    def answer(start: int) -> list[Answer]:
        seed = int(digest(str(config.seed), tag, str(start)), 16) % 2**31
        decoding = Decoding(temperature, config.sampling.top_p, config.sampling.max_new_tokens, seed)
        completions = engine.generate(requests[start : start + width], decoding)
        return [Answer(one.problem_id, one.sample_index, one.text) for one in completions]

    try:
        found = side_by_side(answer, range(0, len(requests), width), engine)
    finally:
        engine.close()
    order = {task.task_id: number for number, task in enumerate(tasks)}
    return sorted(found, key=lambda one: (order[one.task_id], one.index))


def side_by_side(answer: Callable[[int], list[Answer]], starts: Sequence[int], engine: Engine) -> list[Answer]:
    """Return all answers; of several batches at a time where the engine serves so many."""
    if lanes_of(engine) == 1:
        return [one for start in starts for one in answer(start)]
    lanes: Lanes[int, list[Answer]] = Lanes(
        lanes_of(engine), 0, lambda start, _: answer(start), lambda _: None, getattr(engine, "interrupt", None)
    )
    return [one for answers in lanes.run(starts, lambda _: None) for one in answers]
