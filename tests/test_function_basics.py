"""The built-in pack of function problems: its tests, references and options."""

from __future__ import annotations

from collections import Counter

import pytest

from bootstrap.admission import Plan, admit_by, trivial
from bootstrap.audit.q_text import Statement
from bootstrap.audit.workers import Workers
from bootstrap.errors import UserError
from bootstrap.records import Problem
from bootstrap.sources import load_source
from bootstrap.sources.function_basics.drafts import Draft
from bootstrap.sources.function_basics.source import TOPICS
from interpreters import load_interpreter
from interpreters.base import Limits, Outcome
from interpreters.checking import check
from interpreters.function_cases import arguments_of, expected_of
from interpreters.q_names import entry_refused
from interpreters.q_subset.lexer import tokens_of

COUNTS = {
    "whole_numbers": 22, "number_lists": 26, "ordering": 25, "counting": 25, "dictionaries": 18, "letters": 23,
    "sentences": 15, "formats": 19, "matrices": 18, "intervals": 14, "simulations": 17,
}  # fmt: skip
DRAFTS = [draft for drafts in TOPICS.values() for draft in drafts]
SAMPLE = ["fb-merge_spans", "fb-tally", "fb-two_that_make", "fb-run_lengths", "fb-turn_round", "fb-carry_forward"]


def load(seed: int = 1, **options: object) -> list[Problem]:
    return list(load_source("function_basics", options, seed).load())


@pytest.fixture(scope="module")
def pack() -> dict[str, Problem]:
    return {problem.problem_id: problem for problem in load()}


def test_every_topic_has_its_problems() -> None:
    assert {topic: len(drafts) for topic, drafts in TOPICS.items()} == COUNTS
    assert sum(COUNTS.values()) == 222


def test_every_problem_is_admitted(pack: dict[str, Problem]) -> None:
    found = admit_by(list(pack.values()), Workers(1), Plan(), lambda done, total: None)
    assert found.quarantined == {}
    assert found.missing == {}
    assert len(found.admitted) == 222


def test_problems_of_another_seed_have_other_tests_and_are_as_little_trivial(pack: dict[str, Problem]) -> None:
    again = load(seed=2)
    assert [problem.problem_id for problem in again] == list(pack)
    assert sum(problem.tests != pack[problem.problem_id].tests for problem in again) > 215
    assert [problem.problem_id for problem in again if trivial(problem)] == []


def test_one_seed_gives_the_same_problems(pack: dict[str, Problem]) -> None:
    assert [problem.to_json() for problem in load()] == [problem.to_json() for problem in pack.values()]


def test_every_problem_has_visible_and_hidden_tests(pack: dict[str, Problem]) -> None:
    for problem in pack.values():
        hidden = Counter(test.hidden for test in problem.tests)
        assert hidden[False] == 4, problem.problem_id
        assert hidden[True] >= 6, problem.problem_id


def test_no_two_tests_of_a_problem_have_the_same_input(pack: dict[str, Problem]) -> None:
    for problem in pack.values():
        inputs = [repr(arguments_of(test)[2]) for test in problem.tests]
        assert len(set(inputs)) == len(inputs), problem.problem_id


@pytest.mark.parametrize("draft", DRAFTS, ids=[draft.name for draft in DRAFTS])
def test_q_can_spell_every_name_of_a_solution(draft: Draft) -> None:
    variables = Statement.of(draft.q, tokens_of(draft.q), {}, ordered=True).variables
    assert set(draft.parameters) <= set(variables)
    assert [reason for name in (draft.name, *draft.parameters, *variables) if (reason := entry_refused(name))] == []


@pytest.mark.parametrize("draft", DRAFTS, ids=[draft.name for draft in DRAFTS])
def test_a_statement_is_a_sentence_and_the_reference_has_no_trace_of_the_draft(draft: Draft) -> None:
    assert draft.statement.endswith(".")
    assert draft.statement[0].isupper()
    assert draft.python.startswith(f"def {draft.name}(")
    assert "draft" not in draft.python
    assert '"""' not in draft.python


def test_the_statement_says_what_goes_in_and_out(pack: dict[str, Problem]) -> None:
    assert pack["fb-tally"].statement.endswith(
        "Function: tally(items). items is a list of texts. It returns a dictionary from text to integers."
    )


@pytest.mark.parametrize("problem_id", SAMPLE)
def test_a_solution_passes_as_a_candidate_and_a_constant_does_not(pack: dict[str, Problem], problem_id: str) -> None:
    problem = pack[problem_id]
    entry, names, _ = arguments_of(problem.tests[0])
    with load_interpreter("q_subset") as interpreter:
        right = check(interpreter, problem.references["q"], problem.tests, Limits())
        wrong = check(interpreter, f"{entry}:{{[{';'.join(names)}] 0N}}", problem.tests, Limits())
    assert right.outcome is Outcome.PASSED, right.message
    assert wrong.outcome is Outcome.WRONG_ANSWER


def test_answers_are_not_whole_floats_where_the_statement_says_integer(pack: dict[str, Problem]) -> None:
    for problem in pack.values():
        kinds = {type(expected_of(test)) for test in problem.tests}
        assert not {int, float} <= kinds, problem.problem_id


def test_options_choose_topics_levels_and_tests() -> None:
    few = load(topics=("matrices",), difficulty=(3,), visible=3, hidden=6)
    assert {problem.problem_id for problem in few} == {"fb-matrix_product", "fb-neighbour_counts"}
    assert [sum(not test.hidden for test in problem.tests) for problem in few] == [3, 3]
    chosen = [problem.problem_id for problem in load(count=10)]
    assert len(set(chosen)) == 10
    assert chosen == [problem.problem_id for problem in load(count=10)]
    assert chosen != [problem.problem_id for problem in load(seed=3, count=10)]


def test_an_unknown_topic_names_the_nearest() -> None:
    with pytest.raises(UserError, match="matrices"):
        load(topics=("matrixes",))


def test_too_many_problems_are_refused_with_what_to_do() -> None:
    with pytest.raises(UserError, match="have 14; ask for fewer"):
        load(topics=("intervals",), count=15)
