"""Say which interpreters work here, and how well the sandbox holds.

For each interpreter: its version and the layers of the sandbox that are in force, or why it is not available and what
to do about that. With --attacks every line of the attack table is tried on it. Leaves nothing behind.

    python -m interpreters.doctor
    python -m interpreters.doctor --attacks --interpreter polars_expr

Ends with status 0 when every interpreter that is available is kept in as strictly as is required and no attack came
through, else with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from interpreters import INTERPRETERS, load_interpreter
from interpreters.attacks.scene import Scene
from interpreters.attacks.table import AttackResult, run_attacks
from interpreters.base import Interpreter, InterpreterError
from interpreters.sandbox import Level, level_of

REQUIRED = Level.STANDARD

Say = Callable[[str], None]


@dataclass(frozen=True)
class Finding:
    """What was found out about one interpreter. `problem`: why it cannot be used, or not for code of a model."""

    name: str
    language: str
    version: str = ""
    sandbox: str = ""
    problem: str = ""
    attacks: tuple[AttackResult, ...] = ()

    @property
    def available(self) -> bool:
        return bool(self.version)

    @property
    def level(self) -> Level | None:
        return level_of(self.sandbox)

    @property
    def stopped(self) -> int:
        return sum(attack.stopped for attack in self.attacks)

    @property
    def well(self) -> bool:
        """Say whether nothing is wrong; an interpreter that is not installed is no fault of the machine."""
        if not self.available:
            return True
        return not self.problem and self.stopped == len(self.attacks)

    def to_json(self) -> dict[str, Any]:
        level = self.level.name.lower() if self.level is not None else None
        return {**asdict(self), "available": self.available, "level": level}


def examine(name: str, *, attack: bool, say: Say) -> Finding:
    """Return what can be said about one interpreter; `say` gets one line per attack."""
    with Scene() as scene, load_interpreter(name, sandbox="unsafe") as interpreter:  # unsafe: so that it can be told
        reason = interpreter.available()
        if reason:
            return Finding(name, interpreter.language, problem=reason)
        sandbox = interpreter.sandbox()
        level = level_of(sandbox)
        weak = level is None or level < REQUIRED
        problem = f"the sandbox is below the level {REQUIRED.name.lower()}, which is required" if weak else ""
        results: list[AttackResult] = []
        if attack:
            problem = _attack(interpreter, scene, results, say) or problem
        return Finding(name, interpreter.language, interpreter.version(), sandbox, problem, tuple(results))


def _attack(interpreter: Interpreter, scene: Scene, results: list[AttackResult], say: Say) -> str:
    """Run the table; return why it could not be run to its end."""
    try:
        for result in run_attacks(interpreter, scene):
            results.append(result)
            say(attack_line(interpreter.name, result))
    except InterpreterError as error:
        return str(error)
    return ""


def attack_line(interpreter: str, result: AttackResult) -> str:
    verdict = "stopped    " if result.stopped else "NOT STOPPED"
    return f"{interpreter:15} {result.number:3}  {verdict} {result.seconds:6.2f} s  {result.name} ({result.how})"


def table(findings: Sequence[Finding]) -> list[str]:
    """Return the lines of the table, and below it what is wrong and what to do."""
    rows = [("interpreter", "language", "version", "level", "attacks stopped")]
    for one in findings:
        level = one.level.name.lower() if one.level is not None else "none" if one.available else "–"
        stopped = f"{one.stopped} of {len(one.attacks)}" if one.attacks else "–"
        rows.append((one.name, one.language, one.version or "not available", level, stopped))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", *(f"{one.name}: {one.sandbox}" for one in findings if one.sandbox)]
    lines += [f"{one.name}: {one.problem}" for one in findings if one.problem]
    attacks = sum(len(one.attacks) for one in findings)
    if attacks:
        lines += ["", f"{sum(one.stopped for one in findings)} of {attacks} attacks stopped"]
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m interpreters.doctor", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--attacks", action="store_true", help="try the attack table; under a minute per interpreter")
    parser.add_argument(
        "--interpreter", action="append", choices=list(INTERPRETERS), help="only this one; may be given several times"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the table")
    args = parser.parse_args(argv)

    def say(line: str) -> None:
        print(line, file=sys.stderr if args.json else sys.stdout, flush=True)

    names = args.interpreter or list(INTERPRETERS)
    findings = [examine(name, attack=args.attacks, say=say) for name in names]
    well = all(one.well for one in findings) and any(one.available for one in findings)
    if args.json:
        row = {"well": well, "required": REQUIRED.name.lower(), "interpreters": [one.to_json() for one in findings]}
        print(json.dumps(row, indent=2, ensure_ascii=False))
    else:
        print("\n".join(["", *table(findings)] if args.attacks else table(findings)))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
