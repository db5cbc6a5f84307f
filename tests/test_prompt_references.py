"""The short references in prompts: all that they say is so, and only prompts that want one carry it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support import pipeline_problems

from bootstrap.config import PromptConfig
from bootstrap.prompt_references import REFERENCES
from bootstrap.prompts import RULES, render_prompt
from bootstrap.tasks import task_rows
from interpreters.function_cases import case_of
from interpreters.q_subset import Workspace

CODE = [line for line in REFERENCES["q"].splitlines() if not line.startswith("/")]


def test_each_line_of_the_q_reference_gives_what_it_says() -> None:
    workspace, compared = Workspace(), 0
    for line in CODE:
        code, gives, expected = line.rpartition(" / ")
        if gives:
            assert workspace.console(f"({code})~{expected}") == "1b", line
            compared += 1
        else:
            workspace.evaluate(line)
    assert compared > 25 and compared > len(CODE) - 5


def test_the_q_reference_is_short_and_is_a_script() -> None:
    assert len(REFERENCES["q"].splitlines()) <= 50
    assert max(map(len, REFERENCES["q"].splitlines())) <= 120
    Workspace().evaluate(REFERENCES["q"])


@pytest.mark.parametrize("language", RULES)
def test_only_instructions_carry_a_reference_and_only_where_there_is_one(language: str) -> None:
    [problem] = pipeline_problems(1)
    text = REFERENCES.get(language, "")
    wanted, unwanted, plain = (
        render_prompt(problem, language, config)
        for config in (PromptConfig(), PromptConfig(reference=False), PromptConfig(style="plain"))
    )
    assert (wanted == unwanted) == (not text)
    assert plain == problem.statement + "\n"
    if text:
        assert wanted.count(text) == 1 and text not in unwanted and wanted.endswith(unwanted)


@pytest.mark.parametrize("task", ["statement_to_code", "python_to_code", "python_test_to_test", "code_to_python"])
def test_tasks_answered_in_q_carry_its_reference(task: str) -> None:
    test = case_of("twice", ["n"], [2], 4, hidden=False)
    [problem] = pipeline_problems(1)
    problem = replace(problem, kind="function", tests=(test,), references={"python": "def twice(n):\n    return 2 * n"})
    [row] = task_rows(problem, task, "q", "twice:{2*x}", PromptConfig())
    assert (REFERENCES["q"] in row.prompt) == (task != "code_to_python")
    [bare] = task_rows(problem, task, "q", "twice:{2*x}", PromptConfig(reference=False))
    assert row.prompt.endswith(bare.prompt) and REFERENCES["q"] not in bare.prompt
    assert row.answer == bare.answer


def test_a_prompt_for_q_says_how_its_inputs_look() -> None:
    [problem] = pipeline_problems(1)
    assert "text are symbols" in render_prompt(problem, "q", PromptConfig(reference=False))
    test = case_of("twice", ["word"], ["ab"], "abab", hidden=False)
    function = replace(problem, kind="function", tests=(test,))
    prompt = render_prompt(function, "q", PromptConfig(reference=False))
    assert "Text is a list of chars" in prompt and "symbols" not in prompt
