"""Sample and check: the one place where candidates are made and judged.

Work is cut into batches whose members and seed follow from recorded state alone, so that a killed run, resumed, makes
the same candidates. Checking runs while the model samples: completions go to the checker pool as they finish, and at
most `IN_FLIGHT` batches wait for their verdicts before the model is held back. An engine that serves several batches
at a time gets them in lanes (bootstrap.lanes).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from bootstrap.checkers import Checkers
from bootstrap.config import RunConfig
from bootstrap.engines.base import Completion, Decoding, Engine, Request
from bootstrap.lanes import Lanes, lanes_of
from bootstrap.prompts import extract_code, render_prompt
from bootstrap.records import Candidate, Hint, Mistake, Problem, digest
from bootstrap.targets import language_of
from interpreters.base import Outcome, Verdict

IN_FLIGHT = 6
"""Batches whose completions may wait for verdicts."""

REPEATABLE = frozenset({Outcome.PASSED, Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR, Outcome.SYNTAX_ERROR,
                        Outcome.FORBIDDEN, Outcome.NO_RESULT})  # fmt: skip
"""Outcomes that the same code gives again; time and memory may fall out otherwise, so they are checked anew."""


@dataclass(frozen=True)
class Shown:
    """What the prompts of a wave show beside the task, by problem_id. `turn`: of a repair turn its number, else 0."""

    turn: int = 0
    mistakes: Mapping[str, Mistake] = field(default_factory=dict)
    hints: Mapping[str, Hint] = field(default_factory=dict)


NOTHING = Shown()


@dataclass(frozen=True)
class Batch:
    """One call of the engine. `tag` tells the engine what for; `index` counts within the wave."""

    tag: str
    wave: int
    index: int
    seed: int
    temperature: float
    num_samples: int
    problem_ids: tuple[str, ...]
    shown: Shown = field(default=NOTHING, hash=False)

    @property
    def size(self) -> int:
        return self.num_samples * len(self.problem_ids)


@dataclass
class Clock:
    """Seconds spent, and counts, over a stage."""

    waiting_seconds: float = 0.0  # the engine stood still for verdicts
    tokens: int = 0
    samples: int = 0
    checks: int = 0  # samples that an interpreter ran; the others repeat earlier code


def plan_batches(
    problems: Sequence[Problem], config: RunConfig, *, tag: str, wave: int, num_samples: int, temperature: float,
    first: int = 0, shown: Shown = NOTHING,
) -> list[Batch]:  # fmt: skip
    """Return the batches of one wave: problems of like length together, the seed from the run's seed, tag and index.

    `first` is the index of the first of them, where a wave has several numbers of samples.
    """
    width = max(1, config.engine.batch_sequences // num_samples)
    ordered = sorted(problems, key=lambda problem: (_length(problem, shown), problem.problem_id))
    return [
        Batch(
            tag, wave, index, int(digest(str(config.seed), tag, str(wave), str(index)), 16) % 2**31, temperature,
            num_samples, tuple(p.problem_id for p in ordered[start : start + width]), shown,
        )
        for index, start in enumerate(range(0, len(ordered), width), first)
    ]  # fmt: skip


def _length(problem: Problem, shown: Shown) -> int:
    """Return the characters of a prompt, without those that all prompts have."""
    beside = (shown.mistakes.get(problem.problem_id), shown.hints.get(problem.problem_id))
    return len(problem.statement) + sum(len(one.code) for one in beside if one)


class VerdictCache:
    """Verdicts by problem and code: the same code is judged once. Filled from recorded candidates too."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Verdict] = {}

    def add(self, candidates: Iterable[Candidate]) -> None:
        for c in candidates:
            if c.outcome in REPEATABLE:
                self._known[c.problem_id, c.code] = Verdict(c.outcome, c.failed_test, c.message, c.seconds)

    def get(self, problem_id: str, code: str) -> Verdict | None:
        return self._known.get((problem_id, code))


@dataclass
class _Open:
    """A batch under way: its completions, and the verdict of each distinct code."""

    batch: Batch
    completions: list[tuple[Completion, str]] = field(default_factory=list)
    verdicts: dict[tuple[str, str], Future[Verdict] | Verdict] = field(default_factory=dict)


@dataclass
class SampleAndCheck:
    """Everything that stays the same over the batches of a stage. `hints`: problem_id -> what its prompt shows too."""

    problems: Mapping[str, Problem]
    engine: Engine
    checkers: Checkers
    config: RunConfig
    iteration: int
    cache: VerdictCache = field(default_factory=VerdictCache)
    hints: Mapping[str, Hint] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    _counting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self, batches: Iterable[Batch], on_sample: Callable[[int], None]) -> Iterator[list[Candidate]]:
        """Yield the candidates of each batch, in the order of the batches.

        `on_sample` is called with the number of completions that have just come. Raises EngineError, InterpreterError.
        """
        if lanes_of(self.engine) > 1:
            yield from self._run_lanes(batches, on_sample)
            return
        waiting: deque[_Open] = deque()
        for batch in batches:
            while len(waiting) >= IN_FLIGHT:
                yield self._settle(waiting.popleft(), count_wait=True)
            waiting.append(self._generate(batch, on_sample))
            while waiting and self._settled(waiting[0]):
                yield self._settle(waiting.popleft(), count_wait=False)
        while waiting:
            yield self._settle(waiting.popleft(), count_wait=True)

    def _run_lanes(self, batches: Iterable[Batch], on_sample: Callable[[int], None]) -> Iterator[list[Candidate]]:
        lanes = Lanes(
            lanes_of(self.engine), IN_FLIGHT, self._generate, self._pending, getattr(self.engine, "interrupt", None)
        )
        with contextlib.closing(lanes.run(batches, on_sample)) as finished:
            for opened in finished:
                yield self._settle(opened, count_wait=False)
        self.clock.waiting_seconds += lanes.waiting_seconds

    def _generate(self, batch: Batch, on_sample: Callable[[int], None]) -> _Open:
        prompts = {pid: self._prompt(batch, pid) for pid in batch.problem_ids}
        requests = [Request(pid, prompt, batch.num_samples, batch.tag) for pid, prompt in prompts.items()]
        decoding = Decoding(
            batch.temperature, self.config.sampling.top_p, self.config.sampling.max_new_tokens, batch.seed
        )
        opened = _Open(batch)
        for completion in self.engine.generate(requests, decoding):
            code = extract_code(completion.text, self._language(completion.problem_id))
            opened.completions.append((completion, code))
            self._submit(opened, completion.problem_id, code)
            on_sample(1)
        return opened

    def _prompt(self, batch: Batch, problem_id: str) -> str:
        problem, mistake = self.problems[problem_id], batch.shown.mistakes.get(problem_id)
        return render_prompt(
            problem, self._language(problem_id), self.config.prompt, self._hint(batch, problem_id), mistake
        )  # fmt: skip

    def _hint(self, batch: Batch, problem_id: str) -> Hint | None:
        return batch.shown.hints.get(problem_id) or self.hints.get(problem_id)

    def _language(self, problem_id: str) -> str:
        return language_of(self.problems[problem_id], self.config)

    def _submit(self, opened: _Open, problem_id: str, code: str) -> None:
        key = (problem_id, code)
        if key in opened.verdicts:
            return
        known = self.cache.get(problem_id, code)
        if known is None:
            with self._counting:
                self.clock.checks += 1
        opened.verdicts[key] = known or self.checkers.submit(code, self.problems[problem_id])

    @staticmethod
    def _pending(opened: _Open) -> Future[Verdict] | None:
        """Return a verdict that the batch still waits for."""
        return next((v for v in opened.verdicts.values() if not isinstance(v, Verdict) and not v.done()), None)

    def _settled(self, opened: _Open) -> bool:
        return self._pending(opened) is None

    def _settle(self, opened: _Open, *, count_wait: bool) -> list[Candidate]:
        started = time.monotonic()
        candidates = sorted(
            (self._candidate(opened, completion, code) for completion, code in opened.completions),
            key=lambda c: (opened.batch.problem_ids.index(c.problem_id), c.sample_index),
        )
        if count_wait:
            self.clock.waiting_seconds += time.monotonic() - started
        self.clock.samples += len(candidates)
        self.clock.tokens += sum(c.tokens for c in candidates)
        self.cache.add(candidates)
        return candidates

    def _candidate(self, opened: _Open, completion: Completion, code: str) -> Candidate:
        verdict = opened.verdicts[completion.problem_id, code]
        batch = opened.batch
        return Candidate.judged(
            verdict if isinstance(verdict, Verdict) else verdict.result(),
            problem_id=completion.problem_id, iteration=self.iteration, wave=batch.wave, batch=batch.index,
            sample_index=completion.sample_index, prompt_digest=digest(self._prompt(batch, completion.problem_id)),
            completion=completion.text, code=code, tokens=completion.tokens, sampler=self.engine.model_digest,
            seed=batch.seed, turn=batch.shown.turn, hinted=self._hint(batch, completion.problem_id) is not None,
        )  # fmt: skip
