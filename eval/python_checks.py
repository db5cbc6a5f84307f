"""Run a data set's Python check against answers that another language gave: calls are recorded, answers replayed.

A check is code with a function `check(candidate)` of asserts. It runs in the sandboxed Python child with a candidate
that knows the answers so far. A call that has none yet is noted, and is given a placeholder that every assert likes;
the caller then has the calls answered, in a process that sees nothing of the check, and runs the check again, until
it asks for nothing new. So a call may depend on earlier answers, and no expected value reaches the candidate.

What the answers are in the check: numbers, booleans and None as they are; text is a str that equals its bytes too and
has `decode`, as char vectors become bytes with pykx; symbols are text; lists equal tuples of the same items, for q has
no tuples; dictionaries of any keys are dicts.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from interpreters.base import Execution, Interpreter, Limits, Outcome, Value
from interpreters.function_cases import case_of

ENTRY = "replayed_check"
ROUNDS = 40
"""How often new calls may appear; each is one run of the check."""
LIMITS = Limits(seconds=20.0, memory_mb=2048)


@dataclass(frozen=True)
class Call:
    """A call of the function under test, and what came of it: an answer, or the error of the candidate."""

    arguments: list[Value]
    answer: Value = None
    error: str = ""

    def as_value(self) -> Value:
        return {"arguments": self.arguments, "answer": self.answer, "error": self.error}


@dataclass(frozen=True)
class Checked:
    """`outcome`: PASSED, WRONG_ANSWER for an assert that does not hold, the candidate's own outcome where it gave no
    answer, RUNTIME_ERROR where the check itself stumbled over an answer."""

    outcome: Outcome
    message: str = ""


Answers = Callable[[Sequence[list[Value]]], Execution]
"""Has calls answered, in order, up to the first that gives no answer."""


class CheckError(ValueError):
    """The check cannot be run against any answers; the message says why."""


def run_check(python: Interpreter, check: str, answers: Answers) -> Checked:
    """Return what a check says about a candidate. Raises CheckError where it cannot be asked."""
    known: list[Call] = []
    failed: Execution | None = None
    for _ in range(ROUNDS):
        found = _replay(python, check, known)
        asked = found["asked"]
        if not asked:
            return _judged(found, failed)
        execution = answers(asked)
        known += [Call(one, table.rows[0][0]) for one, table in zip(asked, execution.results, strict=False)]
        if execution.outcome is not Outcome.PASSED:
            failed = execution
            known.append(Call(asked[len(execution.results)], error=execution.outcome.value))
    raise CheckError(f"the check still makes new calls after {ROUNDS} rounds")


def _judged(found: dict[str, Any], failed: Execution | None) -> Checked:
    if found["passed"]:
        return Checked(Outcome.PASSED)
    if failed is not None and found["raised"]:
        return Checked(failed.outcome, failed.message)
    return Checked(Outcome.WRONG_ANSWER if found["held"] is False else Outcome.RUNTIME_ERROR, found["message"])


def _replay(python: Interpreter, check: str, known: Sequence[Call]) -> dict[str, Any]:
    test = case_of(ENTRY, ["known"], [[call.as_value() for call in known]], None, hidden=True)
    execution = python.execute(f"{check}\n\n{REPLAY}", [test.tables], LIMITS)
    if execution.outcome is not Outcome.PASSED:
        raise CheckError(f"the check does not run: {execution.outcome.value} {execution.message}".strip())
    found = execution.results[0].rows[0][0]
    assert isinstance(found, dict)  # what REPLAY returns
    return found


# -- what a check needs that nobody gives it --------------------------------------------------------------------------


def undefined_names(check: str) -> list[str]:
    """Return the names that a check uses, but neither defines nor imports: no candidate can pass it."""
    try:
        tree = ast.parse(check)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CheckError(f"the check is no Python ({error})") from error
    defined = set(_defined(tree)) | set(dir(builtins))
    used = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    return sorted({name for name in used if name not in defined})


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.arg(arg=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((alias.asname or alias.name).partition(".")[0] for alias in aliases)


# -- the program beside the check, in the child -----------------------------------------------------------------------

REPLAY = '''
class _Text(str):
    def __eq__(self, other):
        if isinstance(other, (bytes, bytearray)):
            return self.encode("utf-8") == bytes(other)
        return str.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__

    def decode(self, *_, **__):
        return str(self)


class _List(list):
    def __eq__(self, other):
        return list.__eq__(self, list(other) if isinstance(other, tuple) else other)

    def __ne__(self, other):
        return not self == other

    __hash__ = None


class _Any:
    """Stands for an answer that is not known yet: whatever is asked of it holds."""

    def _same(self, *_, **__):
        return self

    def _yes(self, *_):
        return True

    __getattr__ = _same

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 1

    def __float__(self):
        return 0.0

    def __int__(self):
        return 0

    __index__ = __int__
    __hash__ = object.__hash__


for _name in "eq ne lt le gt ge contains bool".split():
    setattr(_Any, f"__{_name}__", _Any._yes)
for _name in "add sub mul truediv floordiv mod pow".split():
    setattr(_Any, f"__{_name}__", _Any._same)
    setattr(_Any, f"__r{_name}__", _Any._same)
for _name in "neg abs round getitem call".split():
    setattr(_Any, f"__{_name}__", _Any._same)


class _NoAnswer(Exception):
    pass


def _waits(value):
    """Say whether there is an answer in a value that is not known yet."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return isinstance(value, _Any) or any(map(_waits, parts))


def _answer(value):
    if isinstance(value, str):
        return _Text(value)
    if isinstance(value, list):
        if value and all(isinstance(one, dict) and one.keys() == {"key", "value"} for one in value):
            return {_key(_answer(one["key"])): _answer(one["value"]) for one in value}
        return _List(_answer(one) for one in value)
    if isinstance(value, dict):
        if value.keys() == {"$symbol"}:
            return _Text(value["$symbol"])
        return {_Text(name): _answer(one) for name, one in value.items()}
    return value


def _key(value):
    return tuple(map(_key, value)) if isinstance(value, list) else value


def _plain(value):
    if isinstance(value, (_Text, bytes)):
        return str(value) if isinstance(value, str) else value.decode("utf-8")
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(_plain, value))
    return {_plain(name): _plain(one) for name, one in value.items()} if isinstance(value, dict) else value


def _written(value):
    """Return what tells one call's arguments from another's: 1, 1.0 and True differ; a dict's pairs have an order."""
    if isinstance(value, dict):
        return repr([(_written(name), _written(one)) for name, one in value.items()])
    return repr([_written(one) for one in value]) if isinstance(value, list) else f"{type(value).__name__} {value!r}"


def _pairs(value):
    """Return a value as the wire writes it, so that recorded calls are found again."""
    if isinstance(value, list):
        return [_pairs(one) for one in value]
    if not isinstance(value, dict):
        return value
    if all(isinstance(name, str) for name in value):
        return {name: _pairs(one) for name, one in value.items()}
    return [{"key": _pairs(name), "value": _pairs(one)} for name, one in sorted(value.items())]


def replayed_check(known):
    answers = {_written(one["arguments"]): one for one in known}
    asked, raised = {}, []

    def candidate(*arguments):
        if _waits(arguments):
            return _Any()
        given = [_pairs(_plain(one)) for one in arguments]
        called = answers.get(_written(given))
        if called is None:
            asked.setdefault(_written(given), given)
            return _Any()
        if called["error"]:
            raised.append(called["error"])
            raise _NoAnswer(called["error"])
        return _answer(called["answer"])

    held, message = True, ""
    try:
        check(candidate)
    except AssertionError as error:
        held, message = False, f"an assert does not hold {error}".strip()
    except Exception as error:
        held, message = None, f"{type(error).__name__}: {error}"
    return {
        "asked": list(asked.values()), "passed": held is True, "held": held, "raised": bool(raised),
        "message": message[:300],
    }
'''
