"""Sampled tokens per second: the transformers engine against a bare `generate`, and against forward passes alone.

Every round runs the same batches through four sides, which take turns at going first: the engine; the engine with the
checkers beside it, as SOLVE runs it; `generate` as one would call it by hand (tokenizer, generate, decode); and the
floor, which feeds the tokens that were sampled through the model, one step at a time with a KV cache, and samples
nothing. Engine and `generate` draw the same tokens from the same seeds.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrap.checkers import Checkers
from bootstrap.config import RunConfig, load_config
from bootstrap.engines import load_engine
from bootstrap.engines.base import Decoding, Engine, Request
from bootstrap.files import read_json
from bootstrap.prompts import render_prompt
from bootstrap.records import Problem
from bootstrap.run_store import RunStore
from bootstrap.sampling import Batch, SampleAndCheck, plan_batches
from bootstrap.sources import load_source
from eval.bench_table import Section, ratios, spread, times
from interpreters import load_interpreter

if TYPE_CHECKING:
    import torch

SAMPLES = 4  # per problem, as in a wave of the demo


@dataclass(frozen=True)
class Workload:
    """What all sides sample: a model and batches of a run's kind."""

    model: str
    config: RunConfig
    language: str
    problems: dict[str, Problem]
    batches: list[Batch]

    def prompts(self, batch: Batch) -> list[str]:
        return [render_prompt(self.problems[pid], self.language, self.config.prompt) for pid in batch.problem_ids]

    def decoding(self, batch: Batch) -> Decoding:
        sampling = self.config.sampling
        return Decoding(batch.temperature, sampling.top_p, sampling.max_new_tokens, batch.seed)


@dataclass(frozen=True)
class Pass:
    """All batches once on one side."""

    tokens: int
    seconds: float
    cpu_seconds: float  # of this process; the checkers are other ones

    @property
    def speed(self) -> float:
        return self.tokens / self.seconds


@contextmanager
def open_workload(store: RunStore | None, demo: Path, num_batches: int) -> Iterator[Workload]:
    """Give the best model of a run and its problems, or a new checkpoint of the demo's size and like problems."""
    config = store.config() if store else load_config(demo, {})
    language = load_interpreter(config.target).language
    with tempfile.TemporaryDirectory() as folder:
        if store:
            model = best_model(store)
            problems = list(store.problems(set(store.split()["train"])).values())
        else:
            problems = list(load_source(config.source.name, {**config.source.options, "count": 600}, 11).load())
            model = new_checkpoint(config, language, problems, Path(folder))
        plan = plan_batches(problems, config, tag="bench", wave=0, num_samples=SAMPLES, temperature=1.0)
        chosen = plan[:: max(1, len(plan) // num_batches)][:num_batches]  # short and long prompts
        yield Workload(model, config, language, {p.problem_id: p for p in problems}, chosen)


def best_model(store: RunStore) -> str:
    return str(store.model(read_json(store.final_report_file)["best_iteration"]))


def new_checkpoint(config: RunConfig, language: str, problems: Sequence[Problem], folder: Path) -> str:
    from transformers.utils import logging

    from bootstrap.base_model import build_base_model

    logging.disable_progress_bar()
    assert config.from_scratch
    texts = [render_prompt(problem, language, config.prompt) for problem in problems]
    texts += [problem.references[language] for problem in problems]
    return str(build_base_model(config.from_scratch, texts, folder / "base", seed=0))


class BareGenerate:
    """`generate` as one would call it by hand, on the engine's device and in its dtype, with a copy of the model of
    its own. Keeps the token ids of the last pass for the floor."""

    def __init__(self, work: Workload) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from bootstrap.engines.transformers_engine import loading, pick_device

        engine = work.config.engine
        self.device = pick_device(engine.device)
        self.tokenizer = AutoTokenizer.from_pretrained(work.model, padding_side="left")
        self.model: Any = AutoModelForCausalLM.from_pretrained(work.model, **loading(engine, self.device)).eval()
        self.rows: dict[int, torch.Tensor] = {}

    def run(self, work: Workload) -> int:
        return sum(self._batch(work, number) for number in range(len(work.batches)))

    def _batch(self, work: Workload, number: int) -> int:
        import torch

        batch = work.batches[number]
        encoded = self.tokenizer(work.prompts(batch), return_tensors="pt", padding=True).to(self.device)
        torch.manual_seed(batch.seed)
        with torch.inference_mode():
            rows = self.model.generate(
                input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"], do_sample=True,
                temperature=batch.temperature, top_p=work.config.sampling.top_p, top_k=0,
                num_return_sequences=batch.num_samples, max_new_tokens=work.config.sampling.max_new_tokens,
                pad_token_id=self.tokenizer.pad_token_id,
            )  # fmt: skip
        self.rows[number] = rows
        sampled = rows[:, encoded["input_ids"].shape[1] :]
        self.tokenizer.batch_decode(sampled, skip_special_tokens=True)
        return self._count(sampled)

    def _count(self, sampled: torch.Tensor) -> int:
        """Return the tokens up to the end of each answer; a model of random weights samples padding too."""
        ends = sampled == self.tokenizer.eos_token_id
        return int((ends.cumsum(1) - ends.long() == 0).sum())

    def floor(self, work: Workload) -> int:
        """Feed what the last pass sampled through the model: the forward passes of `generate` and nothing else."""
        import torch

        count = 0
        with torch.inference_mode():
            for number, batch in enumerate(work.batches):
                rows = self.rows[number]
                width = self.tokenizer(work.prompts(batch), return_tensors="pt", padding=True)["input_ids"].shape[1]
                self._forward_passes(rows, width)
                count += self._count(rows[:, width:])
        return count

    def _forward_passes(self, rows: torch.Tensor, width: int) -> None:
        import torch

        mask = torch.ones_like(rows)
        mask[:, :width] = rows[:, :width] != self.tokenizer.pad_token_id  # padding on the left
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        cache, start = None, 0
        for end in range(width, rows.shape[1]):
            out = self.model(
                input_ids=rows[:, start:end], attention_mask=mask[:, :end], position_ids=positions[:, start:end],
                past_key_values=cache, use_cache=True, logits_to_keep=1,
            )  # fmt: skip
            cache, start = out.past_key_values, end


def engine_alone(engine: Engine, work: Workload) -> int:
    tokens = 0
    for batch in work.batches:
        pairs = zip(batch.problem_ids, work.prompts(batch), strict=True)
        requests = [Request(pid, prompt, batch.num_samples, batch.tag) for pid, prompt in pairs]
        tokens += sum(completion.tokens for completion in engine.generate(requests, work.decoding(batch)))
    return tokens


def timed(work: Callable[[], int]) -> Pass:
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = work()
    return Pass(tokens, time.perf_counter() - wall, time.process_time() - cpu)


def measure(work: Workload, rounds: int) -> dict[str, list[Pass]]:
    """Return the passes of each side."""
    with Checkers(work.config) as checkers:
        engine = load_engine(work.model, work.config.engine, work.config.prompt)  # sets the threads of all sides
        bare = BareGenerate(work)

        def with_checkers() -> int:
            sampler = SampleAndCheck(work.problems, engine, checkers, work.config, 0)
            return sum(c.tokens for done in sampler.run(work.batches, lambda _: None) for c in done)

        sides: dict[str, Callable[[], int]] = {
            "generate": lambda: bare.run(work),
            "engine": lambda: engine_alone(engine, work),
            "checked": with_checkers,
            "floor": lambda: bare.floor(work),
        }
        found = alternate(sides, rounds)
        engine.close()
    return found


def alternate(sides: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, list[Pass]]:
    """Return the passes of sides that return their tokens and take turns at going first; one round before warms up."""
    found: dict[str, list[Pass]] = {side: [] for side in sides}
    for number in range(-1, rounds):
        for side in sides if number % 2 else reversed([*sides]):
            one = timed(sides[side])
            if number >= 0:
                found[side].append(one)
    return found


def sampling_section(store: RunStore | None, demo: Path, *, quick: bool) -> Section:
    with open_workload(store, demo, 2 if quick else 6) as work:
        found = measure(work, 2 if quick else 5)
        origin = work.model if store else "a new checkpoint with random weights, whose answers run to the token limit"
    return section_of(found, work, origin)


def section_of(found: dict[str, list[Pass]], work: Workload, origin: str) -> Section:
    names = {"engine": "engine", "checked": "engine, checkers beside it", "generate": "bare generate",
             "floor": "floor: forward passes alone"}  # fmt: skip
    rows = []
    for side, label in names.items():
        wall, cpu = speed_ratio(found, side, "generate")
        floor = times(speed_ratio(found, side, "floor")[0])
        rows.append([label, spread([p.speed for p in found[side]]).text(",.0f"), times(wall), times(cpu), floor])
    counts = {side: passes[0].tokens for side, passes in found.items()}
    same = "the same tokens on every side" if len(set(counts.values())) == 1 else f"tokens by side: {counts}"
    sequences = sum(batch.size for batch in work.batches)
    notes = [
        f"{origin}; {sequences} sequences in {len(work.batches)} batches a pass, {counts['engine']:,} tokens, {same}; "
        f"{len(found['engine'])} rounds; median (least–greatest). Ratios are times: below 1 is faster. With checkers "
        "the time runs until the last verdict; CPU is that of the sampling process.",
    ]
    figures = {"model": origin, "sequences": sequences,
               "rounds": {side: [asdict(p) for p in passes] for side, passes in found.items()}}  # fmt: skip
    columns = ("side", "tokens/s", "time / generate", "CPU / generate", "time / floor")
    return Section("Sampling: tokens per second", columns, rows, notes, figures)


def speed_ratio(found: dict[str, list[Pass]], side: str, other: str) -> tuple[Any, Any]:
    """Return the spreads of seconds and CPU seconds per token over those of another side, round by round."""
    per_token = {
        name: ([p.seconds / p.tokens for p in found[name]], [p.cpu_seconds / p.tokens for p in found[name]])
        for name in (side, other)
    }
    (wall, cpu), (other_wall, other_cpu) = per_token[side], per_token[other]
    return ratios(wall, other_wall), ratios(cpu, other_cpu)
