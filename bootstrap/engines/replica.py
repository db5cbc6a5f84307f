"""One copy of a model in a process of its own, for `bootstrap.engines.fleet_replicas`; not a program to start by hand.

It talks in lines of JSON over a socket that its parent made, so that nothing that a library prints gets between them:

    parent: {"model": ..., "engine": {...}, "prompt": {...}}          first, once
    here:   {"ready": {"name", "model_digest"}} | {"refused": "what a person must mend"} | {"failed": "..."}
    parent: {"batch": 1, "requests": [[problem_id, prompt, num_samples, tag], ...], "decoding": {...}}
    here:   {"batch": 1, "completion": [problem_id, sample_index, text, tokens, complete]} ...
            {"batch": 1, "end": true} | {"batch": 1, "failed": "..."}
    here:   {"alive": true}                                          every second while it loads or samples

The socket's end is the word to end; so is the end of the parent.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines.base import Decoding, Engine, Request
from bootstrap.errors import EngineError, UserError

ALIVE_SECONDS = 1.0
PR_SET_PDEATHSIG = 1


class Answers:
    """What is said to the parent, whole lines from whichever thread."""

    def __init__(self, link: socket.socket) -> None:
        self._link, self._lock = link, threading.Lock()
        self._working = threading.Event()
        threading.Thread(target=self._beat, name="alive", daemon=True).start()

    def send(self, **row: Any) -> None:
        with self._lock, contextlib.suppress(OSError):  # nobody listens: the end of the socket will say so
            self._link.sendall(json.dumps(row).encode() + b"\n")

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Give signs of life while the block runs."""
        self._working.set()
        try:
            yield
        finally:
            self._working.clear()

    def _beat(self) -> None:
        wait = threading.Event()
        while True:
            self._working.wait()
            self.send(alive=True)
            wait.wait(ALIVE_SECONDS)


def load(answers: Answers, hello: dict[str, Any]) -> Engine | None:
    """Load the model and say how it went; None when it cannot be loaded."""
    from bootstrap.engines import load_engine

    with answers.working():
        try:
            config = EngineConfig.model_validate(hello["engine"])
            engine = load_engine(hello["model"], config, PromptConfig.model_validate(hello["prompt"]))
        except UserError as e:
            answers.send(refused=str(e))
        except EngineError as e:
            answers.send(failed=str(e))
        except Exception as e:  # a mistake in the engine: it would come again in every replica
            traceback.print_exc()
            answers.send(failed=f"{type(e).__name__}: {e}")
        else:
            answers.send(ready={"name": engine.name, "model_digest": engine.model_digest})
            return engine
    return None


def answer(answers: Answers, engine: Engine, row: dict[str, Any]) -> None:
    """Sample one batch."""
    number = row["batch"]
    with answers.working():
        try:
            requests = [Request(*one) for one in row["requests"]]
            for completion in engine.generate(requests, Decoding(**row["decoding"])):
                answers.send(batch=number, completion=astuple(completion))
        except (EngineError, UserError) as e:
            answers.send(batch=number, failed=str(e))
        except Exception as e:  # a mistake in the engine: it would come again in every replica
            traceback.print_exc()
            answers.send(batch=number, failed=f"{type(e).__name__}: {e}")
        else:
            answers.send(batch=number, end=True)


def end_with(parent: int) -> None:
    """Let the kernel kill this process when the thread that started it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--socket", type=int, required=True, help="number of the inherited socket")
    parser.add_argument("--parent", type=int, required=True, help="process that started this one")
    args = parser.parse_args(argv)
    end_with(args.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on
    os.set_inheritable(args.socket, False)
    link = socket.socket(fileno=args.socket)
    answers, lines = Answers(link), link.makefile("r", encoding="utf-8")
    engine = load(answers, json.loads(lines.readline() or sys.exit(0)))
    if engine is None:
        sys.exit(1)
    for line in lines:
        answer(answers, engine, json.loads(line))
    engine.close()


if __name__ == "__main__":
    main()
