"""Sampling with a real model of random weights: reproducible, streamed row by row, and picky about broken folders."""

from __future__ import annotations

import json
import queue
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap.base_model import FromScratch, build_base_model
from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.growing_rows import EndWatch, Rows
from bootstrap.engines.transformers_engine import check_attention_dtype, check_model, model_digest, pick_device
from bootstrap.errors import EngineError, UserError

SPEC = FromScratch(
    num_layers=2, hidden_size=32, num_heads=2, num_kv_heads=2, head_dim=16, intermediate_size=64, initializer_range=0.3
)
PROMPTS = ["sort by qty .\n", "keep rows where amount is above 12 , then sort by qty .\n", "take the first 5 rows .\n"]
SAMPLED = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=40, seed=11)
GREEDY = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=40, seed=11)
EXTRA_ENDS = list(range(2, 14))
"""Bytes that end an answer too: with random weights the end token alone would hardly ever come."""


def build(out: Path, seed: int = 3) -> Path:
    build_base_model(SPEC, [*PROMPTS, "df.sort('qty').head(5)"], out, seed)
    settings = json.loads((out / "generation_config.json").read_text())
    settings["eos_token_id"] = [settings["eos_token_id"], *EXTRA_ENDS]
    (out / "generation_config.json").write_text(json.dumps(settings))
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("models") / "base")


def load(folder: Path, **prompt: Any) -> Any:
    return load_engine(str(folder), EngineConfig(device="cpu", threads=1), PromptConfig(style="plain", **prompt))


@pytest.fixture(scope="module")
def engine(folder: Path) -> Any:
    return load(folder)


def requests(num_samples: int, prompts: list[str] = PROMPTS) -> list[Request]:
    return [Request(f"p{i}", prompt, num_samples) for i, prompt in enumerate(prompts)]


def generate(engine: Any, decoding: Decoding, num_samples: int = 8) -> dict[tuple[str, int], Completion]:
    found = list(engine.generate(requests(num_samples), decoding))
    by_key = {(c.problem_id, c.sample_index): c for c in found}
    assert len(by_key) == len(found)
    return by_key


# -- sampling -----------------------------------------------------------------------------------------------------


def test_every_problem_gets_the_samples_it_asked_for_once(engine: Any) -> None:
    assert set(generate(engine, SAMPLED, 5)) == {(f"p{i}", sample) for i in range(3) for sample in range(5)}


def test_the_seed_decides_every_completion(engine: Any) -> None:
    first = generate(engine, SAMPLED)
    assert generate(engine, SAMPLED) == first
    assert generate(engine, replace(SAMPLED, seed=12)) != first


def test_samples_of_one_problem_differ(engine: Any) -> None:
    assert len({c.text for key, c in generate(engine, SAMPLED).items() if key[0] == "p0"}) > 4


def test_greedy_needs_no_seed_and_is_what_plain_generate_gives(engine: Any, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    batch = tokenizer(PROMPTS, return_tensors="pt", padding=True)
    batch = {key: batch[key] for key in ("input_ids", "attention_mask")}
    rows = AutoModelForCausalLM.from_pretrained(folder).generate(**batch, do_sample=False, max_new_tokens=40)
    answers = rows[:, batch["input_ids"].shape[1] :]
    found = generate(engine, GREEDY, 1)
    assert [found[f"p{i}", 0].text for i in range(3)] == tokenizer.batch_decode(answers, skip_special_tokens=True)
    assert generate(engine, replace(GREEDY, seed=12), 1) == found


def test_padding_changes_no_greedy_answer(engine: Any) -> None:
    together = generate(engine, GREEDY, 1)
    for request in requests(1):
        [alone] = engine.generate([request], GREEDY)
        assert alone == together[request.problem_id, 0]


def test_a_cold_temperature_gives_the_greedy_answer(engine: Any) -> None:
    cold = generate(engine, replace(SAMPLED, temperature=1e-4), 1)
    assert cold == generate(engine, GREEDY, 1)


def test_an_answer_is_complete_when_it_ended_by_itself(engine: Any) -> None:
    found = generate(engine, SAMPLED, 16).values()
    ended = [c for c in found if c.complete]
    assert ended and len(ended) < len(found)
    assert all(c.tokens == 40 for c in found if not c.complete)
    assert all(1 <= c.tokens <= 40 for c in ended)
    assert len({c.tokens for c in ended}) > 3


def test_a_shorter_limit_cuts_answers_off(engine: Any) -> None:
    long, short = generate(engine, SAMPLED, 16), generate(engine, replace(SAMPLED, max_new_tokens=4), 16)
    assert max(c.tokens for c in short.values()) == 4
    for key, completion in short.items():
        assert completion.complete == (long[key].complete and long[key].tokens <= 4)
        assert long[key].text.startswith(completion.text.rstrip("\ufffd"))


def test_tokens_are_counted_up_to_the_end_and_padding_is_no_text(engine: Any) -> None:
    import torch

    batch = engine.tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"]
    torch.manual_seed(SAMPLED.seed)
    rows = engine.model.generate(
        batch, do_sample=True, top_k=0, temperature=1.0, top_p=1.0, max_new_tokens=40, num_return_sequences=16,
        attention_mask=torch.ones_like(batch), pad_token_id=0, eos_token_id=sorted(engine.end_ids),
    )  # fmt: skip
    for completion in engine.generate(requests(16, PROMPTS[:1]), SAMPLED):
        row = rows[completion.sample_index, batch.shape[1] :].tolist()
        ends = [i for i, token in enumerate(row) if token in engine.end_ids]
        assert completion.tokens == (ends[0] + 1 if ends else 40)
        assert completion.text == engine.tokenizer.decode(row[: completion.tokens], skip_special_tokens=True)
        assert "<pad>" not in completion.text


def test_completions_come_before_the_batch_has_ended(engine: Any) -> None:
    busy = engine.busy_seconds
    stream = engine.generate(requests(16), replace(SAMPLED, max_new_tokens=400))
    first = next(stream)
    assert engine.busy_seconds == busy  # counted when generate returns
    rest = list(stream)
    assert engine.busy_seconds > busy
    assert first.tokens < max(c.tokens for c in rest)
    assert [c.tokens for c in rest] == sorted(c.tokens for c in rest)


def test_different_numbers_of_samples_in_a_batch_are_refused(engine: Any) -> None:
    with pytest.raises(EngineError, match="same number of samples"):
        list(engine.generate([Request("a", "x", 1), Request("b", "y", 2)], SAMPLED))


def test_a_failure_inside_generate_is_an_engine_error(folder: Path) -> None:
    engine = load(folder)
    engine.tokenizer.add_tokens(["<unknown to the model>"])
    with pytest.raises(EngineError, match="generate failed: IndexError"):
        list(engine.generate([Request("a", "<unknown to the model>", 1)], SAMPLED))


# -- handing out rows ---------------------------------------------------------------------------------------------


Handed = queue.Queue[list[tuple[int, list[int]]]]


def emptied(handed: Handed) -> list[list[tuple[int, list[int]]]]:
    return [handed.get() for _ in range(handed.qsize())]


def watch_of(prompts: Any, end: int, handed: Handed, every: int = 1) -> EndWatch:
    import torch

    return EndWatch(
        {end}, Rows(prompts, torch.ones_like(prompts), prompts.shape[1], (*range(len(prompts)),)), handed, every
    )


def test_a_row_is_handed_out_once_in_the_step_in_which_it_ends() -> None:
    import torch

    end, pad, handed = 9, 0, Handed()
    rows = torch.tensor([[9, 9, 5, 9, 0, 0], [1, 1, 6, 7, 9, 0], [1, 1, 6, 7, 8, 8]])  # the prompt holds end tokens
    watch = watch_of(rows[:, :2], end, handed)
    given = []
    for width in range(3, 7):
        stop = watch(rows[:, :width], torch.empty(0))
        assert stop.dtype == torch.bool and stop.tolist() == [False] * 3
        given.append(emptied(handed))
    watch.rest()
    assert given == [[], [[(0, [5, 9])]], [[(1, [6, 7, 9])]], []]
    assert emptied(handed) == [[(2, [6, 7, 8, 8])]]
    assert pad not in [token for step in given for ended in step for _, tokens in ended for token in tokens]


def test_a_padding_token_that_is_the_end_token_ends_a_row_once() -> None:
    import torch

    handed = Handed()
    rows = torch.tensor([[9, 5, 9, 9], [1, 6, 7, 8]])
    watch = watch_of(rows[:, :1], 9, handed)
    for width in range(2, 5):
        watch(rows[:, :width], torch.empty(0))
    watch.rest()
    assert emptied(handed) == [[(0, [5, 9])], [(1, [6, 7, 8])]]


@pytest.mark.parametrize("every", [2, 3, 8])
@pytest.mark.parametrize("pad", [0, 9])
def test_looking_now_and_then_hands_out_the_same_a_little_later(every: int, pad: int) -> None:
    import torch

    handed = Handed()
    rows = torch.tensor([[9, 5, 9, pad, pad], [1, 6, 7, 8, 8], [1, 9, pad, pad, pad], [1, 6, 7, 8, 9]])
    watch = watch_of(rows[:, :1], 9, handed, every)
    for width in range(2, 6):
        watch(rows[:, :width], torch.empty(0))
    watch.rest()
    answers = [answer for answers in emptied(handed) for answer in answers]
    assert sorted(answers) == [(0, [5, 9]), (1, [6, 7, 8, 8]), (2, [9]), (3, [6, 7, 8, 9])]


# -- what is loaded -----------------------------------------------------------------------------------------------


def truncated(keep: Callable[[int], int]) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = path.read_bytes()
        path.write_bytes(content[: keep(len(content))])

    return cut


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (shutil.rmtree, "no such folder"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "no config.json"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), r"no weights.*found .*config\.json"),
    "weights without their end": (truncated(lambda size: size - 1), r"model\.safetensors is cut off"),
    "half of the weights": (truncated(lambda size: size // 2), r"model\.safetensors is cut off"),
    "half of the header": (truncated(lambda size: 100), r"model\.safetensors is broken"),
    "four bytes of weights": (truncated(lambda size: 4), r"model\.safetensors is broken"),
    "empty weights": (truncated(lambda size: 0), r"model\.safetensors is broken"),
    "config that is not JSON": (lambda folder: (folder / "config.json").write_text("{"), r"config\.json is not JSON"),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_model_folder_is_named_before_anything_is_loaded(folder: Path, tmp_path: Path, damage: str) -> None:
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    check_model(str(broken))
    BROKEN[damage][0](broken)
    with pytest.raises(UserError, match=BROKEN[damage][1]):
        check_model(str(broken))


@pytest.mark.parametrize("name", ["./models/mine", "/models/mine", "~/models/mine", "models/mine/step-3", "mine"])
def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(UserError, match=r"no such folder .*hub name"):
        check_model(name)


def test_a_hub_name_is_left_to_the_hub() -> None:
    check_model("owner/name")


@pytest.mark.parametrize("content", ["{}", "[]", "7", '{"model_type": "nothing-known"}'])
def test_a_configuration_of_no_known_model_is_a_sentence(folder: Path, tmp_path: Path, content: str) -> None:
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    (broken / "config.json").write_text(content)
    with pytest.raises(UserError, match="broken"):
        load(broken)


def test_a_folder_without_a_tokenizer_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    for path in broken.glob("token*"):
        path.unlink()
    with pytest.raises(UserError, match="no tokenizer in it"):
        load(broken)


def test_chat_without_a_template_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"prompt\.chat is true, but the tokenizer .* has no chat template"):
        load(folder, chat=True)


def test_a_gpu_that_is_not_there_is_a_sentence() -> None:
    import torch

    if torch.cuda.is_available():
        assert pick_device("cuda") == pick_device("auto") == "cuda"
        return
    with pytest.raises(UserError, match=r"engine\.device is cuda, but torch sees no GPU"):
        pick_device("cuda")
    assert pick_device("auto") == "cpu"


@pytest.mark.parametrize("name", ["flash_attention_2", "flash_attention_3"])
def test_flash_attention_without_a_gpu_is_a_sentence(folder: Path, name: Any) -> None:
    with pytest.raises(UserError, match=rf"engine\.attn_implementation is {name}, which needs a GPU.*set it to sdpa"):
        load_engine(str(folder), EngineConfig(device="cpu", attn_implementation=name), PromptConfig(style="plain"))


def test_flash_attention_in_32_bits_is_a_sentence() -> None:
    import torch

    with pytest.raises(UserError, match=r"computes in 16 bits.*torch\.float32: set engine\.dtype to bfloat16"):
        check_attention_dtype("flash_attention_2", torch.float32)
    check_attention_dtype("flash_attention_2", torch.bfloat16)
    check_attention_dtype("sdpa", torch.float32)


def test_the_attention_of_the_configuration_is_the_models_and_sdpa_the_default(folder: Path, engine: Any) -> None:
    config = EngineConfig(device="cpu", threads=1, attn_implementation="eager")
    eager = load_engine(str(folder), config, PromptConfig(style="plain"))
    assert (engine.model.config._attn_implementation, eager.model.config._attn_implementation) == ("sdpa", "eager")  # type: ignore[attr-defined]
    assert generate(eager, GREEDY, 1) == generate(engine, GREEDY, 1)


def test_the_digest_follows_the_weights_and_not_the_folders_name(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert model_digest(str(copy)) == model_digest(str(folder))
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert model_digest(str(copy)) != model_digest(str(folder))
    assert model_digest(str(build(tmp_path / "other", seed=4))) != model_digest(str(folder))
    assert model_digest("owner/one") != model_digest("owner/two")
