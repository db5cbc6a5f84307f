"""Compare ways to spend a sampling budget on the same recorded answers: uniform k, waves that stop, and adaptive.

    python -m eval.bench_budget --run-dir outputs/demo --record recorded.jsonl --samples 64    # 3 minutes on 2 cores
    python -m eval.bench_budget --run-dir outputs/demo --recorded recorded.jsonl

The first form lets a model of a finished run answer train problems many times, each answer judged, and writes the
candidates. The second replays them through the loop's own planning with an engine that hands out each problem's answers
in their order: every policy meets the same answers. It prints how many problems each solves with how many samples,
the difference to uniform k at equal samples with its 95 % interval (bootstrap over families of problems), and how many
samples adaptive spending needs to solve as many. Leaves only the file of --record, and --out.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.checkers import Checkers
from bootstrap.config import RunConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.errors import EngineError, UserError
from bootstrap.files import read_jsonl, write_json, write_jsonl
from bootstrap.models import engine_config, model_of
from bootstrap.programs import run_program
from bootstrap.progress import ProgressLines
from bootstrap.records import Candidate, Problem, digest
from bootstrap.run_store import RunStore
from bootstrap.sampling import SampleAndCheck, plan_batches
from bootstrap.solving import plan_wave, waves_of
from eval.metrics import cluster_bootstrap, cluster_sums
from interpreters.base import Verdict

TAG = "recorded"
SEED = 20_260_101
MATCHED = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Budgets, as shares of the uniform one, at which adaptive spending is tried to solve as many."""


# -- recording ----------------------------------------------------------------------------------------------------


def record(store: RunStore, iteration: int, count: int, samples: int) -> list[Candidate]:
    """Return judged answers of one model of a run to `count` train problems that have no solution given."""
    config, split = store.config(), store.split()
    ids = sorted(set(split["train"]) - set(split["seeds"]), key=lambda pid: digest(TAG, pid))[:count]
    problems = store.problems(set(ids))
    batches = plan_batches(
        [problems[pid] for pid in ids], config, tag=TAG, wave=0, num_samples=samples,
        temperature=config.sampling.temperatures[0],
    )  # fmt: skip
    engine = load_engine(model_of(store, config, iteration), engine_config(store, config), config.prompt)
    progress = ProgressLines(samples * len(ids), "samples/s")
    try:
        with Checkers(config) as checkers:
            sampler = SampleAndCheck(problems, engine, checkers, config, iteration)
            found = [one for batch in sampler.run(batches, progress.add) for one in batch]
    finally:
        engine.close()
        progress.show()
    return found


# -- replaying ----------------------------------------------------------------------------------------------------


class InTurn:
    """An engine that hands out each problem's recorded answers in their order, each once."""

    name = "recorded"
    model_digest = digest("recorded")
    busy_seconds = 0.0

    def __init__(self, answers: Mapping[str, Sequence[Candidate]]) -> None:
        self._left = {problem_id: iter(rows) for problem_id, rows in answers.items()}

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        for request in requests:
            for index in range(request.num_samples):
                row = next(self._left[request.problem_id], None)
                if row is None:
                    raise EngineError(f"no answer of {request.problem_id} is left: record more --samples")
                yield Completion(request.problem_id, index, row.completion, row.tokens, complete=True)

    def close(self) -> None:
        pass


class Recorded(Checkers):
    """The recorded verdicts in the place of checkers."""

    def __init__(self, answers: Mapping[str, Sequence[Candidate]]) -> None:
        rows = [row for found in answers.values() for row in found]
        self._verdicts = {(r.problem_id, r.code): Verdict(r.outcome, r.failed_test, r.message, r.seconds) for r in rows}

    def submit(self, code: str, problem: Problem) -> Future[Verdict]:
        future: Future[Verdict] = Future()
        future.set_result(self._verdicts[problem.problem_id, code])
        return future


@dataclass(frozen=True)
class Spent:
    """What a policy came to: samples in all, and the problems that it solved."""

    samples: int
    solved: frozenset[str]
    distinct: int  # correct codes, over all problems


def replay(
    problems: Mapping[str, Problem], answers: Mapping[str, Sequence[Candidate]], config: RunConfig
) -> Spent:  # fmt: skip
    """Return what the loop's planning makes of the recorded answers under this configuration."""
    sampler = SampleAndCheck(problems, InTurn(answers), Recorded(answers), config, 1)
    ids, everything = list(problems), list[Candidate]()
    for wave in range(waves_of(config)):
        batches, _ = plan_wave(problems, ids, everything, config, tag=TAG, wave=wave)
        for candidates in sampler.run(batches, lambda count: None):
            everything += candidates
    correct = {(one.problem_id, one.code) for one in everything if one.passed}
    return Spent(len(everything), frozenset(pid for pid, _ in correct), len(correct))


def with_sampling(config: RunConfig, **sampling: Any) -> RunConfig:
    values = config.model_dump(mode="json")
    kept = {name: values["sampling"][name] for name in ("temperatures", "top_p", "max_new_tokens")}
    return RunConfig.model_validate({**values, "sampling": {**kept, **sampling}})


def adaptive(config: RunConfig, k: float, per_problem: int) -> RunConfig:
    """Return the configuration that spends k samples per problem on average; its first wave is a quarter of them."""
    first = max(1, min(4, round(k / 4)))
    settings = {"samples_per_problem": k, "first_wave": first, "step": first, "per_problem": per_problem}
    return with_sampling(config, adaptive=settings)


def compared(problems: Mapping[str, Problem], first: Spent, second: Spent) -> tuple[float, float, float]:
    """Return how many more problems `second` solves, with its 95 % interval over families."""
    deltas = [(p.family, float(pid in second.solved) - float(pid in first.solved)) for pid, p in problems.items()]
    low, high = cluster_bootstrap(cluster_sums(deltas), seed=SEED)
    return sum(delta for _, delta in deltas), low * len(deltas), high * len(deltas)


def run(store: RunStore, path: Path, ks: Sequence[int], out: Path | None) -> None:
    answers: dict[str, list[Candidate]] = defaultdict(list)
    for row in read_jsonl(path):
        answers[row["problem_id"]].append(Candidate.from_json(row))
    if not answers:
        raise UserError(f"--recorded {path} holds no candidates: make it with --record")
    config, problems = store.config(), store.problems(set(answers))
    most = min(map(len, answers.values()))
    figures = [figures_of(problems, answers, config, k, most) for k in ks if k <= most]
    for row in figures:
        print(sentence(row))
    if out:
        write_json(out, {"problems": len(problems), "samples_recorded": most, "policies": figures})


def figures_of(
    problems: Mapping[str, Problem], answers: Mapping[str, Sequence[Candidate]], config: RunConfig, k: int, most: int
) -> dict[str, Any]:
    """Return the figures of all policies at k samples per problem."""
    uniform = replay(problems, answers, with_sampling(config, waves=[k]))
    waves = replay(problems, answers, with_sampling(config, waves=[max(1, k // 4)] * 4))
    spent = replay(problems, answers, adaptive(config, k, most))
    gain, low, high = compared(problems, uniform, spent)
    enough = next(
        (one for share in MATCHED
         if len((one := replay(problems, answers, adaptive(config, k * share, most))).solved) >= len(uniform.solved)),
        spent,
    )  # fmt: skip
    lost, lost_low, lost_high = compared(problems, uniform, enough)
    return {
        "k": k, "problems": len(problems), "uniform": [uniform.samples, len(uniform.solved)],
        "waves": [waves.samples, len(waves.solved)], "adaptive": [spent.samples, len(spent.solved)],
        "gain": gain, "gain_ci95": [low, high], "relative": gain / max(1, len(uniform.solved)),
        "matched": [enough.samples, len(enough.solved)], "saved": 1 - enough.samples / uniform.samples,
        "matched_difference": lost, "matched_ci95": [lost_low, lost_high],
    }  # fmt: skip


def sentence(row: Mapping[str, Any]) -> str:
    (used, solved), (low, high), base = row["uniform"], row["gain_ci95"], max(1, row["uniform"][1])
    return (
        f"k = {row['k']}: uniform solves {solved:,} of {row['problems']:,} with {used:,} samples; four waves "
        f"{row['waves'][1]:,} with {row['waves'][0]:,}; adaptive {row['adaptive'][1]:,} with {row['adaptive'][0]:,}: "
        f"{row['gain']:+.0f} problems ({low:+.0f} to {high:+.0f}), {row['relative']:+.1%} ({low / base:+.1%} to "
        f"{high / base:+.1%}). With {row['matched'][0]:,} samples, {row['saved']:.0%} fewer, it solves "
        f"{row['matched'][1]:,}: {row['matched_difference']:+.0f} ({row['matched_ci95'][0]:+.0f} to "
        f"{row['matched_ci95'][1]:+.0f})"
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=Path, required=True, help="folder of a run")
    parser.add_argument("--record", type=Path, metavar="FILE", help="sample, and write the judged candidates here")
    parser.add_argument("--recorded", type=Path, metavar="FILE", help="replay these")
    parser.add_argument("--iteration", type=int, default=1, help="whose model answers (%(default)s)")
    parser.add_argument("--problems", type=int, default=400, help="train problems to answer (%(default)s)")
    parser.add_argument("--samples", type=int, default=64, help="answers to each (%(default)s)")
    parser.add_argument("--ks", type=int, nargs="+", default=[4, 8, 16, 32], help="samples per problem (4 8 16 32)")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    args = parser.parse_args(argv)
    if (args.record is None) == (args.recorded is None):
        parser.error("give either --record or --recorded")
    store = RunStore(args.run_dir)

    def work() -> None:
        if args.record:
            found = record(store, args.iteration, args.problems, args.samples)
            write_jsonl(args.record, (one.to_json() for one in found))
            print(json.dumps({"candidates": len(found), "passed": sum(one.passed for one in found)}))
        else:
            run(store, args.recorded, args.ks, args.out)

    run_program(work)


if __name__ == "__main__":
    main()
