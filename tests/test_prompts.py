"""Prompts and answers: nothing hidden reaches a model, and the code in an answer is found however it is wrapped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import pipeline_problems

from bootstrap.config import PromptConfig
from bootstrap.prompts import RULES, extract_code, render_answer, render_prompt
from interpreters.base import Column, ColumnType, Table, TestCase

SENTINEL = "HIDDEN-7319"
STYLES = [PromptConfig(style="plain"), PromptConfig(style="instruct"), PromptConfig(style="instruct", chat=True)]
every_style = pytest.mark.parametrize("config", STYLES, ids=lambda c: c.style + "-chat" * c.chat)
every_language = pytest.mark.parametrize("language", RULES)


def filled(test: TestCase) -> TestCase:
    """Return the test with nothing but the sentinel in its rows."""
    columns = (Column("city", ColumnType.STRING), Column("n", ColumnType.INT))
    table = Table(columns, ((SENTINEL, 7319),) * 3)
    return replace(test, tables=dict.fromkeys(test.tables, table), expected=table)


@every_style
@every_language
def test_no_value_of_a_hidden_test_is_in_a_prompt(config: PromptConfig, language: str) -> None:
    for problem in pipeline_problems(8):
        assert any(test.hidden for test in problem.tests)
        tests = tuple(filled(test) if test.hidden else test for test in problem.tests)
        prompt = render_prompt(replace(problem, tests=tests), language, config)
        assert problem.statement in prompt
        assert "7319" not in prompt


@every_style
@every_language
def test_the_reference_is_not_in_the_prompt(config: PromptConfig, language: str) -> None:
    for problem in pipeline_problems(8):
        prompt = render_prompt(problem, language, config)
        assert not any(code in prompt for code in problem.references.values())


@every_language
def test_an_instruction_names_every_column_with_its_type(language: str) -> None:
    [problem] = pipeline_problems(1)
    prompt = render_prompt(problem, language, PromptConfig(style="instruct"))
    for column in problem.tests[0].tables["df"].columns:
        assert f"{column.name} {column.type.value}" in prompt
    assert f"```{RULES[language][2]}" in prompt


@pytest.mark.parametrize(
    ("completion", "code"),
    [
        ("df.head(1)", "df.head(1)"),
        ("  df.head(1)\n\n", "df.head(1)"),
        ("```python\ndf.head(1)\n```", "df.head(1)"),
        ("```\ndf.head(1)\n```", "df.head(1)"),
        ("``` python\ndf.head(1)\n```", "df.head(1)"),
        ("```python3  \ndf.head(1)\n```", "df.head(1)"),
        ("```python\r\ndf.head(1)\r\n```\r\n", "df.head(1)"),
        ("Here it is:\n\n```sql\nSELECT 1\nFROM df\n```\nIt takes one.", "SELECT 1\nFROM df"),
        ("Answer: ```python\ndf.head(1)\n```", "df.head(1)"),
        ("```python\ndf.head(1)\n```\nor\n```python\ndf.tail(1)\n```", "df.head(1)"),
        ("```python\ndf.head(1)", "df.head(1)"),
        ("```python\ndf.head(1)```", "df.head(1)"),
        ("1. so:\n   ```python\n   df.head(1)\n   ```\n2. done", "df.head(1)"),
        ("```sql\nSELECT '```' AS fence FROM df\n```", "SELECT '```' AS fence FROM df"),
        ("```python\n```", ""),
        ("```python\n", ""),
        ("", ""),
        ("no code here, sorry", "no code here, sorry"),
        ("```sql\nSELECT 1\n```\nthat is\n```python\ndf.head(1)\n```", "df.head(1)"),
        ("```text\n1. head\n```\n```Python\ndf.head(1)\n```", "df.head(1)"),
    ],
)
def test_the_code_of_an_answer_is_found(completion: str, code: str) -> None:
    assert extract_code(completion, "polars") == code


def test_a_block_of_another_language_is_taken_where_there_is_no_better_one() -> None:
    assert extract_code("```python\ndf.head(1)\n```", "duckdb") == "df.head(1)"
    assert extract_code("```python\ndf.head(1)\n```\n```postgresql\nSELECT 1\n```", "duckdb") == "SELECT 1"


@every_style
@every_language
@given(text=st.text().filter(lambda text: "```" not in text))
def test_code_without_fences_survives_its_way_through_a_trained_answer(
    config: PromptConfig, language: str, text: str
) -> None:
    code = text.strip()
    assert extract_code(render_answer(code, language, config), language) == code
    preamble = "Sure!\n" * (config.style == "instruct")
    assert extract_code(preamble + render_answer(code, language, config), language) == code


@every_style
@every_language
def test_every_reference_survives_its_way_through_a_trained_answer(config: PromptConfig, language: str) -> None:
    for problem in pipeline_problems(20):
        code = problem.references.get(language, "pass")
        assert extract_code(render_answer(code, language, config), language) == code
