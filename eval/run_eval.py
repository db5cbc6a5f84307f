"""EVALUATE and TEST: judge models on the held-out problems of a run, greedily and, where asked for, by samples.

Reads a run folder; for each NAME=MODEL leaves OUT/NAME.jsonl (one line per problem) and, last, OUT/scores.json.

    python -m eval.run_eval --run-dir outputs/demo --split dev --out outputs/demo/iteration_1/evaluation \\
        --models dev=outputs/demo/iteration_1/model control_dev=outputs/demo/iteration_1/control_model

An outside test set in the place of a split, answered by models with a run's settings, or from a file of completions:

    python -m eval.run_eval --benchmark q_humaneval --data q_humaneval.jsonl --completions answers.jsonl --out scores
    python -m eval.run_eval --benchmark q_humaneval --data q_humaneval.jsonl --run-dir outputs/q --out scores \\
        --models best=outputs/q/iteration_3/model --samples 10
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bootstrap.checkers import Checkers
from bootstrap.config import RunConfig
from bootstrap.engines import open_engine, preload_engine
from bootstrap.files import write_json, write_jsonl
from bootstrap.models import base_model, control_of, engine_config, has_twin, model_of, past
from bootstrap.programs import WAIT_HELP, run_program, wait_for_go
from bootstrap.progress import ProgressLines
from bootstrap.progression import best_of
from bootstrap.records import Candidate, Problem
from bootstrap.run_store import RunStore
from bootstrap.sampling import Batch, SampleAndCheck, VerdictCache, plan_batches
from eval.benchmark import add_benchmark_arguments, run_benchmark
from eval.metrics import ProblemScore, mean_pass_at_k, summarise

GREEDY, SAMPLED = 0, 1


def plan(problems: Sequence[Problem], config: RunConfig, tag: str) -> list[Batch]:
    """Return the greedy batches and, where the configuration asks for samples, those too (as wave 1)."""
    batches = plan_batches(problems, config, tag=tag, wave=GREEDY, num_samples=1, temperature=0.0)
    if config.evaluation.samples:
        batches += plan_batches(
            problems, config, tag=f"{tag} samples", wave=SAMPLED, num_samples=config.evaluation.samples,
            temperature=config.evaluation.temperature,
        )  # fmt: skip
    return batches


def score_row(problem: Problem, candidates: Sequence[Candidate]) -> dict[str, Any]:
    """Return one line: the greedy answer with its verdict, and how many of the samples passed."""
    greedy = next(c for c in candidates if c.wave == GREEDY)
    sampled = [c for c in candidates if c.wave == SAMPLED]
    return {
        "problem_id": problem.problem_id, "family": problem.family, "difficulty": problem.difficulty,
        "n": 1, "correct": int(greedy.passed), "outcome": greedy.outcome.value, "completion": greedy.completion,
        "code": greedy.code, "message": greedy.message, "tokens": greedy.tokens,
        "sampled_n": len(sampled), "sampled_correct": sum(c.passed for c in sampled),
        **({"target": problem.target} if problem.target else {}),
    }  # fmt: skip


def summary(rows: Sequence[Mapping[str, Any]], config: RunConfig) -> dict[str, Any]:
    """Return pass@1 of the greedy answers with its interval, and pass@k of the samples where there are some."""
    result = asdict(summarise([ProblemScore.from_json(row) for row in rows], ks=[1]))
    if config.evaluation.samples:
        sampled = [
            ProblemScore.from_json({**row, "n": row["sampled_n"], "correct": row["sampled_correct"]}) for row in rows
        ]
        result["pass_at_k"] = {str(k): round(mean_pass_at_k(sampled, k), 4) for k in config.evaluation.ks}
        result["num_samples"] = config.evaluation.samples
    return result


def evaluate_model(
    name: str, model: str, problems: Mapping[str, Problem], members: Sequence[Problem], config: RunConfig,
    checkers: Checkers, cache: VerdictCache, folder: Path,
) -> tuple[list[dict[str, Any]], float]:  # fmt: skip
    """Return the rows of one model, and the seconds that it generated."""
    engine = open_engine(model, config, config.engine, apart=True)
    try:
        sampler = SampleAndCheck(problems, engine, checkers, config, 0, cache)
        batches = plan(members, config, f"{folder.parent.name} {name}")
        progress = ProgressLines(sum(batch.size for batch in batches), f"answers/s of {name}")
        by_problem: dict[str, list[Candidate]] = defaultdict(list)
        for candidates in sampler.run(batches, progress.add):
            for candidate in candidates:
                by_problem[candidate.problem_id].append(candidate)
        progress.show()
        return [score_row(p, by_problem[p.problem_id]) for p in members], engine.busy_seconds
    finally:
        engine.close()


def read_split(store: RunStore, split: str) -> dict[str, Problem]:
    """Return the problems of a split, in its order."""
    ids = store.split()[split]
    found = store.problems(set(ids))
    return {pid: found[pid] for pid in ids}


def evaluate(
    problems: Mapping[str, Problem], config: RunConfig, models: Mapping[str, str], out: Path
) -> None:  # fmt: skip
    """Judge the models on the problems; write their rows and, last, their scores."""
    members = list(problems.values())
    scores: dict[str, Any] = {}
    cache, engine_seconds = VerdictCache(), 0.0
    with Checkers(config) as checkers:
        for name, model in models.items():
            rows, seconds = evaluate_model(name, model, problems, members, config, checkers, cache, out)
            write_jsonl(out / f"{name}.jsonl", rows)
            scores[name] = summary(rows, config)
            engine_seconds += seconds
    write_json(out / "scores.json", {"scores": scores, "engine_seconds": round(engine_seconds, 3)})


def parse_models(words: Sequence[str], parser: argparse.ArgumentParser) -> dict[str, str]:
    models = {}
    for word in words:
        name, equals, model = word.partition("=")
        if not equals or not name or not model:
            parser.error(f"--models {word!r}: expected NAME=MODEL")
        models[name] = model
    return models


def test_models(store: RunStore, config: RunConfig, iterations: int) -> dict[str, str]:
    """Return what the one look at the test split compares: base, best by dev, and the twin of the best."""
    best = best_of(past(store, iterations)).iteration
    models = {"test_base": model_of(store, config, 0), "test_best": model_of(store, config, best)}
    if has_twin(config, best):
        models["test_seed_only"] = control_of(store, config, best)
    return models


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=Path, help="folder of the run")
    parser.add_argument("--split", choices=["dev", "test"], help="which held-out problems")
    parser.add_argument("--models", nargs="+", metavar="NAME=MODEL", help="models by name of the result")
    parser.add_argument("--iterations", type=int, help="instead of --models: compare base, best and twin of so many")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--wait", action="store_true", help=WAIT_HELP)
    add_benchmark_arguments(parser)
    args = parser.parse_args(argv)
    if args.benchmark:
        named = parse_models(args.models or (), parser)
        run_program(lambda: run_benchmark(args, named))
        return
    if args.run_dir is None or args.split is None:
        parser.error("give --run-dir and --split, or --benchmark with --data")
    if (args.models is None) == (args.iterations is None):
        parser.error("give either --models or --iterations")
    named = parse_models(args.models or (), parser)
    store = RunStore(args.run_dir)
    problems: dict[str, Problem] = {}

    def preload() -> None:
        waiting = store.config()
        preload_engine(base_model(store, waiting), waiting.engine)
        problems.update(read_split(store, args.split))

    def work() -> None:
        config = store.config()
        config = config.model_copy(update={"engine": engine_config(store, config)})
        models = named or test_models(store, config, args.iterations)
        evaluate(problems or read_split(store, args.split), config, models, args.out)

    if args.wait:
        wait_for_go(preload)
    run_program(work)


if __name__ == "__main__":
    main()
