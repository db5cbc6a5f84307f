"""The control that samples and does not train: what the loop's sampling budget solves with the model of iteration 0.

"Solved" is cumulative and rises by resampling alone. On a fixed subset of the train problems the model of iteration 0
goes on sampling, wave by wave, as often as the loop did; the first iteration of the loop was that model's anyway, so
its candidates are taken over. Leaves final/sample_only.jsonl (candidates) and final/sample_only.json (counts).

    python -m bootstrap.sample_only --run-dir outputs/demo --iterations 4
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bootstrap.checkers import Checkers
from bootstrap.config import RunConfig
from bootstrap.engines import open_engine, preload_engine
from bootstrap.files import write_json, write_jsonl
from bootstrap.models import base_model, engine_config, model_of
from bootstrap.programs import WAIT_HELP, run_program, wait_for_go
from bootstrap.progress import ProgressLines
from bootstrap.records import Candidate, digest
from bootstrap.run_store import RunStore
from bootstrap.sampling import SampleAndCheck, VerdictCache
from bootstrap.solving import correct_codes, given_up, name_of, plan_wave, waves_of


def choose_subset(train: Sequence[str], seeds: Sequence[str], size: int) -> list[str]:
    """Return `size` train problems without a given solution, chosen by digest."""
    pool = sorted(set(train) - set(seeds), key=lambda pid: digest("sample_only", pid))
    return pool[:size]


def run_control(
    sampler: SampleAndCheck, subset: Sequence[str], first: Sequence[Candidate], iterations: int
) -> list[Candidate]:
    """Return the candidates of all iterations: `first` are the loop's own of iteration 1."""
    config = sampler.config
    everything = list(first)
    for iteration in range(2, iterations + 1):
        sampler.iteration = iteration
        gone = correct_codes(everything).keys() | given_up(everything, config)
        unsolved = [pid for pid in subset if pid not in gone]
        recorded: list[Candidate] = []
        for wave in range(waves_of(config)):
            tag = f"sample only {iteration}"
            batches, _ = plan_wave(
                sampler.problems, unsolved, recorded, config, tag=tag, wave=wave, iteration=iteration
            )  # fmt: skip
            progress = ProgressLines(
                sum(b.size for b in batches), f"samples/s (control, iteration {iteration}, {name_of(config, wave)})"
            )
            for candidates in sampler.run(batches, progress.add):
                recorded += candidates
            progress.show()
        everything += recorded
    return everything


def sample_only(store: RunStore, config: RunConfig, iterations: int) -> None:
    split = store.split()
    subset = choose_subset(split["train"], split["seeds"], config.controls.sample_only_problems)
    members = set(subset)
    loop = [c for i in range(1, iterations + 1) for c in store.candidates(i) if c.problem_id in members]
    first = [c for c in loop if c.iteration == 1]
    cache = VerdictCache()
    cache.add(loop)
    with Checkers(config) as checkers:
        engine = open_engine(model_of(store, config, 0), config, engine_config(store, config))
        try:
            sampler = SampleAndCheck(store.problems(members), engine, checkers, config, 0, cache)
            control = run_control(sampler, subset, first, iterations)
        finally:
            engine.close()
    write_jsonl(store.final / "sample_only.jsonl", (c.to_json() for c in control[len(first) :]))
    row = {
        "problems": len(subset), "samples": len(control), "solved": len(correct_codes(control)),
        "loop_samples": len(loop), "loop_solved": len(correct_codes(loop)),
        "engine_seconds": round(engine.busy_seconds, 3),
    }  # fmt: skip
    write_json(store.final / "sample_only.json", row)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=Path, required=True, help="folder of the run")
    parser.add_argument("--iterations", type=int, required=True, help="iterations that the loop made")
    parser.add_argument("--wait", action="store_true", help=WAIT_HELP)
    args = parser.parse_args(argv)
    store = RunStore(args.run_dir)
    if args.wait:
        config = store.config()
        wait_for_go(lambda: preload_engine(base_model(store, config), config.engine))
    run_program(lambda: sample_only(store, store.config(), args.iterations))


if __name__ == "__main__":
    main()
