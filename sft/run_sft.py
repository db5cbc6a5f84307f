"""Fine-tune a causal language model on verified solutions with TRL's SFTTrainer.

    python sft/run_sft.py --base_model Qwen/Qwen3-0.6B --train_file train.jsonl --output_dir out --max_steps 300
    accelerate launch sft/run_sft.py --base_model Qwen/Qwen3-32B --train_file train.jsonl --output_dir out --use_lora

Reads JSONL rows {"prompt": ..., "completion": ...}: two strings, or two lists of chat messages; other keys are ignored.
The loss is on the completion, which ends in exactly one EOS token. Leaves in --output_dir a plain checkpoint with its
tokenizer, `adapter/` for LoRA, `loss_curve.jsonl`, and, written last, `train_metrics.json`. The same arguments on the
same CPU give the same bits. Exit status 2 and one sentence on stderr: the input or the machine stands in the way.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import gc
import os
import shutil
import signal
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # run by path: let the package be found, installed or not
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from sft.adapters import lora_config, merge_adapter, merge_record
from sft.arguments import check_arguments, check_gpu, make_parser
from sft.base import adapter_base, check_base_model, first_line, load_model, load_to_train, load_tokenizer
from sft.checkpoints import RUN_FILE, drop_checkpoints, find_checkpoint, identity, write_json
from sft.rows import Row, SftError, TokenRow, read_rows, say, tokenize_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import SFTConfig

    from sft.trainer import BootstrapTrainer

METRICS_FILE, CURVE_FILE, ADAPTER_FOLDER = "train_metrics.json", "loss_curve.jsonl", "adapter"
PR_SET_PDEATHSIG = 1
LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    args = parser.parse_args(argv)
    if args.max_steps < 1 and args.num_train_epochs <= 0:
        parser.error("nothing to train: give --max_steps or --num_train_epochs above 0")
    return args


def trainer_config(args: argparse.Namespace) -> SFTConfig:
    """Return our flags in TRL's words, with the options that cost less time for the same weights."""
    import torch
    from trl import SFTConfig

    on_gpu = torch.cuda.is_available() and not args.use_cpu
    same_name = (
        "max_steps num_train_epochs learning_rate lr_scheduler_type warmup_steps weight_decay adam_beta1 adam_beta2 "
        "max_grad_norm per_device_train_batch_size gradient_accumulation_steps seed report_to use_cpu "
        "full_determinism logging_steps save_total_limit"
    )
    return SFTConfig(
        output_dir=str(args.output_dir),
        run_name=args.experiment_name,
        bf16=args.precision == "bf16" or (args.precision == "auto" and on_gpu and torch.cuda.is_bf16_supported()),
        activation_checkpointing=on_gpu if args.gradient_checkpointing is None else args.gradient_checkpointing,
        save_strategy="steps" if args.save_steps else "no",
        save_steps=args.save_steps or 500,
        per_device_eval_batch_size=args.per_device_train_batch_size,
        max_length=None,  # tokenize_rows has dropped what is too long
        padding_free=args.packing,  # the same rows per step as without it
        dataset_kwargs={"skip_prepare_dataset": True},
        train_sampling_strategy="group_by_length",
        logging_nan_inf_filter=False,  # a NaN loss must be seen, and on a GPU the filter waits for every step
        disable_tqdm=not sys.stderr.isatty(),
        dataloader_pin_memory=on_gpu,
        **{name: getattr(args, name) for name in same_name.split()},
    )


def make_trainer(
    args: argparse.Namespace, rows: list[TokenRow], eval_rows: list[TokenRow], tokenizer: PreTrainedTokenizerBase
) -> BootstrapTrainer:
    """Return the trainer. Full fine-tuning keeps fp32 weights, which small updates need; LoRA leaves its base as is."""
    import torch
    from transformers import PrinterCallback

    from sft.speed import speed_up
    from sft.trainer import BootstrapTrainer, StepRecord, to_dataset

    check_gpu(args, found=torch.cuda.is_available(), torch_version=torch.__version__)
    config = trainer_config(args)  # before the model: DeepSpeed's ZeRO-3 loads it in parts
    model: Any = load_to_train(
        args.base_model, args.attn_implementation, four_bit=args.load_in_4bit, continue_adapter=args.continue_adapter
    )
    largest, own_dtype = max(max(row.input_ids) for row in rows), model.dtype
    embeddings: Any = model.get_input_embeddings()
    if largest >= embeddings.num_embeddings:
        raise SftError(f"the tokenizer gives id {largest}, the model embeds fewer; they do not belong together.")
    if not args.load_in_4bit and (not args.use_lora or args.precision == "fp32"):
        model.float()
    try:
        trainer = BootstrapTrainer(
            model=model, args=config, processing_class=tokenizer, peft_config=lora_config(args),
            train_dataset=to_dataset(rows), eval_dataset=to_dataset(eval_rows) if eval_rows else None,
        )  # fmt: skip
    except (ValueError, TypeError) as e:
        if not args.use_lora:
            raise
        raise SftError(f"this LoRA does not fit {type(model).__name__}: {e}") from e
    speed_up(trainer.model, config.device, bf16=bool(config.bf16), packing=args.packing,
             compile_layers=args.torch_compile)  # fmt: skip
    trainer.own_dtype = own_dtype
    trainer.record = StepRecord(args.output_dir / CURVE_FILE)
    trainer.add_callback(trainer.record)
    trainer.remove_callback(PrinterCallback)
    return trainer


def save_model(args: argparse.Namespace, trainer: BootstrapTrainer, rows: list[TokenRow]) -> dict[str, float] | None:
    """Write a plain checkpoint in the dtype of the base model, and the adapter if there is one.

    Returns how exactly the adapter was merged, None where nothing was.
    """
    out, merge = args.output_dir, None
    target = out / ADAPTER_FOLDER if args.use_lora and args.merge_lora else out
    if args.use_lora:
        name = adapter_base(Path(args.base_model)) if args.continue_adapter else args.base_model
        trainer.model.peft_config["default"].base_model_name_or_path = (
            str(Path(name).resolve()) if Path(name).is_dir() else name
        )
    else:
        trainer.model.to(trainer.own_dtype)
    trainer.save_model(str(target))
    if trainer.is_world_process_zero():
        (target / "training_args.bin").unlink(missing_ok=True)  # a pickle; the metrics file has the arguments
        if target != out:
            model, merge = merge_adapter(load_model(adapter_base(target), None), target, rows)
            model.save_pretrained(out)
            trainer.processing_class.save_pretrained(out)
    trainer.accelerator.wait_for_everyone()
    return merge_record(merge) if merge else None


def train(args: argparse.Namespace, rows: list[Row], eval_rows: list[Row], clock: Clock) -> dict[str, object]:
    """Train and save; return the content of the metrics file."""
    tokenizer = load_tokenizer(args.base_model)
    kept, dropped = tokenize_rows(rows, tokenizer, args.max_length)
    if dropped:
        say(f"dropped {sum(dropped.values())} of {len(rows)} rows: {dropped}; --max_length is {args.max_length}.")
    if not kept:
        raise SftError(f"no row of {args.train_file} is left, {dropped}; raise --max_length above {args.max_length}.")
    kept_eval = tokenize_rows(eval_rows, tokenizer, args.max_length)[0]
    trainer = make_trainer(args, kept, kept_eval, tokenizer)
    checkpoint = find_checkpoint(args)
    if args.save_steps and not checkpoint and trainer.is_world_process_zero():
        write_json(args.output_dir / RUN_FILE, identity(args))
    say(f"{args.experiment_name}: {len(kept)} rows" + (f", going on from {checkpoint.name}" if checkpoint else ""))
    clock.lap("load")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    clock.lap("train")
    metrics = {
        "experiment_name": args.experiment_name, "steps": trainer.state.global_step, "epochs": trainer.state.epoch,
        "train_loss": trainer.record.mean_loss(), "resumed_from": checkpoint and checkpoint.name,
        "rows": len(kept), "processes": trainer.args.world_size,
        "rows_dropped": dropped, "tokens": (tokens := trainer.tokens_trained()),
        "tokens_per_second": round(tokens / clock.seconds["train"], 1),
    }  # fmt: skip
    if kept_eval:
        metrics |= {"eval_loss": trainer.evaluate()["eval_loss"], "eval_rows": len(kept_eval)}
        clock.lap("evaluate")
    if args.profile_steps:
        write_json(args.profile_steps, trainer.profile(kept))
    merge = save_model(args, trainer, kept)
    clock.lap("save")
    return {**metrics, "merge": merge} if merge else metrics


class Clock:
    """Seconds by phase, since the start of main()."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.monotonic()

    def lap(self, phase: str) -> None:
        now = time.monotonic()
        self.seconds[phase], self.last = round(now - self.last, 3), now


def die_with_the_launcher() -> None:
    """End this process when the launcher that started it dies, however it dies. torch's launcher gives each worker a
    session of its own: one left behind would go on writing beside a resumed training. Linux alone has this signal."""
    if "LOCAL_RANK" in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def take_one_gpu() -> None:
    """Hide all GPUs but the first one: with several, transformers would spread a batch over them as it finds them, and
    the rows of a step would follow from the machine. A launcher starts a process for each instead."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    if visible:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]


def import_libraries(args: argparse.Namespace) -> None:
    """Import torch and TRL as fast as they allow, measured: 4.0 s plain, 3.0 s this way."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # TRL reports every trainer that is built
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("WANDB_DIR", str(args.output_dir))
    if (Path(args.base_model) / "config.json").is_file() or args.base_model.count("/") > 1:  # not a name on the hub
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if args.threads:
        os.environ["OMP_NUM_THREADS"] = str(args.threads)
    if not args.use_cpu and "LOCAL_RANK" not in os.environ:
        take_one_gpu()
    if args.report_to == "none" and __name__ == "__main__":
        # The import system's way to say "not here": transformers imports wandb wherever it finds it.
        sys.modules["wandb"] = None  # type: ignore[assignment]  # None is documented, the stub lacks it
    warnings.filterwarnings("ignore", category=FutureWarning)  # of TRL and PEFT about transformers
    gc.disable()  # collections during the imports walk a growing heap again and again
    import torch
    import trl.trainer.sft_trainer  # noqa: F401
    from transformers.utils import logging

    gc.freeze()
    gc.enable()
    if args.threads:
        torch.set_num_threads(args.threads)
    if not sys.stderr.isatty():
        logging.disable_progress_bar()


def explain(e: Exception, args: argparse.Namespace) -> str | None:
    """Return a sentence for a failure of the machine, None for a fault of this program."""
    text = str(e)
    if getattr(e, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "StreamWriter" in text:
        free = shutil.disk_usage(args.output_dir).free / 2**20 if args.output_dir.is_dir() else 0
        return f"no space left to write {args.output_dir} ({free:.0f} MiB free); free some and run again."
    if type(e).__name__ == "OutOfMemoryError":
        return (f"out of GPU memory ({first_line(e)}); lower --per_device_train_batch_size or --max_length, "
                "or give --gradient_checkpointing or --use_lora.")  # fmt: skip
    return f"{type(e).__name__}: {e}" if isinstance(e, OSError) else None


def wait_for_go(args: argparse.Namespace) -> bool:
    """Spend the seconds of the imports beside an earlier program; say whether a line came on stdin after that."""
    import_libraries(args)
    return bool(sys.stdin.readline())


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    die_with_the_launcher()
    if args.wait and not wait_for_go(args):
        return 0
    clock = Clock()
    try:
        check_arguments(args)
        check_base_model(args.base_model)
        rows = read_rows(args.train_file)
        eval_rows = read_rows(args.eval_file) if args.eval_file else []
        find_checkpoint(args)
        args.output_dir.mkdir(parents=True, exist_ok=True)
        import_libraries(args)
        clock.lap("import")
        metrics = train(args, rows, eval_rows, clock)
        if os.environ.get("RANK", "0") == "0":
            versions = {name: version(name) for name in LIBRARIES}
            arguments = {name: str(v) if isinstance(v, Path) else v for name, v in vars(args).items()}
            extra = {"seconds": clock.seconds, "versions": versions, "arguments": arguments}
            write_json(args.output_dir / METRICS_FILE, {**metrics, **extra})
            if args.drop_checkpoints:
                drop_checkpoints(args.output_dir)
            say(f"{args.experiment_name}: loss {metrics['train_loss']:.4f}, {metrics['steps']} steps, {clock.seconds}")
    except Exception as e:
        sentence = str(e) if isinstance(e, SftError) else explain(e, args)
        if sentence is None:
            raise
        print(f"run_sft.py: error: {sentence}", file=sys.stderr, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
