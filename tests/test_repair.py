"""Repair turns and reference hints: what they show and what they never show, and which waves they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import pipeline_problems, wrong_code

from bootstrap.checkers import Checkers
from bootstrap.config import PromptConfig, RunConfig, load_config, parse_overrides
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.errors import UserError
from bootstrap.prepare import without_references
from bootstrap.prompts import FAILURES, RULES, render_prompt
from bootstrap.records import Candidate, Hint, Mistake, Problem, digest
from bootstrap.repair import LONGEST_CODE, REPAIRABLE, mistakes_for, reference_hints
from bootstrap.run_store import RunStore
from bootstrap.sampling import NOTHING, SampleAndCheck
from bootstrap.sampling_config import RepairConfig
from bootstrap.solve import run_waves
from bootstrap.solving import (
    keep_complete,
    name_of,
    outlook,
    plan_wave,
    regular_waves,
    solved_by,
    waves_of,
)
from bootstrap.targets import for_target
from interpreters.base import Column, ColumnType, Outcome, Table, TestCase
from interpreters.function_cases import case_of

SECRET = "HIDDEN-7319"
BOTH = {"waves": [2], "repair": {"turns": 2, "samples": 1}, "reference_hints": {"samples": 1, "after_iterations": 1}}

PROBLEMS = {problem.problem_id: problem for problem in pipeline_problems(8)}
IDS = list(PROBLEMS)
[FIRST, SECOND] = IDS[:2]


def configured(sampling: dict[str, Any], target: str = "polars_expr", **overrides: Any) -> RunConfig:
    values: dict[str, Any] = {
        "target": target, "base_model": "none/none", "prompt": {"style": "plain"},
        "engine": {"name": "scripted", "batch_sequences": 4}, "checking": {"workers": 1}, "sampling": sampling,
    }  # fmt: skip
    return RunConfig.model_validate(values | overrides)


class Listening:
    """An engine that answers every sample of a wave with the next of some codes, and keeps the prompts it was given."""

    name = "listening"
    model_digest = "0"
    busy_seconds = 0.0

    def __init__(self, codes: Sequence[str]) -> None:
        self.codes = codes
        self.prompts: dict[tuple[str, str], str] = {}

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        for request in requests:
            self.prompts[request.tag, request.problem_id] = request.prompt
            for index in range(request.num_samples):
                yield Completion(request.problem_id, index, self.codes[index % len(self.codes)], 1, complete=True)

    def close(self) -> None:
        pass


def iterate(
    folder: Path, problems: dict[str, Problem], config: RunConfig, codes: Sequence[str], iteration: int = 1
) -> tuple[list[Candidate], dict[tuple[str, str], str]]:
    """Run all waves of an iteration with real checkers; return its candidates and the prompts of each wave."""
    engine = Listening(codes)
    with Checkers(config) as checkers:
        sampler = SampleAndCheck(problems, engine, checkers, config, iteration)
        return run_waves(RunStore(folder), sampler, list(problems), []), engine.prompts


def failed(
    code: str, outcome: Outcome = Outcome.WRONG_ANSWER, test: int | None = 0, *, wave: int = 0, turn: int = 0,
    message: str = "", problem_id: str = FIRST,
) -> Candidate:  # fmt: skip
    return Candidate(problem_id, 1, wave, 0, "p", code, code, outcome, test, message, turn=turn)


def shown(*attempts: Candidate, starts: Sequence[int] = (1,)) -> Mistake | None:
    return mistakes_for(PROBLEMS, IDS, attempts, starts).get(FIRST)


def with_hidden_values(problem: Problem) -> Problem:
    """Return the problem with nothing but the secret in its hidden tests."""
    columns = (Column("city", ColumnType.STRING), Column("n", ColumnType.INT))
    table = Table(columns, ((SECRET, 7319),))
    tests = (replace(t, tables={"df": table}, expected=table, order_by=()) if t.hidden else t for t in problem.tests)
    return replace(problem, tests=tuple(tests))


# -- which attempt is shown ---------------------------------------------------------------------------------------


def test_the_attempt_that_came_farthest_is_shown() -> None:
    visible = sum(not test.hidden for test in PROBLEMS[FIRST].tests)
    assert visible >= 2
    syntax, error = failed("df.(", Outcome.SYNTAX_ERROR), failed("df.x", Outcome.RUNTIME_ERROR)
    wrong, later = failed("df"), failed("df.tail()", Outcome.RUNTIME_ERROR, visible - 1)
    attempts = [syntax, error, wrong, later]
    for best in (later, wrong, error, syntax):
        chosen = shown(*attempts)
        assert chosen and chosen.code == best.code
        assert shown(*reversed(attempts)) == chosen  # whatever their order
        attempts.remove(best)


def test_equal_attempts_are_told_apart_by_digest_and_the_newest_turn_comes_first() -> None:
    codes = [f"df.head({i})" for i in range(5)]
    found = {shown(*(failed(code) for code in order)) for order in (codes, codes[::-1], codes[2:] + codes[:2])}
    assert len(found) == 1
    newest = shown(*(failed(code) for code in codes), failed("df.newest", wave=1, turn=1), starts=(1, 2))
    assert newest and newest.code == "df.newest"


def test_no_code_is_shown_twice_and_later_waves_are_not_looked_at() -> None:
    codes = ["df", "df.head(0)", "df.tail(0)"]
    attempts = [failed(code) for code in codes] + [failed("df", wave=1, turn=1)]  # the model says it again
    turns = [shown(*attempts, starts=range(1, 2 + turn)) for turn in range(4)]
    assert sorted(one.code for one in turns if one) == codes and turns[3] is None
    assert shown(*attempts, failed("df.late", test=1, wave=1), starts=(1,)) == turns[0]


@pytest.mark.parametrize("outcome", Outcome)
def test_only_failures_that_a_message_explains_are_shown(outcome: Outcome) -> None:
    assert (shown(failed("df", outcome)) is not None) == (outcome in REPAIRABLE)
    assert set(FAILURES) == set(REPAIRABLE)


@pytest.mark.parametrize("code", ["", "x" * (LONGEST_CODE + 1), "df.head('\ud800')", "e.__traceback__.tb_frame.f_back"])
def test_attempts_that_no_prompt_can_hold_are_not_shown(code: str) -> None:
    assert shown(failed(code)) is None


def test_a_solved_problem_gets_no_repair_turn() -> None:
    attempts = [failed("df"), failed("right", Outcome.PASSED, None)]
    assert shown(*attempts) is None
    assert mistakes_for(PROBLEMS, IDS, [*attempts, failed("df", problem_id=SECOND)], (1,)).keys() == {SECOND}


# -- what never reaches a prompt ----------------------------------------------------------------------------------


def test_an_attempt_that_fails_on_a_hidden_test_is_not_shown() -> None:
    problem = PROBLEMS[FIRST]
    for number, test in enumerate(problem.tests):
        attempt = failed("df", test=number, message=SECRET)
        assert (shown(attempt) is None) == test.hidden
    beyond = [failed("df", test=len(problem.tests)), failed("df", test=-1), failed("df", test=None)]
    assert shown(*beyond) is None


def test_a_problem_without_visible_tests_gets_no_repair_turn() -> None:
    hidden = replace(PROBLEMS[FIRST], tests=tuple(replace(test, hidden=True) for test in PROBLEMS[FIRST].tests))
    for outcome in REPAIRABLE:
        assert mistakes_for({FIRST: hidden}, [FIRST], [failed("df", outcome)], (1,)) == {}


def test_a_message_with_a_value_of_a_hidden_test_is_left_out() -> None:
    problems = {FIRST: with_hidden_values(PROBLEMS[FIRST])}
    for message in (f"cannot read {SECRET!r}", "got 7319 rows", "HIDDEN-73"):
        found = mistakes_for(problems, [FIRST], [failed("df", message=message)], (1,))
        assert found[FIRST] == Mistake("df", Outcome.WRONG_ANSWER, "")
    harmless = "row count 3, expected 5"
    found = mistakes_for(problems, [FIRST], [failed("df", message=harmless)], (1,))
    assert found[FIRST].message == harmless


PEEK = """
def f(a):
    try:
        1 / 0
    except Exception as e:
        frame = {traceback}.{frame}
    while frame:
        if "loaded" in frame.{locals}:
            raise ValueError({told})
        frame = frame.{back}
    return 0
"""
PLAIN = {"traceback": "e.__traceback__", "frame": "tb_frame", "locals": "f_locals", "back": "f_back"}


@pytest.mark.parametrize("style", ["plain", "instruct"])
def test_code_that_raises_what_hidden_tests_hold_never_comes_into_a_prompt(tmp_path: Path, style: str) -> None:
    """Real attacks on a real interpreter: the verdict does hold the secret, and no prompt does."""
    tests = (case_of("f", ["a"], [[1]], 1, hidden=False), case_of("f", ["a"], [[SECRET]], 2, hidden=True))
    problem = Problem("p", "Count the items.", tests, "p", "made", kind="function")
    loaded = 'frame.f_locals["loaded"]'
    peeks = [
        PEEK.format(**PLAIN, told=f"repr({loaded})"),
        PEEK.format(traceback='getattr(e, "__trace" + "back__")', frame='__getattribute__("tb_" + "frame")',
                    locals='__getattribute__("f_" + "locals")', back='__getattribute__("f_" + "back")',
                    told='repr(frame.__getattribute__("f_" + "locals")["loaded"])'),
        "def f(a):\n    if a != [1]:\n        raise ValueError(a)\n    return 1",  # passes all that is visible
    ]  # fmt: skip
    sampling = {"waves": [3], "repair": {"turns": 3, "samples": 3}}
    config = configured(sampling, "python_function", prompt={"style": style})
    found, prompts = iterate(tmp_path, {"p": problem}, config, peeks)
    assert sum(SECRET in c.message for c in found if c.wave == 0) == 3  # the attacks do work
    assert not any("7319" in prompt for prompt in prompts.values())
    assert [c.failed_test for c in found[:3]] == [0, 0, 1]
    repaired = [prompt for (tag, _), prompt in prompts.items() if tag == "iteration 1 wave 1"]
    assert len(repaired) == 1 and "__getattribute__" in repaired[0]  # the one that may be shown, without its message
    assert len(prompts) == 2


def test_values_of_hidden_rows_in_a_database_error_never_come_into_a_prompt(tmp_path: Path) -> None:
    def table(city: str) -> Table:
        return Table((Column("city", ColumnType.STRING),), ((city,),))

    def expected(n: int) -> Table:
        return Table((Column("n", ColumnType.INT),), ((n,),))

    tests = (TestCase({"df": table("12")}, expected(12)), TestCase({"df": table(SECRET)}, expected(0), hidden=True))
    problem = Problem("p", "Read the number.", tests, "p", "made")
    config = configured({"waves": [2], "repair": {"turns": 2, "samples": 2}}, "duckdb_sql")
    found, prompts = iterate(
        tmp_path, {"p": problem}, config,
        ["SELECT CAST(city AS INTEGER) AS n FROM df", "SELECT 1 + CAST(city AS INTEGER) AS n FROM df"],
    )  # fmt: skip
    assert SECRET in found[0].message and found[0].failed_test == 1
    assert found[1].failed_test == 0
    assert [tag for tag, _ in prompts] == ["iteration 1 wave 0", "iteration 1 wave 1"]
    assert not any(SECRET in prompt for prompt in prompts.values())
    assert "tried: SELECT 1 + CAST" in prompts["iteration 1 wave 1", "p"]


# -- prompts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["table", "function"])
@pytest.mark.parametrize("language", RULES)
def test_a_repair_prompt_holds_the_task_the_attempt_and_its_failure(language: str, kind: Any) -> None:
    problem = replace(PROBLEMS[FIRST], kind=kind)
    for outcome in REPAIRABLE:
        mistake = Mistake("first line\n  second line", outcome, "something is `wrong`")
        plain = render_prompt(problem, language, PromptConfig(style="plain"), None, mistake)
        assert plain == f"tried: {mistake.code}\n{outcome.value}: {mistake.message}\n{problem.statement}\n"
        told = render_prompt(problem, language, PromptConfig(style="instruct"), None, mistake)
        without = render_prompt(problem, language, PromptConfig(style="instruct"))
        assert told.startswith(without)
        assert f"```{RULES[language][2]}\n{mistake.code}\n```\n{FAILURES[outcome]}: {mistake.message}\n" in told
        silent = replace(mistake, message="")
        assert f"{FAILURES[outcome]}\n" in render_prompt(problem, language, PromptConfig(), None, silent)


def test_a_reference_in_a_language_without_rules_is_shown_under_its_name() -> None:
    told = render_prompt(PROBLEMS[FIRST], "duckdb", PromptConfig(), Hint("sqlite", "SELECT 1"))
    assert "A solution in sqlite, which is another language:\n```\nSELECT 1\n```" in told


def test_the_hint_is_the_shortest_reference_and_never_the_target_language_s_own() -> None:
    problem = replace(PROBLEMS[FIRST], references={"polars": "x", "python": "longer code", "duckdb": "SELECT 1 "})
    assert reference_hints({FIRST: problem}, [FIRST], [], lambda _: "polars") == {FIRST: Hint("duckdb", "SELECT 1")}
    assert reference_hints({FIRST: problem}, [FIRST], [], lambda _: "python") == {FIRST: Hint("polars", "x")}
    only = replace(problem, references={"polars": "x"})
    assert reference_hints({FIRST: only}, [FIRST], [], lambda _: "polars") == {}
    passed = failed("right", Outcome.PASSED, None)
    assert reference_hints({FIRST: problem}, [FIRST], [passed], lambda _: "polars") == {}


# -- waves --------------------------------------------------------------------------------------------------------


def test_without_the_settings_nothing_is_shown_and_no_wave_is_added(tmp_path: Path) -> None:
    config = configured({"waves": [2, 2]})
    assert waves_of(config) == regular_waves(config) == 2
    found, prompts = iterate(tmp_path, PROBLEMS, config, ["df.head(0)", "df.nonsense()"])
    assert {(c.turn, c.hinted) for c in found} == {(0, False)}
    for c in found:
        assert (
            c.prompt_digest
            == digest(f"{PROBLEMS[c.problem_id].statement}\n")
            == digest(prompts[f"iteration 1 wave {c.wave}", c.problem_id])
        )
    assert all(b.shown is NOTHING for b in plan_wave(PROBLEMS, IDS, [], config, tag="t", wave=0)[0])


def test_settings_are_read_from_the_command_line_and_bad_ones_are_named() -> None:
    base = configured({"waves": [2]}).model_dump(mode="json")
    words = ["sampling.repair={turns: 1}", "sampling.reference_hints={samples: 3}"]
    config = load_config(None, parse_overrides(words), base)
    assert config.sampling.repair == RepairConfig(turns=1) and config.sampling.reference_hints is not None
    for word, told in (
        ("sampling.repair={turn: 1}", r"unknown key 'sampling.repair.turn'.*turns"),
        ("sampling.repair={turns: 0}", "sampling.repair.turns: .*greater than or equal to 1"),
        ("sampling.reference_hints={after_iterations: -1}", "after_iterations: .*greater than or equal to 0"),
    ):
        with pytest.raises(UserError, match=told):
            load_config(None, parse_overrides([word]), base)


def test_waves_follow_each_other_with_names_and_temperatures() -> None:
    config = configured({"waves": [2, 2], "temperatures": [0.5, 0.7], "repair": {"turns": 2, "temperature": 0.3},
                         "reference_hints": {}})  # fmt: skip
    assert [name_of(config, wave) for wave in range(waves_of(config))] == [
        "wave 1", "wave 2", "repair turn 1", "repair turn 2", "reference hints",
    ]  # fmt: skip
    attempts = [failed(code, problem_id=pid) for pid in IDS for code in ("df", "df.head(0)")]
    plans = [plan_wave(PROBLEMS, IDS, attempts, config, tag="t", wave=w, iteration=2)[0] for w in range(1, 5)]
    assert [{b.temperature for b in plan} for plan in plans] == [{0.7}, {0.3}, {0.3}, {0.7}]
    assert [{b.shown.turn for b in plan} for plan in plans] == [{0}, {1}, {2}, {0}]
    assert len({b.seed for plan in plans for b in plan}) == sum(map(len, plans))
    shorter = configured({"waves": [2], "repair": {}})
    assert waves_of(shorter) == 3


@pytest.mark.parametrize(("iteration", "after", "waves"), [(1, 0, 1), (1, 1, 0), (2, 1, 1), (2, 2, 0), (3, 2, 1)])
def test_hints_come_only_after_whole_iterations_without_success(iteration: int, after: int, waves: int) -> None:
    config = configured({"waves": [1], "reference_hints": {"samples": 3, "after_iterations": after}})
    solved_now = [failed("right", Outcome.PASSED, None)]
    plan, _ = plan_wave(PROBLEMS, IDS, solved_now, config, tag="t", wave=1, iteration=iteration)
    members = {pid for batch in plan for pid in batch.problem_ids}
    assert members == (set(IDS[1:]) if waves else set())
    assert all(batch.num_samples == 3 for batch in plan)


def test_with_several_targets_a_hint_is_in_none_of_their_languages() -> None:
    config = configured({"waves": [1], "reference_hints": {}}, other_targets=["duckdb_sql"])
    both = [for_target(problem, target) for problem in PROBLEMS.values() for target in config.targets]
    problems = {problem.problem_id: without_references(problem, config) for problem in both}
    plan, _ = plan_wave(problems, list(problems), [], config, tag="t", wave=1, iteration=2)
    hints = {pid: batch.shown.hints[pid] for batch in plan for pid in batch.problem_ids}
    assert hints.keys() == problems.keys()
    assert not {hint.language for hint in hints.values()} & {"polars", "duckdb"}
    left = {pid: replace(problem, references={}) for pid, problem in problems.items()}
    assert plan_wave(left, list(left), [], config, tag="t", wave=1, iteration=2) == ([], set())


def test_every_prompt_digest_is_that_of_the_prompt_and_says_what_was_shown(tmp_path: Path) -> None:
    config = configured(BOTH)
    codes = ["df.head(0)", "df.nonsense()"]
    found, prompts = iterate(tmp_path, PROBLEMS, config, codes, iteration=2)
    for c in found:
        prompt = prompts[f"iteration 2 wave {c.wave}", c.problem_id]
        assert c.prompt_digest == digest(prompt)
        assert (c.turn, c.hinted) == {0: (0, False), 1: (1, False), 2: (2, False), 3: (0, True)}[c.wave]
        assert ("tried:" in prompt) == (c.turn > 0)
    assert len(found) == len(IDS) * (2 + 1 + 1 + 1)
    for pid in IDS:
        first, second = (prompts[f"iteration 2 wave {wave}", pid] for wave in (1, 2))
        assert first.startswith("tried: df.head(0)\nWRONG_ANSWER: ")
        assert second.startswith("tried: df.nonsense()\nRUNTIME_ERROR: ") and "nonsense" in second.splitlines()[1]
        assert PROBLEMS[pid].references["polars"] not in prompts["iteration 2 wave 3", pid]
    assert solved_by(found) == {"first attempt": 0, "repair turn 1": 0, "repair turn 2": 0, "hint": 0}


@pytest.mark.parametrize("sampling", [BOTH, {**BOTH, "adaptive": {"samples_per_problem": 8, "first_wave": 2, "step": 2,
                                                                  "per_problem": 4}}])  # fmt: skip
def test_a_recording_cut_anywhere_is_planned_the_same_again(tmp_path: Path, sampling: dict[str, Any]) -> None:
    """With adaptive sampling waves are left out before the repair turns, as no problem may get more samples."""
    config = configured(sampling)
    found, _ = iterate(tmp_path, PROBLEMS, config, [wrong_code(PROBLEMS[FIRST], "polars"), "df.nope()"], iteration=2)
    assert {c.turn for c in found} == {0, 1, 2} and any(c.hinted for c in found)
    ends = [0] + [
        i + 1 for i, c in enumerate(found)
        if i + 1 == len(found) or (found[i + 1].wave, found[i + 1].batch) != (c.wave, c.batch)
    ]  # fmt: skip
    for cut in range(len(found) + 1):
        kept = keep_complete(PROBLEMS, IDS, found[:cut], config, "iteration 2", 2)
        assert kept == found[: max(end for end in ends if end <= cut)]
        for wave in range(waves_of(config)):
            if wave > max((c.wave for c in kept), default=0):
                break
            whole, _ = plan_wave(PROBLEMS, IDS, found, config, tag="iteration 2", wave=wave, iteration=2)
            again, _ = plan_wave(PROBLEMS, IDS, kept, config, tag="iteration 2", wave=wave, iteration=2)
            assert whole == again


def test_an_adaptive_wave_says_what_more_samples_would_bring() -> None:
    adaptive = {"samples_per_problem": 64, "first_wave": 4}
    config = configured({"adaptive": adaptive})
    passes = [failed(f"right {i}", Outcome.PASSED, None, problem_id=pid) for i, pid in enumerate(IDS[:4])]
    misses = [failed(f"wrong {i}", problem_id=pid) for i, pid in enumerate(IDS * 10)]
    said = outlook(PROBLEMS, IDS, [*passes, *misses], config, 0)
    assert said.startswith("after wave 1: 1,000 further samples where they pay best are expected to solve ")
    assert "stopped" not in said
    stopping = configured({"adaptive": {**adaptive, "stop_below": 900.0}})
    assert outlook(PROBLEMS, IDS, misses, stopping, 0).endswith("stopped, as sampling.adaptive.stop_below is 900")
    spent = configured({"adaptive": {**adaptive, "per_problem": 10}})
    assert outlook(PROBLEMS, IDS, misses, spent, 0).endswith("as the budget is spent or no problem may get more")
    assert outlook(PROBLEMS, IDS, misses, configured({"waves": [4]}), 0) == ""
