"""A trainer that trains nothing: takes run_sft's flags, checks its rows, leaves what a trainer leaves."""

import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--train_file", type=Path)
parser.add_argument("--output_dir", type=Path)
parser.add_argument("--max_steps", type=int)
args, _ = parser.parse_known_args()

rows = [json.loads(line) for line in args.train_file.read_text(encoding="utf-8").splitlines()]
assert rows
assert all(row["prompt"] and row["completion"] for row in rows)
args.output_dir.mkdir(parents=True)
(args.output_dir / "config.json").write_text("{}")
metrics = {"steps": args.max_steps, "train_loss": 1.0, "tokens_per_second": 1.0, "seconds": {"train": 0.0}}
(args.output_dir / "train_metrics.json").write_text(json.dumps(metrics))
