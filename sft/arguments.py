"""The arguments of run_sft.py, and what is refused of them before anything heavy is imported."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
from pathlib import Path

from sft.rows import SftError

COMPILERS = ("c++", "g++", "clang++")
FLASH_PACKAGES = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}


def _count(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return int(text)


def add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--base_model", required=True, help="hub name, checkpoint folder, or LoRA adapter folder (merged first)")
    add("--train_file", type=Path, required=True, help="JSONL rows with prompt and completion")
    add("--eval_file", type=Path, help="rows of the same form; their loss is measured after training")
    add("--output_dir", type=Path, required=True, help="where model, tokenizer and metrics go")
    add("--experiment_name", default="sft", help="name of the run in logs and W&B (%(default)s)")
    add("--report_to", choices=["none", "wandb"], default="none", help="experiment tracker (%(default)s)")
    add("--logging_steps", type=_count, default=10, help="steps between two log lines (%(default)s)")
    add("--save_steps", type=int, default=0, help="steps between two trainer checkpoints; 0: none (%(default)s)")
    add("--save_total_limit", type=_count, default=1, help="trainer checkpoints kept (%(default)s)")
    add("--drop_checkpoints", action="store_true", help="remove the trainer checkpoints once everything is written")
    add("--resume", action="store_true", help="go on from the newest complete trainer checkpoint, if there is one")
    add("--profile_steps", type=Path, help="write the tokens and the seconds of every step to this JSON file")


def add_recipe(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--max_steps", type=int, default=-1, help="optimizer steps; above 0 it overrides --num_train_epochs")
    add("--num_train_epochs", type=float, default=3.0, help="passes over the rows (%(default)s)")
    add("--learning_rate", type=float, default=2e-5, help="peak rate; LoRA wants about ten times as much (%(default)s)")
    add("--lr_scheduler_type", default="linear", help="linear, cosine, constant_with_warmup, ... (%(default)s)")
    add("--warmup_steps", type=float, default=0, help="steps, or below 1 a share of all steps (%(default)s)")
    add("--per_device_train_batch_size", type=_count, default=8, help="rows of a batch (%(default)s)")
    add("--gradient_accumulation_steps", type=_count, default=1, help="batches of a step (%(default)s)")
    add("--max_length", type=_count, default=2048, help="longer rows are dropped and counted, never cut (%(default)s)")
    add("--weight_decay", type=float, default=0.0, help="of AdamW, not on norms and biases (%(default)s)")
    add("--adam_beta1", type=float, default=0.9, help="of AdamW (%(default)s)")
    add("--adam_beta2", type=float, default=0.999, help="of AdamW (%(default)s)")
    add("--max_grad_norm", type=float, default=1.0, help="gradient clipping; 0: none (%(default)s)")
    add("--seed", type=int, default=0, help="order of rows, dropout, LoRA's start (%(default)s)")


def add_machine_and_lora(parser: argparse.ArgumentParser) -> None:
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    add("--precision", choices=["auto", "bf16", "fp32"], default="auto", help="auto: bf16 on a GPU that has it")
    add("--gradient_checkpointing", action=switch, help="default: on with a GPU, off without")
    add("--attn_implementation", help="sdpa, flash_attention_2, ...; default: transformers' choice")
    add("--torch_compile", action="store_true", help="compile the layers: slow first steps, faster ones after that")
    add("--packing", action="store_true", help="rows of a batch end to end, without padding; needs FlashAttention")
    add("--threads", type=int, default=0, help="CPU threads of torch; 0: torch's choice (%(default)s)")
    add("--use_cpu", action="store_true", help="leave the GPU alone")
    add("--full_determinism", action="store_true", help="the same bits on a GPU too; slower")
    add("--use_lora", action="store_true", help="train a LoRA adapter instead of all weights")
    add("--load_in_4bit", action="store_true", help="QLoRA: the base in 4 bits while it is trained; needs bitsandbytes")
    add("--continue_adapter", action="store_true", help="--base_model is an adapter folder: train that adapter on")
    add("--lora_r", type=_count, default=32, help="rank (%(default)s)")
    add("--lora_alpha", type=float, default=64, help="scale times rank (%(default)s)")
    add("--lora_dropout", type=float, default=0.0, help="(%(default)s)")
    add("--lora_target_modules", nargs="+", default=["all-linear"], help="names of linear layers (all-linear)")
    add("--merge_lora", action=switch, default=True, help="write a plain checkpoint, with the adapter beside it")


def make_parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_sft.py", description=description, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    add_files(parser)
    add_recipe(parser)
    add_machine_and_lora(parser)
    parser.add_argument(
        "--wait", action="store_true", help="import the libraries, then wait for a line on stdin before anything else"
    )
    return parser


def check_arguments(args: argparse.Namespace) -> None:
    """Raise SftError for settings that exclude each other, or that need a package which is not here."""
    attention = args.attn_implementation or ""
    if args.packing and "flash" not in attention:
        raise SftError(
            f"--packing needs --attn_implementation flash_attention_2, found {attention or 'none given'}: rows laid "
            "end to end would see each other under other attention. Without it, rows of similar length share a batch."
        )
    package = FLASH_PACKAGES.get(attention)
    if package and not (_there(package) or _there("kernels")):
        raise SftError(f"--attn_implementation {attention} needs the package {package.replace('_', '-')}, not found: "
                       f"pip install {package.replace('_', '-')} (or kernels), or leave the flag away.")  # fmt: skip
    if args.torch_compile and not any(map(shutil.which, COMPILERS)):
        raise SftError(f"--torch_compile needs a C++ compiler, found none of {', '.join(COMPILERS)}: install g++, "
                       "or leave the flag away.")  # fmt: skip
    if (args.load_in_4bit or args.continue_adapter) and not args.use_lora:
        flag = "--load_in_4bit" if args.load_in_4bit else "--continue_adapter"
        raise SftError(f"{flag} needs --use_lora: all weights cannot be trained that way.")
    if args.load_in_4bit and not _there("bitsandbytes"):
        raise SftError(
            "--load_in_4bit (QLoRA) needs the package bitsandbytes, not found: pip install bitsandbytes on a machine "
            "with a GPU, or leave the flag away: LoRA keeps the base in 16 bits."
        )


def check_gpu(args: argparse.Namespace, *, found: bool, torch_version: str) -> None:
    """Raise SftError where the arguments ask for a GPU and torch finds none, or is told to leave it alone."""
    asked = [flag for flag, on in (
        ("--load_in_4bit", args.load_in_4bit), ("--attn_implementation", "flash" in (args.attn_implementation or "")),
    ) if on]  # fmt: skip
    if asked and (args.use_cpu or not found):
        why = "--use_cpu is given" if found else f"torch {torch_version} finds none"
        raise SftError(f"{asked[0]} needs a GPU, but {why}: start it where there is one, or leave the flag away.")


def _there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
