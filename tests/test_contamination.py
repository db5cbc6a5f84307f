"""Near-duplicates: what counts as one, across which parts, and families that must stay together."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support import ROOT, pipeline_problems

from bootstrap.config import RunConfig
from bootstrap.contamination import Thresholds, crossing, documents_of, merge_families, near_duplicates
from bootstrap.documents import Document, read_documents
from bootstrap.errors import UserError
from bootstrap.prepare import split_by_family
from bootstrap.similarity import code_tokens, grams, jaccard, similar_pairs, text_grams

LONG = "Return the names of all customers who placed more than three orders in the last year, oldest customer first. "
LONG += "Show each of them once, and leave out those who gave no address or live outside the country of their shop"
CODE = """
def total(prices, limit):
    found = 0
    for price in prices:
        if price > limit and price % 2 == 0:
            found += price * 3
        else:
            found -= max(price, limit)
    return sorted([found, limit])[0]
"""
RENAMED = """
def add_up(xs, most):
    \"\"\"Another name for everything.\"\"\"
    s = 0  # the sum
    for x in xs:
        if x > most and x % 2 == 0: s += x * 3
        else: s -= max(x, most)
    return sorted([s, most])[0]
"""


def found(*documents: Document, **thresholds: float) -> list[tuple[int, int]]:
    pairs = near_duplicates(documents, Thresholds(**thresholds))  # type: ignore[arg-type]  # numbers
    return [(pair.left, pair.right) for pair in pairs]


def test_a_statement_is_found_again_whatever_its_layout_and_case() -> None:
    other = LONG.upper().replace(" ", "  ").replace(",", " -") + "!"
    assert found(Document("a", "1", LONG), Document("b", "2", other), Document("b", "3", "Sum of x")) == [(0, 1)]


def test_one_word_changed_in_a_long_statement_is_a_near_duplicate_and_another_statement_is_none() -> None:
    near = LONG.replace("names", "emails")
    other = "Return the largest product of two numbers in a list of at least two integers, as an integer"
    assert found(Document("a", "1", LONG), Document("b", "2", near), Document("b", "3", other)) == [(0, 1)]


@pytest.mark.parametrize(("language", "one", "other"), [
    ("python", CODE, RENAMED),
    ("duckdb", "SELECT a.x, count(*) FROM t AS a WHERE a.y > 3 AND a.z LIKE 'k%' GROUP BY a.x ORDER BY 2 DESC LIMIT 5",
     "select A.X, COUNT(*) from T a -- twice\nwhere a.y > 3 and a.z like 'k%' group by a.x order by 2 desc limit 5"),
])  # fmt: skip
def test_code_is_found_again_whatever_its_names_and_layout(language: str, one: str, other: str) -> None:
    assert code_tokens(one, language) == code_tokens(other, language)
    first, second = Document("a", "1", "x", {language: one}), Document("b", "2", "y", {language: other})
    assert found(first, second, min_code_nodes=10) == [(0, 1)]


def test_small_code_that_different_problems_share_does_not_count() -> None:
    one, other = (Document(part, part, part, {"polars": "df.head(5)"}) for part in "ab")
    assert found(one, other) == []


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 1.0])
def test_the_join_finds_exactly_what_comparing_all_pairs_finds(threshold: float) -> None:
    rng = random.Random(7)
    sets = [frozenset(rng.choices(range(30), k=rng.randint(0, 12))) for _ in range(120)]
    brute = [
        (i, j, jaccard(sets[i], sets[j]))
        for i, j in itertools.combinations(range(len(sets)), 2)
        if sets[i] and jaccard(sets[i], sets[j]) >= threshold
    ]
    assert similar_pairs(sets, threshold) == brute


def test_many_equal_documents_are_joined_without_listing_every_pair() -> None:
    documents = [Document(("train", "dev", "test")[i % 3], str(i), LONG) for i in range(300)]
    pairs = near_duplicates(documents)
    assert len(pairs) < 3 * len(documents)
    touched = {one for pair in crossing(documents, pairs) for one in (pair.left, pair.right)}
    assert touched == set(range(300))


def test_families_that_a_pair_joins_stay_together_in_a_split() -> None:
    problems = [replace(p, statement=f"{LONG} {i // 2}") for i, p in enumerate(pipeline_problems(16))]
    problems = [replace(p, references={"polars": p.references["polars"]}) for p in problems]
    merged = merge_families(
        problems, near_duplicates(documents_of(problems), Thresholds(text=1.0, min_code_nodes=10**6))
    )
    assert len({p.family for p in merged}) == 8
    assert [p.problem_id for p in merged] == [p.problem_id for p in problems]
    config = RunConfig.model_validate(
        {"target": "polars_expr", "base_model": "a/b", "split": {"dev": 4, "test": 4, "seeds": 2}}
    )
    split = split_by_family(merged, config)
    parts = {pid: name for name in ("train", "dev", "test") for pid in getattr(split, name)}
    for one, other in zip(merged[::2], merged[1::2], strict=True):
        assert parts[one.problem_id] == parts[other.problem_id]


def test_merging_does_not_depend_on_the_order_of_the_pairs() -> None:
    problems = [replace(p, statement=LONG if i < 5 else p.statement) for i, p in enumerate(pipeline_problems(8))]
    pairs = near_duplicates(documents_of(problems))
    expected = merge_families(problems, pairs)
    for seed in range(5):
        assert merge_families(problems, random.Random(seed).sample(pairs, len(pairs))) == expected


def test_ten_thousand_documents_take_seconds() -> None:
    rng = random.Random(1)
    words = [f"word{i}" for i in range(400)]
    documents = [Document("a", str(i), " ".join(rng.choices(words, k=30))) for i in range(10_000)]
    started = time.process_time()
    assert near_duplicates(documents) == []
    assert time.process_time() - started < 30


def test_files_from_outside_are_read_in_their_own_fields(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps([{"question": "How many?", "query": "SELECT 1", "gold_sql": "SELECT 2"}, {"text": "T"}]))
    documents = read_documents(path)
    assert [(d.part, d.text, dict(d.code)) for d in documents] == [("other", "How many?", {"sql": "SELECT 2"}),
                                                                   ("other", "T", {})]  # fmt: skip
    path.write_text(json.dumps({"question": "How many?", "query": "SELECT 1", "gold_sql": "SELECT 2"}))
    assert [dict(d.code) for d in read_documents(path, "question", "query")] == [{"sql": "SELECT 1"}]
    path.write_text('{"foo": 1}\n')
    with pytest.raises(UserError, match=r"expected a text.*found the fields foo.*--text-field"):
        read_documents(path)


def test_the_program_tells_what_is_in_common_and_ends_with_1(tmp_path: Path) -> None:
    problems = pipeline_problems(4)
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(p.to_json()) + "\n" for p in problems))
    (tmp_path / "outside.jsonl").write_text(json.dumps({"text": problems[2].statement}) + "\n")
    words = [sys.executable, "-m", "bootstrap.contamination", "--problems", "problems.jsonl"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            [*words, *more], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
        )  # fmt: skip

    ended = run("--against", "outside.jsonl", "--out", "pairs.jsonl", "--code-threshold", "1.0")
    assert ended.returncode == 1, ended.stderr
    assert "1 of 1 in outside have one in problems" in ended.stdout and "0.8 (Jaccard" in ended.stdout
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert {problems[2].problem_id, "outside:1"} in [{row["left"], row["right"]} for row in rows]
    assert run().returncode == 0
    assert run("--against", "nowhere.jsonl").returncode == 2


def test_grams_of_short_texts_are_the_text_itself() -> None:
    assert grams([], (1, 2)) == frozenset()
    assert text_grams("Sum!") == frozenset({("sum",)})
