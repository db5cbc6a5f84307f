"""A program for tests: asks a server for samples of many problems and prints each completion; it may be killed."""

from __future__ import annotations

import json
import sys

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Decoding, Request
from bootstrap.programs import run_program


def ask(options: dict[str, object], problems: int, samples: int) -> None:
    engine = load_engine("model", EngineConfig.model_validate(options), PromptConfig())
    requests = [Request(f"p{i}", f"prompt number {i}", samples, "iteration 1") for i in range(problems)]
    for c in engine.generate(requests, Decoding(0.8, 0.95, 20, seed=1)):
        print(json.dumps([c.problem_id, c.sample_index, c.text]), flush=True)
    engine.close()


if __name__ == "__main__":
    run_program(lambda: ask(json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
