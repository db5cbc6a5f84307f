"""`vllm serve` as a child of the stage that samples: started on a free port, awaited, and ended with its GPU memory.

It may take minutes to load a model, so a line says every now and then how long it has been; what it prints goes to the
stage's output, and so into its log. It ends with the stage however that ends (bootstrap/engines/remote/guard.py).
"""

from __future__ import annotations

import contextlib
import http.client
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from bootstrap.config import EngineConfig
from bootstrap.engines.remote import guard
from bootstrap.engines.vllm_engine import vllm_dtype
from bootstrap.errors import EngineError, UserError

HOST = "127.0.0.1"
LOOK_SECONDS = 0.25
SAY_SECONDS = 15.0
HEALTH_SECONDS = 5.0
KEPT_LINES = 400
LAST_LINES_SECONDS = 2.0
CAUSE = re.compile(r"\b\w*(?:Error|Exception)\b: (?!.*root cause above).+|error: .+")
"""The first such line names the cause; the tracebacks of the processes around it follow."""


class OwnServer:
    """One `vllm serve`; `words` are what follows `vllm`, without the port."""

    def __init__(self, program: str, words: Sequence[str], start_seconds: float) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}/v1"
        self.words = (program, *words, "--host", HOST, "--port", str(self.port))
        self.start_seconds = start_seconds
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. Raises UserError where it ends before, or takes longer than
        `engine.start_seconds`."""
        self.lines.clear()
        print(f"start {shlex.join(self.words)}", flush=True)
        self.process = subprocess.Popen(
            (sys.executable, guard.__file__, str(guard.STOP_SECONDS), *self.words), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace",
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip())
            print(f"| {line}", end="", flush=True)

    def _wait(self) -> None:
        started = said = time.monotonic()
        while not self._healthy():
            if how := self.ended():
                raise UserError(f"{how}; by hand: {shlex.join(self.words)}")
            now = time.monotonic()
            if now - started > self.start_seconds:
                last = next((line for line in reversed(self.lines) if line.strip()), "it printed nothing")
                raise UserError(
                    f"vllm serve does not answer after {self.start_seconds:g} s (engine.start_seconds); its last line: "
                    f"{last.strip()[:300]}; by hand: {shlex.join(self.words)}"
                )
            if now - said > SAY_SECONDS:
                said = now
                print(f"waiting for vllm serve: {now - started:.0f} of {self.start_seconds:g} s", flush=True)
            time.sleep(LOOK_SECONDS)
        print(f"vllm serve answers after {time.monotonic() - started:.0f} s", flush=True)

    def _healthy(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=HEALTH_SECONDS)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def ended(self) -> str | None:
        """Return how it has ended, None while it runs."""
        if self.process is None or (status := self.process.poll()) is None:
            return None
        self._reader.join(LAST_LINES_SECONDS)
        cause = next((found[0] for line in list(self.lines) if (found := CAUSE.search(line))), "")
        last = next((line for line in reversed(self.lines) if line.strip()), "it printed nothing")
        how = f"ended with status {status}" if status <= 128 else f"was ended by signal {status - 128}"
        return f"vllm serve {how}: {(cause or last).strip()[:400]}"

    def soon_ended(self) -> str | None:
        """As `ended`, for a server that answers no more: what it leaves behind is cleared away before it is told."""
        deadline = time.monotonic() + guard.STOP_SECONDS + HEALTH_SECONDS
        while (how := self.ended()) is None and time.monotonic() < deadline and not self._healthy():
            time.sleep(LOOK_SECONDS)
        return how

    def stop(self) -> None:
        """End it and wait until it is gone: the memory of its GPUs is free then."""
        if self.process is None:
            return
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self._reader.join(LAST_LINES_SECONDS)
        if not self._reader.is_alive():
            assert self.process.stdout is not None
            self.process.stdout.close()
        self.process = None


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def find_vllm(python: str | None) -> str:
    """Return the program `vllm` that lies beside `engine.python`, or on the PATH."""
    if python is None:
        if (found := shutil.which("vllm")) is None:
            raise UserError(
                "engine.name is vllm_server, but there is no program vllm on the PATH: set engine.python to the python "
                "of an environment that has it, or engine.base_url to a server that runs"
            )
        return found
    interpreter = shutil.which(python)
    if interpreter is None:
        raise UserError(f"engine.python is {python}: no such program; give the python of the environment that has vllm")
    program = Path(interpreter).absolute().parent / "vllm"
    if not program.is_file():
        raise UserError(f"engine.python is {python}: no program vllm beside it; {python} -m pip install vllm")
    return str(program)


def serve_words(base: str, name: str, adapter: tuple[str, Path] | None, config: EngineConfig) -> list[str]:
    """Return the words after `vllm`: the model under `name`, an adapter under a name of its own beside it."""
    words = [
        "serve", base, "--served-model-name", name, "--dtype", vllm_dtype(config),
        "--tensor-parallel-size", str(config.tensor_parallel_size),
        "--gpu-memory-utilization", str(config.gpu_memory_utilization),
        "--max-num-seqs", str(-(-config.batch_sequences // config.replicas)),
        "--enable-prefix-caching", "--disable-uvicorn-access-log",
    ]  # fmt: skip
    if config.replicas > 1:
        words += ["--data-parallel-size", str(config.replicas)]
    if config.max_model_len:
        words += ["--max-model-len", str(config.max_model_len)]
    if config.enforce_eager:
        words.append("--enforce-eager")
    if adapter:
        words += ["--enable-lora", "--max-lora-rank", str(config.lora_rank)]
        words += ["--lora-modules", f"{adapter[0]}={adapter[1].absolute()}"]
    return [*words, *config.serve_words]


class Restarts:
    """Starts a server that died in the middle again, so many times; its requests are in the store or owed again."""

    def __init__(self, server: OwnServer, most: int = 2) -> None:
        self.server, self.left = server, most

    def after(self, failure: EngineError) -> None:
        """Return when the server answers again. Raises EngineError where it has not died, or too often."""
        how = self.server.soon_ended()
        if how is None:
            raise failure
        if self.left == 0:
            raise EngineError(f"{how}; it was started again before. All answers so far are kept") from failure
        self.left -= 1
        print(f"{how}; it is started again", flush=True)
        self.server.stop()
        self.server.start()
