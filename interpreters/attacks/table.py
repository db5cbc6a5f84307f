"""The attack table: what hostile code may try against an interpreter, and how it is seen whether that worked.

The rows are data, in the six files that are named here. An attack has succeeded when something happened that can be
seen from outside: a secret came home, a connection arrived, a file or a process is not as it was, something is left,
the verdict is PASSED without the right answer, or the next honest check goes wrong. What an attack says of itself
counts in one place only: where a system call that ought to be refused has no effect of its own.

    python -m interpreters.doctor --attacks
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from interpreters.attacks.effects import LIMITS, Attack
from interpreters.attacks.grounds import GROUNDS
from interpreters.attacks.on_duckdb import DUCKDB
from interpreters.attacks.on_files import FILES
from interpreters.attacks.on_kernel import KERNEL
from interpreters.attacks.on_postgres import POSTGRES
from interpreters.attacks.on_python import PYTHON
from interpreters.attacks.on_q import Q
from interpreters.attacks.scene import Scene
from interpreters.attacks.watch import resident_bytes
from interpreters.base import (
    Column,
    ColumnType,
    Execution,
    Interpreter,
    InterpreterError,
    Limits,
    Outcome,
    Table,
)
from interpreters.checking import check, judge

LATE_SECONDS = 5.0  # that a check may end after its limit, on a loaded machine
CALLER_MB = 300  # by which an attack may make its caller grow; a result of the permitted size stays far below


@dataclass(frozen=True)
class AttackResult:
    number: int
    name: str
    stopped: bool
    how: str  # it ended, or what it did
    seconds: float


def attacks_on(language: str) -> list[Attack]:
    """Return the rows that concern an interpreter of this language, by number."""
    rows = (*PYTHON, *FILES, *KERNEL, *DUCKDB, *POSTGRES, *Q)
    ground = GROUNDS.get(language)
    concern = [attack for attack in rows if ground and attack.language in ground.rows]
    return sorted(concern, key=lambda attack: attack.number)


def codes_of(attack: Attack, language: str) -> list[str]:
    """Return what is run one after the other, as candidates of this language."""
    codes = [attack.code] if isinstance(attack.code, str) else attack.code
    return [GROUNDS[language].fit(code) for code in codes]


def run_attacks(
    interpreter: Interpreter, scene: Scene, attacks: Sequence[Attack] | None = None, limits: Limits = LIMITS
) -> Iterator[AttackResult]:
    """Run the attacks (by default all on the interpreter's language) and yield what each of them came to.

    Raises InterpreterError when the interpreter is not right before the first attack, or the table has no row for it.
    """
    ground = GROUNDS.get(interpreter.language)
    if ground is None:
        raise InterpreterError(f"the attack table has no rows for {interpreter.language}: write some (attacks/)")
    broken = _honest_check(interpreter, limits)
    if broken:
        raise InterpreterError(f"{interpreter.name} is wrong before any attack: {broken}")
    vault = {"vault": Table((Column("s", ColumnType.STRING),), ((scene.secrets["of another problem"],),))}
    interpreter.execute(ground.vault, [vault], limits)  # an earlier problem, which may be kept loaded
    with scene.watch():
        interpreter.execute(ground.calm, [ground.test.tables], limits)
    scene.calm = scene.seen
    for attack in attacks_on(interpreter.language) if attacks is None else attacks:
        yield run_attack(attack, interpreter, scene, limits)


def run_attack(attack: Attack, interpreter: Interpreter, scene: Scene, limits: Limits = LIMITS) -> AttackResult:
    codes = [scene.fill(code) for code in codes_of(attack, interpreter.language)]
    inputs = [GROUNDS[interpreter.language].test.tables]
    before, processes, descriptors, held = scene.trace(), scene.processes(), _descriptors(), resident_bytes()
    started = time.monotonic()
    try:
        with scene.watch():
            executions = [interpreter.execute(code, inputs, limits) for code in codes]
    except Exception as error:  # the boundary of the attack: whatever it makes the caller raise is its success
        executions = [Execution(Outcome.INFRA, message=f"{type(error).__name__}: {error}")]
    seconds = time.monotonic() - started
    time.sleep(attack.settle)
    last = executions[-1]
    damage = [
        f"the interpreter broke: {last.message}" if last.outcome is Outcome.INFRA else None,
        "a forged answer passed" if _passes(last, interpreter) else None,
        attack.succeeded(last, scene),
        *(_taken(one, scene, limits) for one in executions),
        _changed(before, scene),
        _greed(seconds, len(codes), held, scene, limits),
        _honest_check(interpreter, limits),
        _left(processes, descriptors, scene),
    ]
    done = next(filter(None, damage), None)
    if done:
        scene.mend()
    how = done or f"{last.outcome} {last.message}".strip()
    return AttackResult(attack.number, attack.name, done is None, how, round(seconds, 3))


def _passes(execution: Execution, interpreter: Interpreter) -> bool:
    """Say whether the attack gives the right answer to a problem whose answer it cannot know."""
    return judge(execution, [GROUNDS[interpreter.language].forged], interpreter.name).passed


def _taken(execution: Execution, scene: Scene, limits: Limits) -> str | None:
    secret = scene.leaked(execution)
    if secret:
        return f"the secret {secret} came home"
    size = sum(len(str(value)) for table in execution.results for row in table.rows for value in row)
    return f"a result of {size} characters came home" if size > limits.output_bytes else None


def _changed(before: object, scene: Scene) -> str | None:
    reached = scene.connections()
    if reached:
        return f"reached a {reached[0]} socket outside"
    heard = scene.heard()
    if heard:
        return f"another process got: {heard.splitlines()[0]}"
    after = scene.trace()
    if before == after:
        return None
    changes = [name for name in ("file", "names", "victim", "shared") if getattr(before, name) != getattr(after, name)]
    words = {
        "file": "a file outside was changed", "names": "files were made or removed outside",
        "victim": "another process was changed", "shared": "shared memory was left behind",
    }  # fmt: skip
    return words[changes[0]]


def _greed(seconds: float, codes: int, held: int, scene: Scene, limits: Limits) -> str | None:
    if seconds > codes * (limits.seconds + LATE_SECONDS):
        return f"ran for {seconds:.1f} s, limit {limits.seconds:g} s"
    grown = (scene.seen.held - held) // 2**20
    return f"made its caller grow by {grown} MB" if grown > CALLER_MB else None


def _left(processes: int, descriptors: int, scene: Scene) -> str | None:
    strays = scene.stray_processes(processes)
    if strays:
        return f"{strays} processes were left behind"
    more = _descriptors() - descriptors
    return f"{more} descriptors were left open in the caller" if more > 0 else None


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _honest_check(interpreter: Interpreter, limits: Limits) -> str | None:
    """Return what is wrong with the verdict on a right answer."""
    ground = GROUNDS[interpreter.language]
    try:
        verdict = check(interpreter, ground.honest, [ground.test], limits)
        if verdict.outcome is Outcome.TIMEOUT:  # a loaded machine, or a stray that eats the processor
            verdict = check(interpreter, ground.honest, [ground.test], limits)
    except InterpreterError as error:
        return f"the next honest check could not be made: {error}"
    return None if verdict.passed else f"the next honest check went wrong: {verdict.outcome} {verdict.message}"
