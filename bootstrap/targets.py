"""The target languages of a run: one as a rule, or several that one model learns side by side.

With several, a problem is there once for each of them, under an id that ends in @ and the interpreter's name; its
family stays the same, so that all of them are in one part of the split.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from bootstrap.config import RunConfig
from bootstrap.records import Hint, Problem
from bootstrap.run_store import RunStore
from interpreters import load_interpreter

MARK = "@"


@functools.cache
def language_named(target: str) -> str:
    """Return the language of an interpreter. Raises InterpreterUnavailable for a name that is not known."""
    return load_interpreter(target).language


def languages_of(config: RunConfig) -> dict[str, str]:
    """Return target -> its language, in the order of the configuration."""
    return {target: language_named(target) for target in config.targets}


def target_of(problem: Problem, config: RunConfig) -> str:
    return problem.target or config.target


def language_of(problem: Problem, config: RunConfig) -> str:
    """Return the language in which a problem is to be solved."""
    return language_named(target_of(problem, config))


def for_target(problem: Problem, target: str) -> Problem:
    """Return the problem as one that is to be solved for this interpreter."""
    return replace(problem, problem_id=f"{problem.problem_id}{MARK}{target}", target=target)


def origin_of(problem: Problem) -> str:
    """Return what the same problem has in common over all targets."""
    return problem.problem_id.removesuffix(f"{MARK}{problem.target}") if problem.target else problem.problem_id


def seeds_wanted(config: RunConfig) -> dict[str, int]:
    """Return target -> its share of `split.seeds`."""
    share, rest = divmod(config.split.seeds, len(config.targets))
    return {target: share + (i < rest) for i, target in enumerate(config.targets)}


def conversion_folder(store: RunStore, config: RunConfig, target: str) -> Path:
    """Return where a teacher's conversion to one target is kept."""
    return store.conversion / target if config.other_targets else store.conversion


def hints_for(problems: Mapping[str, Problem], solved: Mapping[str, str]) -> dict[str, Hint]:
    """Return problem_id -> hint, for the problems whose sibling in another target language is solved.

    `solved`: problem_id -> code. Of several solutions the shortest is shown, then the first by language.
    """
    by_origin: dict[str, list[tuple[int, str, str]]] = {}
    for problem_id, code in solved.items():
        problem = problems[problem_id]
        by_origin.setdefault(origin_of(problem), []).append((len(code), language_named(problem.target), code))
    found = {}
    for problem_id, problem in problems.items():
        others = _in_other_languages(problem, by_origin.get(origin_of(problem), ()))
        if others:
            _, language, code = min(others)
            found[problem_id] = Hint(language, code)
    return found


def _in_other_languages(problem: Problem, solutions: Iterable[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    own = language_named(problem.target)
    return [solution for solution in solutions if solution[1] != own]
