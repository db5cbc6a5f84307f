"""What every program does around its work: errors in one sentence, and a clean end when it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from bootstrap.errors import EngineError, UserError
from interpreters.base import InterpreterError

USER_ERROR = 2
INTERRUPTED = 130
WAIT_HELP = "do the slow imports, then wait for a line on stdin before anything else"


class StopRequest:
    """Whether this process was told to stop. KeyboardInterrupt alone can be lost: Python drops an exception that a
    signal raises inside a fork hook or a destructor."""

    requested = False

    @classmethod
    def check(cls) -> None:
        """Raise KeyboardInterrupt when the process was told to stop."""
        if cls.requested:
            raise KeyboardInterrupt


def stop_on_signals() -> None:
    """Treat SIGTERM (a scheduler's warning, the loop's own stop) as Ctrl-C, which a shell may have switched off."""

    def interrupt(*_: object) -> None:
        StopRequest.requested = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)


def wait_for_go(preload: Callable[[], None]) -> None:
    """Do the slow imports beside an earlier stage, then wait for a line on stdin; without one the program ends."""
    stop_on_signals()
    try:
        preload()
        if not sys.stdin.readline():
            sys.exit(0)
    except UserError as e:
        print(f"error: {e}", file=sys.stderr, flush=True)
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def run_program(work: Callable[[], None]) -> None:
    """Run a program's work; print a UserError, EngineError or InterpreterError as one sentence and exit with 2."""
    stop_on_signals()
    try:
        work()
    except (UserError, EngineError, InterpreterError) as e:
        print(f"error: {e}", file=sys.stderr, flush=True)
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(INTERRUPTED)  # a sampling thread may still hold the interpreter
