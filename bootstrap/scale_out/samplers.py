"""Samplers that are Ray actors, each with a copy of the model: a fleet of them is the engine of a stage."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bootstrap.config import RunConfig
from bootstrap.engine_config import EngineConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.fleet import Fleet, SamplerLostError
from bootstrap.errors import UserError
from bootstrap.scale_out.asking import (
    ACTOR_START_SECONDS,
    LOOK_SECONDS,
    ActorLostError,
    ClosingError,
    end_actor,
    on_node,
    wait_for,
)
from bootstrap.scale_out.cluster import Cluster, Node, join, leave
from bootstrap.scale_out.sample_actor import SampleActor, SamplerHello, SamplerWords

ALIVE_SECONDS = 5.0  # without news, between two questions for a sign of life
END_SECONDS = 5.0  # for an idle engine to end by itself: vLLM ends its own processes then


def open_samplers(model: str, config: RunConfig, engine: EngineConfig) -> Fleet:
    """Return a fleet of `engine.replicas` actors with `model` loaded. Raises UserError, EngineError."""
    cluster = join(config.ray)
    try:
        gpus = gpus_per_sampler(engine, cluster.nodes())
        starter = _Starter(cluster, words_of(model, config, engine), gpus)
    except BaseException:
        leave(cluster)
        raise
    return Fleet(
        starter.start, engine.replicas, replacements=config.ray.replacements, abort_starts=starter.abort,
        on_close=lambda: leave(cluster),
    )  # fmt: skip


def words_of(model: str, config: RunConfig, engine: EngineConfig) -> SamplerWords:
    """Return what an actor is told. It has another working directory: what is a path here becomes an absolute one."""
    single = engine.model_copy(update={"replicas": 1})
    folders: list[str] = []
    if Path(model).exists():
        folders.append(model := str(Path(model).resolve()))
    if engine.script and Path(engine.script).exists():
        folders.append(script := str(Path(engine.script).resolve()))
        single = single.model_copy(update={"script": script})
    return SamplerWords(model, single, config.prompt, tuple(folders))


def gpus_per_sampler(engine: EngineConfig, nodes: Sequence[Node]) -> int:
    """Return how many GPUs each sampler asks of Ray, which would wait for them for ever.

    Raises UserError where the cluster has too few, or has them spread so that a copy does not fit on one node.
    """
    if engine.name == "scripted" or engine.device == "cpu":
        return 0
    each = engine.tensor_parallel_size if engine.name == "vllm" else 1
    found = [node.gpus for node in nodes]
    if not sum(found) and engine.device == "auto" and each == 1:
        return 0
    if sum(count // each for count in found) < engine.replicas:
        raise UserError(
            f"engine.replicas: {engine.replicas} samplers with {each} GPU(s) each on one node are expected; the Ray "
            f"cluster has {sum(found)} GPU(s) on {len(found)} node(s) ({', '.join(map(str, found))}): lower "
            "engine.replicas or engine.tensor_parallel_size, add nodes, or set engine.device to cpu"
        )
    return each


class _Starter:
    """Starts samplers, each in the thread of its caller."""

    def __init__(self, cluster: Cluster, words: SamplerWords, gpus: int) -> None:
        self._cluster, self._words, self._gpus = cluster, words, gpus
        self._starting: set[RaySampler] = set()
        self._lock = threading.Lock()

    def start(self, number: int) -> RaySampler:
        sampler = RaySampler(number, self._cluster, self._words, self._gpus)
        with self._lock:
            self._starting.add(sampler)
        try:
            sampler.load()
        except BaseException:
            sampler.close()
            raise
        finally:
            with self._lock:
                self._starting.discard(sampler)
        return sampler

    def abort(self) -> None:
        with self._lock:
            starting = list(self._starting)
        for sampler in starting:
            sampler.close()


class RaySampler:
    """One actor, see bootstrap.engines.fleet.Sampler."""

    def __init__(self, number: int, cluster: Cluster, words: SamplerWords, gpus: int) -> None:
        import ray

        self.name, self.model_digest = "", ""
        self._number, self._cluster, self._gpus = number, cluster, gpus
        self._closing, self._working = threading.Event(), False
        self._batches = itertools.count()
        self._life = SignOfLife(self)
        place: Any = "SPREAD"
        if not gpus:
            nodes = cluster.checking_nodes()
            place = on_node(nodes[number % len(nodes)].node_id)
        make = ray.remote(
            num_cpus=0, num_gpus=gpus, max_restarts=0, concurrency_groups={"life": 1}, scheduling_strategy=place
        )
        self.actor = make(SampleActor).remote(words)

    def __str__(self) -> str:
        return f"sampler {self._number}"

    def load(self) -> None:
        """Wait until the model is loaded. Raises UserError, EngineError, SamplerLostError."""
        self._working = True
        with self._lost_is_lost():
            try:
                hello: SamplerHello = wait_for(self.actor.hello.remote(), ACTOR_START_SECONDS, self._closing)
            except ActorLostError as e:
                wants = f"; it waits for {self._gpus} free GPU(s)" if self._gpus else ""
                raise ActorLostError(f"it did not start: {e}{wants}") from e
            self._cluster.require_same(hello.versions, f"{self} on {hello.host}")
            self.name, self.model_digest = self._value(self.actor.load.remote())
        self._working = False

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        batch, ended = next(self._batches), False
        self._working = True
        stream = self.actor.generate.options(num_returns="streaming").remote(batch, list(requests), decoding)
        try:
            while True:
                with self._lost_is_lost():
                    self._await(stream)
                    reference = next(stream, None)
                    if reference is None:
                        ended = True
                        return
                    completion: Completion = self._value(reference)
                yield completion
        finally:
            self._working = False
            if not ended and not self._closing.is_set():
                with contextlib.suppress(Exception):  # lost: then there is nothing to be dropped
                    self.actor.drop.options(concurrency_group="life").remote(batch)

    def close(self) -> None:
        if self._closing.is_set():
            return
        self._closing.set()
        end_actor(self.actor, 0.0 if self._working else END_SECONDS)

    def _value(self, reference: Any) -> Any:
        self._await(reference)
        return wait_for(reference, self._cluster.config.answer_seconds, self._closing)

    def _await(self, waitable: Any) -> None:
        """Wait for a reference or for the next one of a stream, as long as the actor lives."""
        import ray

        self._life.news()
        while not ray.wait([waitable], timeout=LOOK_SECONDS)[0]:
            if self._closing.is_set():
                raise ClosingError
            self._life.look(self._cluster.config.answer_seconds)

    @contextlib.contextmanager
    def _lost_is_lost(self) -> Iterator[None]:
        try:
            yield
        except ActorLostError as e:
            raise SamplerLostError(f"{self}: {e}") from e
        except ClosingError as e:
            raise SamplerLostError(f"{self} was closed") from e


class SignOfLife:
    """Asks a sampler that says nothing, which may be sampling, whether it lives."""

    def __init__(self, sampler: RaySampler) -> None:
        self._sampler = sampler
        self._question: Any = None
        self._since = time.monotonic()

    def news(self) -> None:
        self._question, self._since = None, time.monotonic()

    def look(self, answer_seconds: float) -> None:
        """Raises ActorLostError when a question has not been answered for so long."""
        import ray

        silent = time.monotonic() - self._since
        if self._question is None:
            if silent >= min(ALIVE_SECONDS, answer_seconds / 2):
                self._question = self._sampler.actor.alive.options(concurrency_group="life").remote()
        elif ray.wait([self._question], timeout=0)[0]:
            wait_for(self._question, answer_seconds, threading.Event())  # raises when the actor is dead
            self.news()
        elif silent > answer_seconds:
            raise ActorLostError(f"no sign of life for {answer_seconds:g} s")
