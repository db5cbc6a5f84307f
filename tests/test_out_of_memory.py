"""A batch that does not fit into memory, in a process that really has too little: halves of it go on, nothing is lost.

The model's keys and values take 16 KiB per token, its arithmetic next to nothing. The child loads it, samples once so
that everything is there that is loaded late, and then takes from itself the right to more than so many further MB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bootstrap.base_model import FromScratch, build_base_model
from bootstrap.engines.growing_rows import Rows, out_of_memory

ROOT = Path(__file__).resolve().parents[1]
SPEC = FromScratch(
    num_layers=4, hidden_size=32, num_heads=8, num_kv_heads=8, head_dim=64, intermediate_size=32, initializer_range=0.3
)
PROMPTS = [f"keep rows where amount is above {n} , then sort by qty .\n" for n in (7, 12, 345, 6789, 31)]
NEW_TOKENS = 64  # five prompts, 4 samples each: about 26 MB of keys and values at the end

GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
"""Settings of glibc under which what is freed goes back to the system at once."""

CHILD = """
import json, resource, sys
from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Decoding, Request
from bootstrap.errors import EngineError

model, new_tokens, rounds = json.loads(sys.argv[1])
engine = load_engine(model, EngineConfig(device="cpu", threads=1), PromptConfig(style="plain"))
list(engine.generate([Request("warm", "x", 2)], Decoding(1.0, 1.0, 4, 1)))
for name, megabytes, temperature, samples, prompts, at_once in rounds:
    engine.at_once = at_once
    with open("/proc/self/status") as file:
        used = 1024 * int(next(line.split()[1] for line in file if line.startswith("VmData")))
    limit = used + megabytes * 10**6 if megabytes else resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
    requests = [Request(f"p{i}", prompt, samples) for i, prompt in enumerate(prompts)]
    halved, found, error = engine.halved_batches, [], None
    print("ROUND", name, flush=True)
    try:
        for c in engine.generate(requests, Decoding(temperature, 1.0, new_tokens, 5)):
            found.append([c.problem_id, c.sample_index, c.text, c.tokens, c.complete])
    except EngineError as e:
        error = str(e)
    resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print("FOUND", json.dumps([found, error, engine.halved_batches - halved]), flush=True)
"""

ROUNDS: list[tuple[str, int, float, int, list[str], int]] = [
    ("sampled", 0, 1.0, 4, PROMPTS, 0),
    ("sampled in 22 MB", 22, 1.0, 4, PROMPTS, 0),
    ("sampled in 18 MB", 18, 1.0, 4, PROMPTS, 0),
    ("greedy", 0, 0.0, 4, PROMPTS, 0),
    ("greedy in 18 MB", 18, 0.0, 4, PROMPTS, 0),
    ("too long", 24, 0.0, 2, [PROMPTS[0] * 180], 0),
    ("continuous", 0, 0.0, 4, PROMPTS, 20),
    ("continuous in 36 MB", 36, 0.0, 4, PROMPTS, 20),
    ("continuous, too long", 40, 0.0, 2, [PROMPTS[0] * 180], 2),
]
"""Name, further MB (0: no limit), temperature, samples, prompts, engine.continuous_batching."""


@dataclass(frozen=True)
class Round:
    found: list[list[Any]]
    error: str | None
    halved: int
    lines: list[str]


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Round]:
    model = build_base_model(SPEC, PROMPTS, tmp_path_factory.mktemp("models") / "base", 3)
    settings = json.loads((model / "generation_config.json").read_text())
    settings["eos_token_id"] = [settings["eos_token_id"], *range(2, 5)]  # bytes that end an answer now and then
    (model / "generation_config.json").write_text(json.dumps(settings))
    words = [sys.executable, "-c", CHILD, json.dumps([str(model), NEW_TOKENS, ROUNDS])]
    ended = subprocess.run(
        words, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT, env=os.environ | GIVES_BACK
    )
    assert ended.returncode == 0, ended.stderr
    done = {}
    for part in ended.stdout.split("ROUND ")[1:]:
        name, *lines, last = part.splitlines()
        found, error, halved = json.loads(last.removeprefix("FOUND "))
        done[name] = Round(found, error, halved, lines)
    return done


ALL = [(f"p{prompt}", index) for prompt in range(len(PROMPTS)) for index in range(4)]


@pytest.mark.parametrize("name", ["sampled in 22 MB", "sampled in 18 MB", "greedy in 18 MB"])
def test_a_batch_too_large_goes_on_in_halves_and_every_completion_comes_once(
    rounds: dict[str, Round], name: str
) -> None:
    one = rounds[name]
    assert (one.error, one.halved) == (None, 1)
    assert sorted((problem_id, index) for problem_id, index, *_ in one.found) == ALL
    assert all(tokens == NEW_TOKENS for *_, tokens, complete in one.found if not complete)
    assert "with 20 sequences, 15 tokens of prompt" in one.lines[0] and "at most 10 side by side" in one.lines[0]


def test_a_batch_that_fits_is_not_halved(rounds: dict[str, Round]) -> None:
    assert [(rounds[name].halved, rounds[name].lines) for name in ("sampled", "greedy")] == [(0, [])] * 2


def test_what_ended_while_there_was_memory_is_what_the_batchs_seed_makes(rounds: dict[str, Round]) -> None:
    assert rounds["sampled in 18 MB"].found[:3] == rounds["sampled"].found[:3]


def test_what_was_written_before_memory_ran_out_is_gone_on_with(rounds: dict[str, Round]) -> None:
    assert sorted(rounds["greedy in 18 MB"].found) == sorted(rounds["greedy"].found)


def test_one_sequence_that_does_not_fit_is_a_sentence(rounds: dict[str, Round]) -> None:
    one = rounds["too long"]
    assert one.found == [] and "at most 1 side by side" in one.lines[0]
    assert one.error and "one sequence alone, after halving" in one.error
    assert "of an answer that may have 64" in one.error
    for setting in ("sampling.max_new_tokens", "engine.dtype=bfloat16", "engine.batch_sequences"):
        assert setting in one.error


def test_continuous_batching_goes_on_with_half_as_many_at_once(rounds: dict[str, Round]) -> None:
    one, roomy = rounds["continuous in 36 MB"], rounds["continuous"]
    assert (one.error, one.halved, roomy.halved) == (None, 1, 0)
    assert "20 sequences go on, at most 10 at once" in one.lines[0]
    assert sorted(one.found) == sorted(roomy.found) == sorted(rounds["greedy"].found)
    long = rounds["continuous, too long"]
    assert long.error and "one sequence alone, after halving" in long.error


def rows_of(*prompts: list[int]) -> Rows:
    """Return prompts padded on the left with 0, four tokens wide, and one token written."""
    import torch

    ids = torch.tensor([[0] * (4 - len(prompt)) + prompt + [7] for prompt in prompts])
    return Rows(ids, (ids != 0).long(), 4, (*range(10, 10 + len(prompts)),))


def test_a_part_has_no_column_of_padding_alone() -> None:
    parts = rows_of([1], [1, 2], [1], [1, 2, 3, 4], [1]).split(3)
    assert [part.numbers for part in parts] == [(10, 11, 12), (13, 14)]
    assert [part.ids.tolist() for part in parts] == [
        [[0, 1, 7], [1, 2, 7], [0, 1, 7]],
        [[1, 2, 3, 4, 7], [0, 0, 0, 1, 7]],
    ]
    assert [part.mask.tolist() for part in parts] == [[[0, 1, 1], [1, 1, 1], [0, 1, 1]], [[1] * 5, [0, 0, 0, 1, 1]]]
    assert [(part.prompt, part.written) for part in parts] == [(2, 1), (4, 1)]


def test_the_seed_of_a_part_follows_from_its_members_and_not_from_how_it_was_cut() -> None:
    rows = rows_of([1], [2], [3], [4])
    quarters = rows.split(1)
    assert [part.seed(5) for half in rows.split(2) for part in half.split(1)] == [part.seed(5) for part in quarters]
    assert len({part.seed(seed) for part in [rows, *rows.split(2), *quarters] for seed in (5, 6)}) == 14


def test_only_a_lack_of_memory_is_taken_for_one() -> None:
    import torch

    with pytest.raises(RuntimeError) as too_much:
        torch.empty(2**46, dtype=torch.uint8)
    assert out_of_memory(too_much.value)
    assert out_of_memory(MemoryError()) and out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried"))
    assert not out_of_memory(RuntimeError("shapes cannot be multiplied")) and not out_of_memory(ValueError("memory"))
