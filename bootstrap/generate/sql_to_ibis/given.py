"""Prove given pairs of SQL and Ibis, one line each: proved, or why not.

    python -m bootstrap.generate.sql_to_ibis.given PAIRS.jsonl

Reads JSONL with the texts `sql` (for DuckDB) and `ibis` (with its tables declared by `ibis.table`) in each row. Both
run in the sandbox over data sets made for the query; see proof.py for what a proof is. Leaves nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.errors import UserError
from bootstrap.programs import run_program


@dataclass(frozen=True)
class Judged:
    """One given pair: `state` is proved, vacuous or invalid."""

    name: str
    state: str
    reason: str = ""


def judge_pairs(path: Path, seed: int = 1) -> Iterator[Judged]:
    """Yield the judgement of each pair of a file. Raises UserError, InterpreterError."""
    from bootstrap.generate.sql_to_ibis.foreign import Foreign, given_pairs
    from bootstrap.generate.sql_to_ibis.proof import NotProvedError

    if not path.is_file():
        raise UserError(f"{path} is no file; expected JSONL with sql and ibis in each row")
    foreign = Foreign(seed)
    try:
        for name, query in given_pairs(path):
            if isinstance(query, str):
                yield Judged(name, "invalid", query)
                continue
            try:
                foreign.proved(query, path.name, translate=False)
                yield Judged(name, "proved")
            except NotProvedError as error:
                yield Judged(name, error.kind, str(error))
    finally:
        foreign.close()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bootstrap.generate.sql_to_ibis.given", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("file", type=Path, help="JSONL with sql and ibis in each row")
    parser.add_argument("--seed", type=int, default=1, help="decides the data sets")
    args = parser.parse_args(argv)

    def work() -> None:
        counts: Counter[str] = Counter()
        for judged in judge_pairs(args.file, args.seed):
            counts[judged.state] += 1
            print(f"{judged.state:8} {judged.name}{f': {judged.reason}' if judged.reason else ''}", flush=True)
        print(", ".join(f"{number} {state}" for state, number in counts.most_common()) or "no pairs")

    run_program(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
