"""q, checked by a q that the user has installed: kdb+, KDB-X or another program that speaks it. See q_program.py for
how it is found, q_driver.py for what it runs, q_answers.py for how its answer is read.

Every test of a candidate has a process of its own, which begins with an empty workspace and sees the inputs of that
test alone: `q driver.q -q ...`, standard input closed, as isolation/confine.py confines a child that becomes another
program. What that adds to what is NOT covered there: the program's licence file and start-up scripts can be read by
the candidate (which has nowhere to send them), and the program is trusted not to be an attacker itself.

A licence that must ask a server (On-Demand licences) cannot work: there is no network.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from interpreters.base import (
    Execution,
    GoOn,
    InterpreterError,
    InterpreterUnavailable,
    Job,
    Limits,
    Outcome,
    Table,
)
from interpreters.processes.conversation import explain
from interpreters.processes.forked import TRUSTED_LIMITS
from interpreters.processes.process import Zygote
from interpreters.processes.programs import PROGRAMS, Printed, Program
from interpreters.q_answers import noun_of, read_answer
from interpreters.q_driver import Driver, driver_of, script_of
from interpreters.q_program import DRIVER, READABLE, VARIABLE, find, program_of
from interpreters.q_subset import values as q
from interpreters.q_values import is_call, refuses
from interpreters.sandbox import SandboxName, Wanted
from interpreters.wire import WireError, parse_untrusted

START_SECONDS = 10.0  # from execve to the first line of a script
PROBE_LIMITS = Limits(seconds=5.0, memory_mb=512, output_bytes=2**16)
_LICENCE = re.compile(r"licen[cs]e error|licen[cs]e (has )?expired|'?\bk[4cx]\.lic\b", re.IGNORECASE)
_KX = re.compile(r"kdb(\+|-x)", re.IGNORECASE)  # how kdb+ and KDB-X greet
_KX_NAMES = {"KDB-X": "KDB-X"}
_MEMORY = re.compile(r"-w abort|wsfull")
_LONGEST_VERSION = 80


class QKdb:
    """An `Interpreter` (see base.py) of scripts of q.

    `executable` names the program, as Q_EXECUTABLE does.
    """

    name = "q_kdb"
    language = "q"

    def __init__(self, sandbox: SandboxName | Wanted = "required", executable: str | None = None) -> None:
        self._zygote = Zygote(PROGRAMS, None, sandbox)
        self._environment = dict(os.environ)
        self._given = executable
        self._path: Path | None = None
        self._version = ""

    # -- which engine it is ---------------------------------------------------------------------------------------

    def available(self) -> str | None:
        try:
            self._start()
        except InterpreterUnavailable as error:
            return str(error)
        return None

    def version(self) -> str:
        self._start()
        return self._version

    def sandbox(self) -> str:
        self._start()
        return self._zygote.sandbox.line()

    def lucky(self, code: str) -> bool:
        return False

    def refuses(self, inputs: Sequence[Mapping[str, Table]]) -> str | None:
        return refuses(inputs)

    def _start(self) -> None:
        if self._version:
            return
        path = find(self._environment, self._given)
        program = program_of(path, self._environment, PROBE_LIMITS.memory_mb)
        self._zygote.start()
        banner = self._banner(path, program)
        if _KX.match(banner):
            release = self._probe(path, program, '(".z.K";".z.k")')
            label = " ".join([_KX_NAMES.get(banner[:5].upper(), "kdb+"), *release])
        else:
            self._probe(path, program, "()")
            label = banner or f"{path.name}, a q that does not tell its version"
        self._path, self._version = path, label

    def _banner(self, path: Path, program: Program) -> str:
        """Return the first line of what the program says of itself: kdb+ greets, others know --version."""
        script = script_of(secrets.token_hex(8), (), (), "")
        asked = Program((str(path), "--version"), program.environment, program.readable, program.executable)
        printed = _printed(script, PROBE_LIMITS, "", "")
        try:
            self._talk(asked, {}, printed, PROBE_LIMITS)
        except InterpreterError:  # it never begins: it has no script
            _require_licence(path, printed.text())
        lines = bytes(printed.tail).decode("utf-8", "replace").splitlines()
        return next((" ".join(line.split())[:_LONGEST_VERSION] for line in lines if line.strip()), "")

    def _probe(self, path: Path, program: Program, names: str) -> list[str]:
        """Have it add; return as text what it has under these names. Raises InterpreterUnavailable."""
        asked = ["show 1+1", "\\P 4", f'.judge.engine:{{@[{{string value x}}; x; {{""}}]}} each {names}']
        script = script_of(secrets.token_hex(8), (), asked, '.judge.tell["last"; (1b; .judge.engine)]')
        found: list[str] = []

        def read(line: bytes) -> Execution:
            answer = parse_untrusted(line)
            noun = noun_of(answer["last"]) if isinstance(answer, dict) and "last" in answer else q.NULL
            if not isinstance(noun, q.Vec) or noun.t:
                raise WireError("expected a list of two texts")
            found.extend("".join(one.v) for one in noun.v)
            return Execution(Outcome.PASSED)

        printed = Printed(script.begin, script.mark, PROBE_LIMITS, START_SECONDS, read)
        try:
            execution = self._talk(program, {DRIVER: script.text}, printed, PROBE_LIMITS)
        except InterpreterError as error:
            raise InterpreterUnavailable(_complaint(path, printed.text(), str(error))) from error
        if execution.outcome is not Outcome.PASSED or printed.text() != "2":
            said = printed.text() or execution.message
            raise InterpreterUnavailable(
                f"{path} is no q that can be used: expected 2 as what `show 1+1` prints and an answer to the probe, "
                f"found {said[:200]!r} ({execution.outcome} {execution.message}); name another program in {VARIABLE}"
            )
        return [text for text in found if text]

    # -- candidates -----------------------------------------------------------------------------------------------

    def execute(
        self, code: str, inputs: Sequence[Mapping[str, Table]], limits: Limits, go_on: GoOn | None = None
    ) -> Execution:
        """Run the script in one process per test; the limits hold for all of them together."""
        self._start()
        results: tuple[Table, ...] = ()
        seconds = 0.0
        for index, tables in enumerate(inputs):
            left = Limits(max(limits.seconds - seconds, 0.01), limits.memory_mb, limits.output_bytes, limits.cells)
            execution = self._run(code, tables, left)
            results += execution.results
            seconds += execution.seconds
            if execution.outcome is not Outcome.PASSED:
                return Execution(execution.outcome, results, execution.message, seconds)
            if go_on is not None and index + 1 < len(inputs) and not go_on(index, results[-1]):
                break
        return Execution(Outcome.PASSED, results, "", seconds)

    def execute_trusted(self, jobs: Sequence[Job], limits: Limits = TRUSTED_LIMITS) -> list[Execution]:
        """Run scripts of our own, in processes of their own all the same: a workspace cannot be emptied."""
        return [self.execute(code, inputs, limits) for code, inputs in jobs]

    def _run(self, code: str, tables: Mapping[str, Table], limits: Limits) -> Execution:
        assert self._path is not None  # after _start
        if not _is_text(code):
            return Execution(Outcome.SYNTAX_ERROR, (), "the code has half a surrogate pair, which is no text")
        try:
            script = driver_of(code, tables, secrets.token_hex(16))
        except WireError as error:
            raise InterpreterError(f"q cannot hold these inputs: {error}") from error
        program = program_of(self._path, self._environment, limits.memory_mb)
        printed = _printed(script, limits, code, next(iter(tables)) if is_call(tables) else "")
        try:
            return self._talk(program, {DRIVER: script.text}, printed, limits)
        except InterpreterError as error:
            raise InterpreterError(_complaint(self._path, printed.text(), str(error))) from error

    def _talk(self, program: Program, files: Mapping[str, str], printed: Printed, limits: Limits) -> Execution:
        """Run a program until it has answered, or will not. Raises InterpreterError when it did not begin."""
        self._zygote.start()
        with self._zygote.fork() as child:
            ending, status = child.ask(program.request(files, limits), printed, last=True)
        if not printed.executions:
            outcome, message = explain(ending, status, limits)
            said = printed.text()
            if outcome in (Outcome.NO_RESULT, Outcome.RUNTIME_ERROR) and _MEMORY.search(said):
                outcome, message = Outcome.MEMORY_EXCEEDED, "q ended: more memory than is given"
            printed.end_job(outcome, f"{message}; it printed: {said[-150:]}" if said else message)
        return printed.executions[0]

    def close(self) -> None:
        self._zygote.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _is_text(code: str) -> bool:
    try:
        code.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _printed(script: Driver, limits: Limits, code: str, entry: str) -> Printed:
    def read(line: bytes) -> Execution:
        return read_answer(line, code, entry, limits.cells)

    return Printed(script.begin, script.mark, limits, START_SECONDS, read)


def _require_licence(path: Path, said: str) -> None:
    if _LICENCE.search(said):
        raise InterpreterUnavailable(
            f"{path} runs, but has no licence that works here: {said[:200]}. The licence file must lie in QHOME or "
            "QLIC; On-Demand licences must reach a server, and the sandbox has no network: use one that works offline"
        )


def _complaint(path: Path, said: str, error: str) -> str:
    """Return why a program did not begin with its script."""
    _require_licence(path, said)
    if "(deadline" in error:
        return f"{path} did not begin with its script in {START_SECONDS:g} s; it printed: {said[:200]!r}"
    return (
        f"{path} did not begin with its script ({error}); it printed: {said[:200]!r}. What it reads besides its own "
        f"file, QHOME's scripts, licences and shared libraries must be named in {READABLE}"
    )
