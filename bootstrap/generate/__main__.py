"""Generate training data: pairs of a question and code, each of them executed against an independent answer.

    python -m bootstrap.generate sql_to_ibis --config configs/generate/sql_to_ibis.yaml --out outputs/sql_to_ibis
    python -m bootstrap.generate nl_to_polars --config configs/generate/nl_to_polars.yaml --out DIR folder=CSV_FOLDER

Leaves in --out: pairs.jsonl (one pair per line), problems.jsonl (the same as problems for the loop, see the source
`generated`), README.md (a data set card), report.json and report.html (how many were generated, valid, not vacuous and
different, by template or phase; constructs; samples to look at), and the generator's own files. Stopped at any
moment and started again with the same --out it goes on, and ends with the same files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bootstrap.config import parse_overrides, read_yaml, set_key
from bootstrap.generate import GENERATORS
from bootstrap.generate.generation import Generation
from bootstrap.generate.report import print_summary
from bootstrap.programs import run_program


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bootstrap.generate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("generator", choices=list(GENERATORS), help="what to generate")
    add("overrides", nargs="*", metavar="KEY=VALUE", help="settings on top of those in --config")
    add("--config", type=Path, help="YAML file of the generator's settings (its defaults)")
    add("--out", type=Path, required=True, help="folder of this generation; one that was stopped is gone on with")
    add("--workers", type=int, default=0, help="processes (one per core); the result does not depend on it")
    return parser


def settings_of(config: Path | None, overrides: Sequence[str]) -> dict[str, Any]:
    """Return the settings of a file with overrides on top. Raises UserError."""
    values = read_yaml(config) if config else {}
    for key, value in parse_overrides(overrides).items():
        set_key(values, key, value)
    return values


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_intermixed_args(argv)

    def work() -> None:
        settings = settings_of(args.config, args.overrides)
        print_summary(Generation(args.generator, settings, args.out, args.workers).run(), args.out)

    run_program(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
