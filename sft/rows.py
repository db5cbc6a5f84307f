"""Rows to train on: read from JSONL, checked, turned into tokens.

A row is {"prompt": ..., "completion": ...}: two strings, or two lists of chat messages. As tokens it starts with
exactly the tokens that sampling gives the model as its prompt, and ends in exactly one EOS token.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class SftError(Exception):
    """The input, the arguments or the machine stand in the way; the message says what to do."""


def say(text: str) -> None:
    if os.environ.get("RANK", "0") == "0":
        print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Row:
    line: int
    prompt: str | list[dict[str, str]]
    completion: str | list[dict[str, str]]


@dataclass(frozen=True)
class TokenRow:
    line: int
    input_ids: list[int]
    prompt_tokens: int

    @property
    def labels(self) -> list[int]:
        return [-100] * self.prompt_tokens + self.input_ids[self.prompt_tokens :]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a JSONL file; a torn last line (neither line end nor JSON) is dropped with a warning."""
    if not path.is_file():
        raise SftError(f"{path}: no such file; expected JSONL rows with the keys prompt and completion.")
    rows, lines = [], path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as e:
            if number == len(lines):
                say(f"warning: {path} line {number} is torn (no line end); dropped.")
                break
            raise SftError(f"{path} line {number} is not JSON ({e}); repair or remove that line.") from e
        rows.append(_row(number, record, f"{path} line {number}"))
    if not rows:
        raise SftError(f"{path} has no rows; expected at least one line with the keys prompt and completion.")
    return rows


def _row(number: int, record: object, where: str) -> Row:
    if not isinstance(record, dict) or not {"prompt", "completion"} <= record.keys():
        found = f"the keys {', '.join(record) or '(none)'}" if isinstance(record, dict) else type(record).__name__
        raise SftError(f"{where}: expected an object with the keys prompt and completion, found {found}.")
    row = Row(number, record["prompt"], record["completion"])
    texts = isinstance(row.prompt, str) and isinstance(row.completion, str)
    if not texts and not (_is_chat(row.prompt) and _is_chat(row.completion)):
        raise SftError(f"{where}: prompt and completion must both be strings, or both lists of chat messages.")
    if not row.completion:
        raise SftError(f"{where}: the completion is empty, there is nothing to learn from it; remove the row.")
    return row


def _is_chat(part: object) -> bool:
    return isinstance(part, list) and len(part) > 0 and all(isinstance(m, dict) and "role" in m for m in part)


def tokenize_rows(
    rows: list[Row], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> tuple[list[TokenRow], dict[str, int]]:
    """Return the rows as tokens, and how many were dropped for which reason."""
    eos = tokenizer.eos_token_id
    if eos is None:
        raise SftError("the tokenizer of the base model has no EOS token; set eos_token in its tokenizer_config.json.")
    kept: list[TokenRow] = []
    dropped = {"longer_than_max_length": 0, "eos_inside_completion": 0}
    texts = iter(_encode_texts([row for row in rows if isinstance(row.prompt, str)], tokenizer))
    for row in rows:
        prompt, completion = next(texts) if isinstance(row.prompt, str) else _encode_chat(row, tokenizer)
        while completion and completion[-1] == eos:
            completion = completion[:-1]
        if eos in completion and isinstance(row.prompt, str):
            dropped["eos_inside_completion"] += 1
        elif len(prompt) + len(completion) + 1 > max_length:
            dropped["longer_than_max_length"] += 1
        else:
            kept.append(TokenRow(row.line, [*prompt, *completion, eos], len(prompt)))
    return kept, {reason: count for reason, count in dropped.items() if count}


def _encode_texts(rows: list[Row], tokenizer: PreTrainedTokenizerBase) -> list[tuple[list[int], list[int]]]:
    """Return prompt and completion ids. Where a token would reach over the boundary, the completion stands alone."""
    if not rows:
        return []
    prompts = [_without_eos(ids, tokenizer) for ids in tokenizer([str(row.prompt) for row in rows])["input_ids"]]
    joints = tokenizer([f"{row.prompt}{row.completion}" for row in rows])["input_ids"]
    pairs = []
    for row, prompt, joint in zip(rows, prompts, joints, strict=True):
        completion = joint[len(prompt) :]
        if joint[: len(prompt)] != prompt:
            completion = tokenizer(str(row.completion), add_special_tokens=False)["input_ids"]
        pairs.append((prompt, completion))
    return pairs


def _without_eos(ids: list[int], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Drop an EOS that the tokenizer appends to every text of its own accord."""
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids


def _encode_chat(row: Row, tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Return prompt and completion ids; what a template writes after its last EOS (a newline) is left out."""
    if not tokenizer.chat_template:
        raise SftError(
            f"line {row.line} has chat messages, but the tokenizer of the base model has no chat template; "
            "write prompt and completion as strings, or start from a chat model."
        )
    template: Any = tokenizer.apply_chat_template  # its return type depends on its arguments
    prompt = template(row.prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
    joint = template([*row.prompt, *row.completion], return_dict=True)["input_ids"]
    if joint[: len(prompt)] != prompt:
        raise SftError(
            f"line {row.line}: the chat template renders the prompt differently once the completion follows, so "
            "training would see another prompt than sampling; give prompt and completion as strings."
        )
    completion = joint[len(prompt) :]
    if tokenizer.eos_token_id in completion:
        completion = completion[: len(completion) - completion[::-1].index(tokenizer.eos_token_id)]
    return prompt, completion
