"""SOLVE: let a model try every unsolved train problem and judge each answer.

Reads a run folder; appends to iteration_N/candidates.jsonl batch by batch and leaves iteration_N/solve_metrics.json.
Started again after a kill, it goes on at the first batch that is not recorded in full.

    python -m bootstrap.solve --run-dir outputs/demo --iteration 1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bootstrap.checkers import Checkers
from bootstrap.config import RunConfig
from bootstrap.engines import open_engine, preload_engine
from bootstrap.files import write_json
from bootstrap.models import base_model, best_before, engine_config, model_of
from bootstrap.programs import WAIT_HELP, run_program, wait_for_go
from bootstrap.progress import ProgressLines
from bootstrap.records import Candidate, Problem
from bootstrap.run_store import RunStore
from bootstrap.sampling import SampleAndCheck, VerdictCache
from bootstrap.solving import (
    correct_codes,
    hints_before,
    keep_complete,
    name_of,
    outcomes,
    outlook,
    plan_wave,
    solved_by,
    unsolved_before,
    waves_of,
)


def recorded_so_far(
    store: RunStore, config: RunConfig, iteration: int, problems: Mapping[str, Problem], unsolved: Sequence[str]
) -> list[Candidate]:
    """Return the candidates of whole batches; rows of a batch that was cut off are taken out of the file."""
    recorded = store.candidates(iteration, mend=True)
    kept = keep_complete(problems, unsolved, recorded, config, f"iteration {iteration}", iteration)
    if len(kept) < len(recorded):
        print(f"{len(recorded) - len(kept)} candidates of unfinished batches are sampled again", flush=True)
        store.replace_candidates(iteration, kept)
    return kept


def solve(
    store: RunStore, config: RunConfig, iteration: int, model: str | None, problems: Mapping[str, Problem]
) -> None:
    """Run the waves of one iteration; `problems` are the train problems, where they have been read already."""
    started = time.monotonic()
    model = model or model_of(store, config, best_before(store, iteration))
    with Checkers(config) as checkers:  # first: its processes start while the model loads
        unsolved = unsolved_before(store, iteration, config)
        problems = problems or store.problems(set(unsolved))
        recorded = recorded_so_far(store, config, iteration, problems, unsolved)
        cache = VerdictCache()
        for earlier in range(1, iteration):
            cache.add(store.each_candidate(earlier))
        cache.add(recorded)
        engine = open_engine(model, config, engine_config(store, config))
        hints = hints_before(store, iteration, config)
        sampler = SampleAndCheck(problems, engine, checkers, config, iteration, cache, hints)
        loaded = time.monotonic()
        try:
            recorded = run_waves(store, sampler, unsolved, recorded)
        finally:
            engine.close()
    timing = {
        "seconds_loading": round(loaded - started, 3), "engine_seconds": round(engine.busy_seconds, 3),
        "waiting_seconds": round(sampler.clock.waiting_seconds, 3), "checks": sampler.clock.checks,
        "tokens_per_second": round(sampler.clock.tokens / max(engine.busy_seconds, 1e-9), 1),
    }  # fmt: skip
    if halved := getattr(engine, "halved_batches", 0):
        timing["halved_batches"] = halved
    write_json(store.iteration(iteration) / "solve_metrics.json", {**counts(recorded, len(unsolved)), **timing})


def run_waves(
    store: RunStore, sampler: SampleAndCheck, unsolved: Sequence[str], recorded: Sequence[Candidate]
) -> list[Candidate]:
    """Sample and record every batch that is owed; return all candidates of the iteration."""
    config, iteration, everything = sampler.config, sampler.iteration, list(recorded)
    for wave in range(waves_of(config)):
        plan, complete = plan_wave(
            sampler.problems, unsolved, everything, config, tag=f"iteration {iteration}", wave=wave, iteration=iteration
        )  # fmt: skip
        if not plan:
            continue
        done = sum(batch.size for batch in plan if batch.index in complete)
        progress = ProgressLines(sum(b.size for b in plan), f"samples/s ({name_of(config, wave)})", done)
        for candidates in sampler.run([b for b in plan if b.index not in complete], progress.add):
            store.append_candidates(iteration, candidates)
            everything += candidates
            progress.note = f"{len(correct_codes(everything))} solved"
        progress.show()
        if said := outlook(sampler.problems, unsolved, everything, config, wave):
            print(said, flush=True)
    return everything


def counts(candidates: Sequence[Candidate], attempted: int) -> dict[str, object]:
    """Return what follows from the candidates alone."""
    return {
        "attempted": attempted,
        "samples": len(candidates),
        "distinct": len({(c.problem_id, c.code) for c in candidates}),
        "newly_solved": len(correct_codes(candidates)),
        "tokens": sum(c.tokens for c in candidates),
        "outcomes": outcomes(candidates),
        **({"solved_by": solved} if len(solved := solved_by(candidates)) > 1 else {}),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=Path, required=True, help="folder of the run")
    parser.add_argument("--iteration", type=int, required=True, help="number of the iteration, from 1")
    parser.add_argument("--model", help="model that samples (default: the best before this iteration)")
    parser.add_argument("--wait", action="store_true", help=WAIT_HELP)
    args = parser.parse_args(argv)
    store = RunStore(args.run_dir)
    problems: dict[str, Problem] = {}

    def preload() -> None:
        config = store.config()
        preload_engine(base_model(store, config), config.engine)
        problems.update(store.problems(set(store.split()["train"])))

    if args.wait:
        wait_for_go(preload)
    run_program(lambda: solve(store, store.config(), args.iteration, args.model, problems))


if __name__ == "__main__":
    main()
