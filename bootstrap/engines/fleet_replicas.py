"""Copies of a model on this machine: child processes with GPUs of their own, which sample side by side as a fleet.

A replica that ends, gives no sign of life for `SILENCE_SECONDS` while it loads or samples (a stopped process, one that
swaps), or lives and finishes nothing for `engine.answer_seconds` (a GPU that hangs), is killed with everything it
started and counts as lost. Replicas end with this process however it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

from bootstrap.config import PromptConfig
from bootstrap.engine_config import EngineConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.fleet import REPLACEMENTS, Fleet, SamplerLostError
from bootstrap.errors import EngineError, UserError
from bootstrap.gpus import replica_gpus

SILENCE_SECONDS = 120.0
"""A replica says every second that it lives, unless a library keeps Python from running that long."""
LOOK_SECONDS = 0.2
END_SECONDS = 10.0  # for an idle replica to end by itself: vLLM ends its own processes then
CHUNK = 1 << 16
ROOT = Path(__file__).resolve().parents[2]

Row = dict[str, Any]


def open_replicas(
    model: str, engine: EngineConfig, prompt: PromptConfig, *, silence_seconds: float = SILENCE_SECONDS,
    replacements: int = REPLACEMENTS,
) -> Fleet:  # fmt: skip
    """Return a fleet of `engine.replicas` child processes with `model` loaded. Raises UserError, EngineError."""
    starter = _Starter(model, engine, prompt, silence_seconds)
    return Fleet(
        starter.start, engine.replicas, replacements=replacements, abort_starts=starter.abort, on_close=starter.close
    )


class _Starter:
    """Starts replicas, all from one thread: the kernel kills a child when the thread that made it ends."""

    def __init__(self, model: str, engine: EngineConfig, prompt: PromptConfig, silence_seconds: float) -> None:
        single = engine.model_copy(update={"replicas": 1})
        self._hello = {"model": model, "engine": single.model_dump(mode="json"), "prompt": prompt.model_dump()}
        self._environments = [environment_of(engine, gpus) for gpus in replica_gpus(engine)]
        self._silence, self._patience = silence_seconds, engine.answer_seconds
        self._thread = ThreadPoolExecutor(1, "start-replicas")
        self._starting: set[Replica] = set()
        self._lock = threading.Lock()

    def start(self, number: int) -> Replica:
        """Return a replica that has loaded the model."""
        environment = self._environments[number]
        replica = self._thread.submit(Replica, number, environment, self._silence, self._patience).result()
        with self._lock:
            self._starting.add(replica)
        try:
            replica.load(self._hello)
        except BaseException:
            replica.close()
            raise
        finally:
            with self._lock:
                self._starting.discard(replica)
        return replica

    def abort(self) -> None:
        with self._lock:
            starting = list(self._starting)
        for replica in starting:
            replica.close()

    def close(self) -> None:
        self._thread.shutdown()


def environment_of(engine: EngineConfig, gpus: str | None) -> dict[str, str]:
    """Return what a replica sees: its GPUs, or on a CPU its share of the cores."""
    found = {**os.environ, "PYTHONUNBUFFERED": "1"}
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), found.get("PYTHONPATH"))))
    if gpus is not None:
        found["CUDA_VISIBLE_DEVICES"] = gpus
    elif engine.replicas > 1:
        found.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // engine.replicas)))
    return found


class Replica:
    """One child process. See bootstrap.engines.replica for what is said."""

    def __init__(
        self, number: int, environment: Mapping[str, str], silence_seconds: float, answer_seconds: float
    ) -> None:
        self.name, self.model_digest = "", ""
        self._number, self._silence, self._patience = number, silence_seconds, answer_seconds
        self._lock = threading.Lock()  # over the socket, never while waiting long
        self._ended = self._working = False
        self._batch, self._unread = 0, b""
        self._link, theirs = socket.socketpair()
        words = ["-m", "bootstrap.engines.replica", "--socket", str(theirs.fileno()), "--parent", str(os.getpid())]
        try:
            self._process = subprocess.Popen(
                [sys.executable, *words], stdin=subprocess.DEVNULL, stdout=2, pass_fds=(theirs.fileno(),),
                env=environment, process_group=0,
            )  # fmt: skip
        except OSError as e:
            self._link.close()
            raise UserError(f"cannot start a replica: {sys.executable}: {e.strerror}") from e
        finally:
            theirs.close()
        self._link.setblocking(False)

    def load(self, hello: Row) -> None:
        """Wait until the model is loaded. Raises UserError, EngineError, SamplerLostError."""
        self._working = True
        self._send(hello)
        while True:
            row = self._receive()
            if "refused" in row:
                raise UserError(row["refused"])
            if "failed" in row:
                raise EngineError(row["failed"])
            if "ready" in row:
                self.name, self.model_digest = row["ready"]["name"], row["ready"]["model_digest"]
                self._working = False
                return

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        self._batch += 1
        number, self._working = self._batch, True
        self._send({"batch": number, "requests": [astuple(r) for r in requests], "decoding": asdict(decoding)})
        waited = 0.0  # for this process, not by whoever takes the completions
        while True:
            started = time.monotonic()
            row = self._receive()
            waited += time.monotonic() - started
            if row.get("batch") != number:  # a sign of life, or of a batch that was dropped
                if waited > self._patience:
                    raise SamplerLostError(f"{self} lives, and finished no completion for {waited:.0f} s")
                continue
            if "completion" in row:
                waited = 0.0
                yield Completion(*row["completion"])
                continue
            self._working = False
            if "failed" in row:
                raise EngineError(row["failed"])
            return

    def close(self) -> None:
        """End the process and everything in its group; an idle one has a while to end by itself."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            with contextlib.suppress(OSError):
                self._link.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + (0 if self._working else END_SECONDS)
        while self._status() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):  # the process itself is not reaped yet: the number is its own
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with self._lock:
            self._link.close()

    # --- lines ---

    def _send(self, row: Row) -> None:
        rest = memoryview(json.dumps(row).encode() + b"\n")
        deadline = time.monotonic() + self._silence
        while rest:
            if self._wait(select.POLLOUT):
                try:
                    with self._lock:
                        rest = rest[self._link.send(rest) :]
                except BlockingIOError:
                    continue
                except OSError as e:
                    raise self._lost() from e
            elif time.monotonic() > deadline:
                raise SamplerLostError(f"{self} took nothing for {self._silence:.0f} s")

    def _receive(self) -> Row:
        """Return the next line. What was said before the end still comes."""
        deadline = time.monotonic() + self._silence
        while b"\n" not in self._unread:
            dead = self._status() is not None
            if self._wait(select.POLLIN):
                try:
                    with self._lock:
                        chunk = self._link.recv(CHUNK)
                except BlockingIOError:
                    continue
                except OSError as e:
                    raise self._lost() from e
                if not chunk:
                    raise self._lost()
                self._unread += chunk
            elif dead:  # and something that it started holds the socket open
                raise self._lost()
            elif time.monotonic() > deadline:
                raise SamplerLostError(f"{self} gave no sign of life for {self._silence:.0f} s")
        line, _, self._unread = self._unread.partition(b"\n")
        found: Row = json.loads(line)
        return found

    def _wait(self, event: int) -> bool:
        """Wait a little for the socket. Raises SamplerLostError when the replica was closed meanwhile."""
        poll = select.poll()
        with self._lock:
            if self._ended:
                raise SamplerLostError(f"{self} was closed")
            poll.register(self._link, event)
            return bool(poll.poll(LOOK_SECONDS * 1000))

    # --- the process ---

    def __str__(self) -> str:
        return f"replica {self._number} (process {self._process.pid})"

    def _status(self) -> str | None:
        """Say how the process ended, None while it runs. It is not reaped: its number stays its group's."""
        try:
            found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:  # reaped: `close` has been here
            return "was closed"
        if found is None:
            return None
        if found.si_code == os.CLD_EXITED:
            return f"ended with status {found.si_status}"
        return f"was ended by signal {found.si_status} ({signal.strsignal(found.si_status)})"

    def _lost(self) -> SamplerLostError:
        """Return how it was lost; a process whose socket has ended is about to end."""
        deadline = time.monotonic() + 1.0
        while (status := self._status()) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        return SamplerLostError(f"{self} {status or 'has closed its socket'}")
