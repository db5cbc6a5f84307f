"""Mutants of q code, by its tokens: the mistakes that people make in it, one at a time.

The rules stand in q_rules.py (one token for another) and q_shapes.py (operands, arguments, branches). What a rule
proposes counts only where the parser of the q subset takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bootstrap.audit.mutants import Columns, Edit, UnmutableError
from bootstrap.audit.q_rules import TOKEN_RULES
from bootstrap.audit.q_shapes import SHAPE_RULES
from bootstrap.audit.q_text import Change, Statement
from interpreters.q_subset import QError, Unsupported
from interpreters.q_subset.lexer import tokens_of
from interpreters.q_subset.parser import parse
from interpreters.q_subset.workspace import statements


def edits(code: str, language: str, columns: Columns, ordered: bool) -> Iterator[Edit]:
    """Yield every change that is q. `ordered`: see Statement.sorts_count."""
    texts = _statements(code, language)
    for number, text in enumerate(texts):
        statement = Statement.of(text, tokens_of(text), columns, ordered=ordered or _keeps_order(code, columns))
        for index in range(len(statement.tokens)):
            for rule in (*TOKEN_RULES, *SHAPE_RULES):
                for change in rule(statement, index):
                    if _is_q(change.applied(text)):
                        yield Edit(change.operator, change.detail(text), _maker(texts, number, change))


def rewritten(code: str, language: str) -> str:
    return _whole(_statements(code, language))


def _statements(code: str, language: str) -> list[str]:
    texts = list(statements(code))
    for text in texts:
        if not _is_q(text):
            raise UnmutableError(f"it is no {language} code that the subset knows: {text.splitlines()[0][:80]}")
    return texts


def _is_q(text: str) -> bool:
    try:
        tokens_of(text)
        parse(text)
    except (QError, Unsupported, RecursionError):
        return False
    return True


def _whole(texts: list[str]) -> str:
    return "\n".join(texts) + "\n"


def _maker(texts: list[str], number: int, change: Change) -> Callable[[], str]:
    return lambda: _whole([*texts[:number], change.applied(texts[number]), *texts[number + 1 :]])


def _keeps_order(code: str, columns: Columns) -> bool:
    """Say whether the order of what is sorted shows: in a function always, for a table where a part of it is taken."""
    is_function = any(code.startswith(f"{name}:") for name in columns)
    return is_function or any(word in code for word in ("#", "first", "last", "sublist", "sums", "prev", "next"))
