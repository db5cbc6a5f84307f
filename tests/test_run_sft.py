"""run_sft.py from outside: what it leaves, what it trains on, what it refuses. Two-layer models, a few steps, CPU."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.base_model import FromScratch, build_base_model
from sft.rows import Row, read_rows, tokenize_rows
from sft.run_sft import explain, main, parse_args

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("amount", "qty", "price", "score")
ROWS = [
    {
        "prompt": f"keep rows where {column} is above {n} , then take the first {n} rows .\n",
        "completion": f'df.filter(pl.col("{column}") > {n}).head({n})',
        "problem_id": f"{column}-{n}",
    }
    for column in COLUMNS
    for n in range(1, 11)
]
CHAT_TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% if m.role == 'assistant' %}<eos>{% endif %}{{ '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = FromScratch(num_layers=2, hidden_size=32, num_heads=2, num_kv_heads=2, head_dim=16, intermediate_size=64)
    texts = [row[key] for row in ROWS for key in ("prompt", "completion")]
    return build_base_model(spec, texts, tmp_path_factory.mktemp("models") / "base", seed=1)


@pytest.fixture(scope="module")
def train_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "train.jsonl", ROWS)


def flags(base: Path, train_file: Path, out: Path, *more: str, steps: int = 2) -> list[str]:
    words = ["--base_model", base, "--train_file", train_file, "--output_dir", out, "--max_steps", steps, "--use_cpu",
             "--threads", 1, "--learning_rate", "3e-3", "--per_device_train_batch_size", 8, *more]  # fmt: skip
    return [str(word) for word in words]


def weights(out: Path) -> str:
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


def refusal(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    """Run in this process; return the sentence of a refusal."""
    capsys.readouterr()
    assert main(argv) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_by_path_and_by_module_leave_the_same_loadable_model(base: Path, train_file: Path, tmp_path: Path) -> None:
    by_path, by_module = tmp_path / "by_path", tmp_path / "by_module"
    runs = [
        subprocess.Popen([sys.executable, *program, *flags(base, train_file, out)], cwd=cwd, stderr=subprocess.PIPE)
        for program, out, cwd in (
            ([str(ROOT / "sft" / "run_sft.py")], by_path, tmp_path),
            (["-m", "sft.run_sft"], by_module, ROOT),
        )
    ]
    assert [(run.communicate()[1].decode(), run.returncode)[1] for run in runs] == [0, 0]
    assert weights(by_path) == weights(by_module) != weights(base)
    metrics = json.loads((by_path / "train_metrics.json").read_text())
    assert metrics["steps"] == 2 and metrics["rows"] == len(ROWS) and metrics["tokens"] > 0
    assert {"import", "load", "train", "save"} <= metrics["seconds"].keys()
    assert [json.loads(line)["step"] for line in (by_path / "loss_curve.jsonl").open()] == [2]
    assert not list(by_path.glob("checkpoint-*"))

    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = AutoTokenizer.from_pretrained(by_path)(ROWS[0]["prompt"], return_tensors="pt")["input_ids"]
    assert AutoModelForCausalLM.from_pretrained(by_path).generate(ids, max_new_tokens=3, do_sample=False).shape[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "processes"),
    [
        (
            "accelerate.commands.launch --cpu --num_machines 1 --mixed_precision no --num_processes",
            1,
        ),
        ("torch.distributed.run --standalone --nproc_per_node", 2),
    ],
)
def test_runs_under_a_launcher(base: Path, train_file: Path, tmp_path: Path, launcher: str, processes: int) -> None:
    program = [*launcher.split(), str(processes), str(ROOT / "sft" / "run_sft.py")]
    words = [sys.executable, "-m", *program, *flags(base, train_file, tmp_path / "out", steps=4)]
    done = subprocess.run(words, capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    metrics = json.loads((tmp_path / "out" / "train_metrics.json").read_text())
    assert (metrics["steps"], metrics["processes"]) == (4, processes)
    assert metrics["epochs"] == pytest.approx(4 * 8 * processes / len(ROWS), rel=0.2)


def test_the_loss_goes_down(base: Path, train_file: Path, tmp_path: Path) -> None:
    assert (
        main(flags(base, train_file, tmp_path, "--logging_steps", "5", "--eval_file", str(train_file), steps=30)) == 0
    )
    losses = [json.loads(line)["loss"] for line in (tmp_path / "loss_curve.jsonl").open()]
    metrics = json.loads((tmp_path / "train_metrics.json").read_text())
    assert losses[-1] < 0.7 * losses[0] and metrics["eval_loss"] < 0.7 * losses[0]
    assert metrics["train_loss"] == pytest.approx(sum(losses) / len(losses))


def test_a_resumed_run_ends_with_the_same_bits(base: Path, train_file: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    more = ("--save_steps", "7", "--logging_steps", "7", "--lr_scheduler_type", "constant")
    assert main(flags(base, train_file, whole, *more, steps=12)) == 0
    assert [folder.name for folder in whole.glob("checkpoint-*")] == ["checkpoint-7"]  # of the second epoch
    shutil.copytree(whole, cut)
    (cut / "model.safetensors").unlink()
    (cut / "checkpoint-9").mkdir()  # killed while it was written
    assert main(flags(base, train_file, cut, *more, "--resume", steps=12)) == 0
    assert weights(whole) == weights(cut)
    assert (whole / "loss_curve.jsonl").read_text() == (cut / "loss_curve.jsonl").read_text()


def test_a_run_that_was_started_early_is_resumed_by_one_that_was_not(
    base: Path, train_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("go\n"))
    assert main(flags(base, train_file, tmp_path, "--save_steps", "1", "--wait")) == 0
    (tmp_path / "model.safetensors").unlink()
    assert main(flags(base, train_file, tmp_path, "--save_steps", "1", "--resume")) == 0
    assert json.loads((tmp_path / "train_metrics.json").read_text())["resumed_from"]


def test_checkpoints_of_another_run_are_refused(
    base: Path, train_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(base, train_file, tmp_path, "--save_steps", "1")) == 0
    assert "add --resume" in refusal(capsys, flags(base, train_file, tmp_path))
    assert "other max_steps" in refusal(capsys, flags(base, train_file, tmp_path, "--resume", steps=3))


def test_lora_leaves_a_plain_checkpoint_and_its_adapter(base: Path, train_file: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    from sft.base import load_model

    first, second = tmp_path / "first", tmp_path / "second"
    assert main(flags(base, train_file, first, "--use_lora", "--lora_r", "4", "--lora_dropout", "0.1")) == 0
    assert not (first / "adapter_config.json").exists() and weights(first) != weights(base)
    plain = AutoModelForCausalLM.from_pretrained(first).state_dict()
    merged = load_model(str(first / "adapter"), None).state_dict()
    assert all((plain[name] == merged[name]).all() for name in plain)
    # The adapter folder is a base model too: for full fine-tuning, and for a second adapter.
    assert main(flags(first / "adapter", train_file, second)) == 0
    assert main(flags(first / "adapter", train_file, tmp_path / "third", "--use_lora", "--lora_r", "4")) == 0
    assert (second / "model.safetensors").is_file() and (tmp_path / "third" / "model.safetensors").is_file()


def test_lora_keeps_the_dtype_of_its_base(base: Path, train_file: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(base).to(torch.bfloat16).save_pretrained(half)
    AutoTokenizer.from_pretrained(base).save_pretrained(half)
    for out, more in ((tmp_path / "lora", ("--use_lora", "--lora_r", "4")), (tmp_path / "full", ())):
        assert main(flags(half, train_file, out, *more)) == 0
        assert AutoModelForCausalLM.from_pretrained(out).dtype == torch.bfloat16


def test_labels_hide_the_prompt_and_end_in_one_eos(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    prompt, completion = ROWS[0]["prompt"], ROWS[0]["completion"]
    rows = [Row(1, prompt, completion), Row(2, prompt, completion + "<eos>"), Row(3, "amo", "unt")]
    kept, dropped = tokenize_rows([*rows, Row(4, prompt, "df<eos>df")], tokenizer, max_length=100)
    assert dropped == {"eos_inside_completion": 1}
    assert kept[0].input_ids == kept[1].input_ids
    for row, token_row in zip(rows, kept, strict=True):
        prompt_ids = tokenizer(row.prompt)["input_ids"]
        assert token_row.input_ids[: len(prompt_ids)] == prompt_ids  # also where "amount" would be one token
        assert token_row.labels[: len(prompt_ids)] == [-100] * len(prompt_ids)
        learned = token_row.labels[len(prompt_ids) :]
        assert learned.count(tokenizer.eos_token_id) == 1 and learned[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(learned[:-1]) == str(row.completion).removesuffix("<eos>")


def test_the_trainer_learns_exactly_these_labels(base: Path, train_file: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from sft.run_sft import make_trainer

    args = parse_args(flags(base, train_file, tmp_path))
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = tokenize_rows(read_rows(train_file), tokenizer, 100)[0]
    trainer = make_trainer(args, rows, [], tokenizer)
    seen = [
        tuple(label for label in labels if label != -100)
        for batch in trainer.get_train_dataloader()
        for labels in batch["labels"].tolist()
    ]
    assert sorted(seen) == sorted(tuple(row.input_ids[row.prompt_tokens :]) for row in rows)


def test_chat_rows_end_at_the_turn(base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = CHAT_TEMPLATE
    row = Row(1, [{"role": "user", "content": "sort"}], [{"role": "assistant", "content": "df"}])
    [kept] = tokenize_rows([row], tokenizer, 100)[0]
    assert tokenizer.decode(kept.input_ids) == "[user]sort\n[assistant]df<eos>"
    assert tokenizer.decode(kept.input_ids[kept.prompt_tokens :]) == "df<eos>"


def test_rows_that_are_too_long_are_counted_not_cut(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*ROWS, {"prompt": "take the first 1 rows .\n", "completion": "df" + ".head(1)" * 50}]
    assert main(flags(base, write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "out", "--max_length", "60")) == 0
    metrics = json.loads((tmp_path / "out" / "train_metrics.json").read_text())
    assert metrics["rows_dropped"] == {"longer_than_max_length": 1} and metrics["rows"] == len(ROWS)
    assert "dropped 1 of 41 rows" in capsys.readouterr().err


def test_a_torn_last_line_is_dropped_with_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_rows(tmp_path / "rows.jsonl", ROWS)
    path.write_bytes(path.read_bytes() + b'{"prompt": "caf\xc3')
    assert len(read_rows(path)) == len(ROWS)
    assert "line 41 is torn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no such file"),
        ("", "has no rows"),
        ('{"prompt": "a", "completion": "b"}\nnot json\n{"prompt": "a", "completion": "b"}\n', "line 2 is not JSON"),
        ('{"prompt": "a", "answer": "b"}\n', "line 1: expected an object with the keys prompt and completion, found"),
        ('["a", "b"]\n', "found list"),
        ('{"prompt": "a", "completion": ""}\n', "the completion is empty"),
        ('{"prompt": "a", "completion": [{"role": "assistant", "content": "b"}]}\n', "must both be strings"),
    ],
)
def test_a_bad_train_file_is_one_sentence(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, sentence: str
) -> None:
    path = tmp_path / "rows.jsonl"
    if content is not None:
        path.write_text(content)
    assert sentence in refusal(capsys, flags(base, path, tmp_path / "out"))


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ("folder", "no such folder"),
        ("config.json", "no config.json"),
        ("model.safetensors", "no weights"),
        ("torn", "cannot be loaded"),
        ("tokenizer", "cannot be loaded"),
        ("tensor", "tensors missing"),
    ],
)
def test_a_broken_base_model_is_one_sentence(
    base: Path, train_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: str, sentence: str
) -> None:
    from safetensors.torch import load_file, save_file

    model = tmp_path / "model"
    if broken != "folder":
        shutil.copytree(base, model)
    if broken in ("config.json", "model.safetensors"):
        (model / broken).unlink()
    elif broken == "torn":
        (model / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes()[:2000])
    elif broken == "tokenizer":
        (model / "tokenizer.json").write_text("{")
    elif broken == "tensor":
        tensors = load_file(model / "model.safetensors")
        tensors.pop("model.norm.weight")
        save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    assert sentence in refusal(capsys, flags(model, train_file, tmp_path / "out"))
    assert not (tmp_path / "out" / "train_metrics.json").exists()


def test_lora_that_fits_no_layer_is_one_sentence(
    base: Path, train_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--use_lora", "--lora_target_modules", "query_key_value")
    assert "this LoRA does not fit Qwen3ForCausalLM" in refusal(capsys, flags(base, train_file, tmp_path, *more))


def test_a_loss_that_is_not_a_number_stops_the_run(
    base: Path, train_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--learning_rate", "1e30", "--logging_steps", "1", "--max_grad_norm", "0")
    assert "lower --learning_rate" in refusal(capsys, flags(base, train_file, tmp_path, *more, steps=20))


def test_a_full_disk_is_one_sentence(base: Path, train_file: Path, tmp_path: Path) -> None:
    args = parse_args(flags(base, train_file, tmp_path))
    assert "no space left" in str(explain(OSError(errno.ENOSPC, "No space left on device"), args))
    assert explain(KeyError("a fault of ours"), args) is None


def test_help_and_refusals_import_nothing_heavy(base: Path, tmp_path: Path) -> None:
    argv = flags(base, tmp_path / "none.jsonl", tmp_path / "out")
    code = f"import sys; from sft.run_sft import main; assert main({argv}) == 2; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL).returncode == 0
