"""A q session: statements go in, values and console text come out."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from interpreters.q_subset import syntax as s
from interpreters.q_subset.application import apply
from interpreters.q_subset.errors import METER, QError, StepsExceeded, Unsupported
from interpreters.q_subset.format import console
from interpreters.q_subset.keywords import BUILTINS
from interpreters.q_subset.machine import Machine, connect
from interpreters.q_subset.parser import parse
from interpreters.q_subset.values import HOLE, NULL, Null, Value, is_function

STEPS = 5_000_000
DEPTH = 1000
MAX_SCRIPT = 2_000_000  # characters
_RECURSION = 40_000  # Python frames; one q call takes up to a dozen


@dataclass(frozen=True)
class Result:
    """The value of a statement, and what the console shows for it (its output first)."""

    value: Value
    text: str
    shown: bool


class Workspace:
    """Globals that live from one evaluation to the next. Every evaluation has its own budget of steps."""

    def __init__(self) -> None:
        self._machine = Machine()

    def evaluate(self, script: str, *, steps: int = STEPS, depth: int = DEPTH) -> list[Result]:
        """Return the results of all statements.

        Raises QError as q would, Unsupported for what this subset does not know, StepsExceeded for a spent budget.
        """
        with self._limited(steps, depth):
            return [result for text in statements(_sized(script)) for result in self._guarded(text)]

    def run(self, script: str, *, steps: int = STEPS, depth: int = DEPTH) -> list[Value]:
        """Return the values of all statements, also of those that the console could not show. Raises as `evaluate`."""
        with self._limited(steps, depth):
            return [result.value for text in statements(_sized(script)) for result in self._guarded(text, quiet=True)]

    def call(self, name: str, arguments: list[Value], *, steps: int = STEPS, depth: int = DEPTH) -> Value:
        """Return what the global or built-in of this name gives for the arguments. Raises as `evaluate`."""
        with self._limited(steps, depth):
            value: Value = apply(self._machine.look_up(name), arguments or [HOLE])
            return value

    @contextmanager
    def _limited(self, steps: int, depth: int) -> Iterator[None]:
        METER.reset(steps, depth)
        connect(self._machine)
        with _deep_stack():
            try:
                yield
            except RecursionError:
                raise QError("stack") from None
            except (QError, Unsupported, StepsExceeded, MemoryError):
                raise
            except Exception as e:  # the boundary: a form that nobody thought of is refused, never answered
                raise Unsupported(f"a form that breaks the interpreter ({type(e).__name__}: {e})") from e

    def get(self, name: str) -> Value:
        """Return a global or built-in. Raises QError with its name when there is none."""
        connect(self._machine)
        value: Value = self._machine.look_up(name)
        return value

    def has_function(self, name: str) -> bool:
        """Return whether a script has set a global of this name to a function. Raises Unsupported for a lost one."""
        if name not in self._machine.globals and name not in self._machine.lost:
            return False
        with self._limited(STEPS, DEPTH):
            value = self._machine.look_up(name)
        return is_function(value) and not isinstance(value, Null)

    def set(self, name: str, value: Value) -> None:
        self._machine.globals[name] = value

    def console(self, script: str, *, steps: int = STEPS, depth: int = DEPTH) -> str:
        """Return the console text of a script, an error as q shows it. Raises what is no error of q."""
        self._machine.printed.clear()
        try:
            results = self.evaluate(script, steps=steps, depth=depth)
        except QError as error:
            return "".join(self._machine.printed) + f"'{error.name}"
        return "\n".join(result.text for result in results if result.text)

    def _guarded(self, text: str, quiet: bool = False) -> list[Result]:
        """Run a statement; note what is not known any more when it cannot be run to its end."""
        try:
            return self._statement(text, quiet)
        except QError:
            raise
        except Exception:
            self._machine.lost |= names_set_by(text, self._machine)
            raise

    def _statement(self, text: str, quiet: bool) -> list[Result]:
        machine = self._machine
        if text.startswith("\\"):
            system_command(machine, text)
            return []
        if machine.context and "{" in text:
            raise Unsupported("a lambda made outside the root namespace")
        results = []
        for node in parsed(text):
            machine.printed.clear()
            value = machine.evaluate(node, machine.top)
            shown = not isinstance(node, s.Silent | s.Assign) and value is not NULL
            printed = "".join(machine.printed)
            line = console(value, machine.precision) if shown and not quiet else ""
            results.append(Result(value, (printed + line).removesuffix("\n"), shown))
        machine.printed.clear()
        return results


@lru_cache(maxsize=256)
def parsed(text: str) -> tuple[Any, ...]:
    """Return the nodes of a statement, which evaluation does not change: tests run the same script one by one."""
    return tuple(parse(text))


def _sized(script: str) -> str:
    if len(script) > MAX_SCRIPT:
        raise Unsupported(f"a script of {len(script)} characters, over {MAX_SCRIPT}")
    return script


def evaluate(script: str, *, steps: int = STEPS, depth: int = DEPTH) -> list[Result]:
    """Evaluate a script in a fresh workspace. Raises QError, Unsupported, StepsExceeded."""
    return Workspace().evaluate(script, steps=steps, depth=depth)


@contextmanager
def _deep_stack() -> Iterator[None]:
    """Allow as many Python frames as the depth limit of q needs; pure Python calls take no C stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def names_set_by(text: str, machine: Machine) -> set[str]:
    """Return the globals that a statement may set, judged by its text alone."""
    assigned = re.findall(r"([A-Za-z.][\w.]*)(?:\[[^\]]*\])?\s*[-+*%&|^,#_$?@!~=<>.]?:", text)
    named = [name for name in re.findall(r"`([A-Za-z.][\w.]*)", text) if name in machine.globals]
    prefix = f"{machine.context}." if machine.context else ""
    return {name if name.startswith(".") else prefix + name for name in [*assigned, *named]} - BUILTINS.keys()


def system_command(machine: Machine, text: str) -> None:
    """The commands that touch nothing outside: \\P, the precision of floats, and \\d, the namespace."""
    moved = re.fullmatch(r"\\d (\.[A-Za-z]\w*|\.)\s*", text)
    if moved:
        machine.context = "" if moved[1] == "." else moved[1]
        return
    found = re.fullmatch(r"\\P (\d{1,2})\s*", text)
    if not found or int(found[1]) > 17:
        raise Unsupported(f"the system command {text[:20]}")
    machine.precision = int(found[1])


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script: a line, and the indented lines after it. Block comments are left out."""
    current: list[str] = []
    comment = False
    for line in script.replace("\r\n", "\n").split("\n"):
        bare = line.rstrip()
        if comment:
            comment = bare != "\\"
        elif bare == "/" and not line.startswith(" "):
            comment = True
        elif bare == "\\":
            break
        elif current and (line[:1].isspace() or bare == "}" or not bare) and bare.strip():
            current.append(line)
        elif bare and not line.startswith("/"):
            if current:
                yield "\n".join(current)
            current = [line]
    if current:
        yield "\n".join(current)
