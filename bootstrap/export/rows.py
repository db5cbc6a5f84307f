"""Chat rows for fine-tuning, rows of a data set for a hub, and the card that says what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bootstrap.config import PromptConfig
from bootstrap.export.finished import Collection, Finished
from bootstrap.prompts import as_messages, render_answer, render_prompt

SPLITS = {"train": "train", "dev": "validation", "test": "test"}
"""Part of a run -> name of the split."""

LICENCES = {
    "apache-2.0": "apache-2.0", "mit": "mit", "cc by-sa 4.0": "cc-by-sa-4.0", "cc-by-sa-4.0": "cc-by-sa-4.0",
    "cc by 4.0": "cc-by-4.0", "cc-by-4.0": "cc-by-4.0", "cc0-1.0": "cc0-1.0", "cc0": "cc0-1.0",
}  # fmt: skip
"""Licence of a problem, in lower case -> its id on the hub."""

SIZES = (1_000, 10_000, 100_000, 1_000_000)


def chat_row(finished: Finished, config: PromptConfig) -> dict[str, Any]:
    """Return one conversation: the prompt of training, and the answer that is trained."""
    prompt = render_prompt(finished.problem, finished.language, config)
    answer = render_answer(finished.code, finished.language, config)
    messages = [*as_messages(prompt), {"role": "assistant", "content": answer}]
    return {"messages": messages, "problem_id": finished.problem.problem_id, **origin(finished)}


def hub_row(finished: Finished, config: PromptConfig) -> dict[str, Any]:
    """Return one flat row; the tests are in problems.jsonl, under the same problem_id."""
    problem = finished.problem
    return {
        "problem_id": problem.problem_id, "statement": problem.statement,
        "prompt": render_prompt(problem, finished.language, config), "code": finished.code, "kind": problem.kind,
        "family": problem.family, "source": problem.source, "licence": problem.licence,
        "difficulty": problem.difficulty, "tests": len(problem.tests), **origin(finished),
    }  # fmt: skip


def origin(finished: Finished) -> dict[str, Any]:
    return {
        "language": finished.language, "interpreter": finished.interpreter, "proved_by": finished.proved_by,
        "part": finished.part, "iteration": finished.iteration, "sampler": finished.sampler, "seed": finished.seed,
    }  # fmt: skip


# -- the card -----------------------------------------------------------------------------------------------------


def licence_ids(licences: Sequence[str]) -> list[str]:
    """Return the hub's ids of the licences; `other` for one that it does not have."""
    return sorted({LICENCES.get(licence.strip().lower(), "other") for licence in licences})


def size_category(rows: int) -> str:
    names = ("1K", "10K", "100K", "1M")
    for bound, name, before in zip(SIZES, names, ("", *names), strict=False):
        if rows < bound:
            return f"{before}<n<{name}" if before else f"n<{name}"
    return "n>1M"


def card(collection: Collection, splits: Mapping[str, int]) -> str:
    """Return README.md: the header that the hub reads, then counts, sources, licences and how it was verified."""
    return "\n".join([*_header(collection, splits), *_body(collection, splits)]) + "\n"


def _header(collection: Collection, splits: Mapping[str, int]) -> list[str]:
    finished = collection.finished
    ids = licence_ids([one.problem.licence for one in finished])
    lines = ["---", "license:", *[f"- {name}" for name in ids], "task_categories:", "- text-generation", "tags:"]
    lines += ["- code", *[f"- {language}" for language in sorted({one.language for one in finished})]]
    lines += ["size_categories:", f"- {size_category(len(finished))}", "configs:", "- config_name: default"]
    lines += ["  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: data/{split}.jsonl"]
    return [*lines, "---", ""]


def _body(collection: Collection, splits: Mapping[str, int]) -> list[str]:
    finished = collection.finished
    problems = {one.problem.problem_id: one.problem for one in finished}
    languages = ", ".join(sorted({one.language for one in finished}))
    lines = [f"# Verified solutions in {languages}", ""]
    lines += [f"{len(finished):,} solutions of {len(problems):,} problems, from {collection.origin}.", ""]
    lines += ["| split | rows |", "|---|---|", *[f"| {name} | {rows:,} |" for name, rows in splits.items()], ""]
    lines += ["## Where the problems come from", "", "| source | problems | licence |", "|---|---|---|"]
    sources = Counter((one.source, one.licence) for one in problems.values())
    lines += [f"| {source} | {count:,} | {licence} |" for (source, licence), count in sorted(sources.items())]
    lines += ["", "## How the solutions were verified", ""]
    lines += ["Each was run, in a sandbox, on every test of its problem, hidden tests included, and its answers were"]
    lines += ["compared with the expected ones by value. The interpreters:", ""]
    proofs = Counter(one.proved_by for one in finished)
    lines += [f"- {proof}: {count:,} solutions" for proof, count in sorted(proofs.items())]
    given = sum(one.iteration == 0 for one in finished)
    lines += ["", f"{given:,} were given or converted, {len(finished) - given:,} were sampled from a model."]
    if collection.left_out:
        lines += ["", "Left out:", "", *[f"- {count:,} {why}" for why, count in sorted(collection.left_out.items())]]
    lines += ["", "`problems.jsonl` holds the problems with their tests. To run everything again:", ""]
    return [*lines, "    python -m bootstrap.verify --input-dir FOLDER"]
