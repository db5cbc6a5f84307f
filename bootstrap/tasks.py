"""Training tasks besides answering the statement: translating code and tests, as rows of prompt and answer.

    statement_to_code     the statement -> the solution in the target language
    python_to_code        the reference in plain Python -> the solution
    code_to_python        the solution -> the reference in plain Python
    python_test_to_test   a visible test in Python -> the same test in the target language
    code_to_code          a reference in another language -> the solution

Problems over tables have no function in plain Python to translate: for them only the first and the last make sense.
Rows hold visible tests alone. A problem that lacks what a task needs (a reference, a visible test) gives no row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bootstrap.config import PromptConfig
from bootstrap.errors import UserError, nearest
from bootstrap.export.literals import NoLiteralError, as_q, python_literal, python_rows, sql_table, sql_values
from bootstrap.prompts import RULES, reference_of, render_answer, render_prompt
from bootstrap.records import Problem
from interpreters.base import Table, TestCase
from interpreters.function_cases import arguments_of, expected_of
from interpreters.q_subset.values import Dict
from interpreters.q_values import to_q

TABLE_TASKS = ("statement_to_code", "code_to_code")


@dataclass(frozen=True)
class TaskRow:
    """One pair to train on."""

    task: str
    problem_id: str
    language: str
    prompt: str
    answer: str


def require_tasks(tasks: Sequence[str], kind: str = "function") -> None:
    """Raise UserError for a task that is not known, or makes no sense for problems of this kind."""
    for task in tasks:
        if task not in TASKS:
            raise UserError(f"no task {task!r}{nearest(task, TASKS)} known: {', '.join(TASKS)}")
        if kind == "table" and task not in TABLE_TASKS:
            raise UserError(
                f"dataset.tasks: {task} needs problems that are functions, and these are over tables, which have no "
                f"plain Python to translate; for them there are {' and '.join(TABLE_TASKS)}"
            )


def task_rows(problem: Problem, task: str, language: str, code: str, config: PromptConfig) -> list[TaskRow]:
    """Return the rows of one task for a problem with a verified solution in the target language.

    Raises UserError for a task that is not known, does not fit the problem, or has no writer for the language.
    """
    require_tasks([task], problem.kind)
    pairs = TASKS[task](problem, language, code, config)
    return [TaskRow(task, problem.problem_id, language, prompt, answer) for prompt, answer in pairs]


# -- the tasks ----------------------------------------------------------------------------------------------------

Pairs = list[tuple[str, str]]


def _statement_to_code(problem: Problem, language: str, code: str, config: PromptConfig) -> Pairs:
    return [(render_prompt(problem, language, config), render_answer(code, language, config))]


def _python_to_code(problem: Problem, language: str, code: str, config: PromptConfig) -> Pairs:
    if "python" not in problem.references or language == "python":
        return []
    return [_translation(problem.references["python"], "python", code, language, config)]


def _code_to_python(problem: Problem, language: str, code: str, config: PromptConfig) -> Pairs:
    if "python" not in problem.references or language == "python":
        return []
    return [_translation(code, language, problem.references["python"], "python", config)]


def _code_to_code(problem: Problem, language: str, code: str, config: PromptConfig) -> Pairs:
    others = [one for one in sorted(problem.references) if one not in (language, "python")]
    return [_translation(problem.references[one], one, code, language, config) for one in others]


def _translation(code: str, source: str, answer: str, target: str, config: PromptConfig) -> tuple[str, str]:
    title, rule, fence = _rule_of(target)
    name, _, block = RULES.get(source, (source, "", source))
    prompt = reference_of(target, config)
    prompt += f"Translate the {name} code to {title}. {rule}\nAnswer with one ```{fence} block.\n\n"
    return f"{prompt}```{block}\n{code.strip()}\n```\n\n", render_answer(answer, target, config)


def _rule_of(language: str) -> tuple[str, str, str]:
    if language not in RULES:
        raise UserError(f"no prompt is known for {language}: bootstrap.prompts.RULES has {', '.join(RULES)}")
    return RULES[language]


def _python_test_to_test(problem: Problem, language: str, code: str, config: PromptConfig) -> Pairs:
    if language not in TEST_WRITERS:
        raise UserError(f"tests cannot be written in {language} yet: known are {', '.join(TEST_WRITERS)}")
    title, _, fence = _rule_of(language)
    found = []
    for test in problem.tests:
        if test.hidden or language == "python":
            continue
        try:
            answer = TEST_WRITERS[language](test)
        except NoLiteralError:
            continue  # a value that the language has no literal for
        prompt = reference_of(language, config)
        prompt += f"Write this test of a Python function for {title}.\nAnswer with one ```{fence} block.\n\n"
        found.append((f"{prompt}```python\n{python_test(test)}\n```\n\n", render_answer(answer, language, config)))
    return found


TASKS: dict[str, Callable[[Problem, str, str, PromptConfig], Pairs]] = {
    "statement_to_code": _statement_to_code,
    "python_to_code": _python_to_code,
    "code_to_python": _code_to_python,
    "python_test_to_test": _python_test_to_test,
    "code_to_code": _code_to_code,
}


# -- tests as text ------------------------------------------------------------------------------------------------


def python_test(test: TestCase) -> str:
    """Return an assert; items in any order are compared sorted."""
    entry, _, arguments = arguments_of(test)
    call = f"{entry}({', '.join(map(python_literal, arguments))})"
    expected = python_literal(expected_of(test))
    if test.unordered:
        return f"assert sorted({call}, key=repr) == sorted({expected}, key=repr)"
    return f"assert {call} == {expected}"


SAME_DICTIONARY = "{(count[x]=count y)&x~key[x]!y key x}"  # `~` alone wants the keys in one order


def q_test(test: TestCase) -> str:
    """Return an expression that is 1b when the answer is right; items in any order are compared sorted."""
    entry, _, arguments = arguments_of(test)
    call = f"{entry}[{';'.join(map(as_q, arguments))}]"
    answer = expected_of(test)
    expected = as_q(answer)
    if isinstance(to_q(answer), Dict):
        return f"{SAME_DICTIONARY}[{call};{expected}]"
    return f"(asc {call})~asc {expected}" if test.unordered else f"{call}~{expected}"


def _sql_test(language: str) -> Callable[[TestCase], str]:
    def write(test: TestCase) -> str:
        tables = "\n".join(sql_table(name, table, language) for name, table in test.tables.items())
        return f"{tables}\n-- expected\n{sql_values(test.expected, language)};"

    return write


def _frame_test(test: TestCase) -> str:
    lines = [f"{name} = {_frame(table)}" for name, table in test.tables.items()]
    return "\n".join([*lines, f"expected = {_frame(test.expected)}"])


def _frame(table: Table) -> str:
    return f'pl.DataFrame({python_rows(table)}, schema={list(table.names)!r}, orient="row")'


TEST_WRITERS: dict[str, Callable[[TestCase], str]] = {
    "python": python_test,
    "duckdb": _sql_test("duckdb"),
    "postgres": _sql_test("postgres"),
    "polars": _frame_test,
    "q": q_test,
}
"""Language -> how a test of a function is written in it; here a language is added."""
