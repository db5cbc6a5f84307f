"""What the rules of q mutants share: a statement with its tokens, and changes of pieces of its text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bootstrap.audit.mutants import ColumnFacts, Columns
from interpreters.q_subset.keywords import BUILTINS
from interpreters.q_subset.lexer import Token
from interpreters.q_subset.values import Atom
from interpreters.q_subset.words import CONTROL, INFIX, QUERIES

_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True)
class Change:
    """The piece of a statement from `start` to `end` becomes `new`."""

    operator: str
    start: int
    end: int
    new: str

    def applied(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]

    def detail(self, text: str) -> str:
        shown = " ".join(text[self.start : self.end].split())
        return f"{shown or 'nothing'} -> {' '.join(self.new.split()) or 'nothing'}"


@dataclass(frozen=True)
class Statement:
    """`variables`: names that it gives a value to, parameters included. `columns`: of all input tables. `sorts_count`:
    the direction of a sort can show in the result."""

    text: str
    tokens: Sequence[Token]
    variables: tuple[str, ...]
    columns: dict[str, ColumnFacts]
    sorts_count: bool

    @classmethod
    def of(cls, text: str, tokens: Sequence[Token], columns: Columns, *, ordered: bool) -> Statement:
        known = {name: facts for table in columns.values() for name, facts in table.items()}
        return cls(text, tokens, tuple(_variables(tokens)), known, ordered)

    def token(self, index: int) -> Token | None:
        return self.tokens[index] if 0 <= index < len(self.tokens) else None

    def kind(self, index: int) -> str:
        token = self.token(index)
        return token.kind if token else ""

    def word(self, index: int) -> str:
        """Return the text of a token, "" outside the statement."""
        token = self.token(index)
        return token.text if token else ""

    def is_infix(self, index: int) -> bool:
        """Say whether a token stands between two operands: an operator or word without iterator, a noun before it."""
        token = self.token(index)
        if token is None or self.kind(index + 1) in ("adverb", "[", "") or not self.ends_noun(index - 1):
            return False
        return token.kind == "op" or (token.kind == "name" and token.text in INFIX)

    def ends_noun(self, index: int) -> bool:
        """Say whether a noun ends here: not with a closing brace, whose function is mostly applied, nor parameters."""
        token = self.token(index)
        if token is None:
            return False
        if token.kind == "]":
            opened = self.opening(index)
            return opened is not None and self.kind(opened - 1) != "{"
        if token.kind == "name":
            return token.text not in BUILTINS and token.text not in INFIX | CONTROL | QUERIES
        return token.kind in ("value", ")")

    def left_start(self, index: int) -> int | None:
        """Return the token with which the left operand of the infix at `index` begins; None where that is unclear."""
        at = index - 1
        while self.kind(at) == "]":
            opened = self.opening(at)
            if opened is None:
                return None
            at = opened - 1
        if self.kind(at) == ")":
            return self.opening(at)
        return at if self.kind(at) in ("name", "value") else None

    def opening(self, index: int) -> int | None:
        """Return the bracket that the one at `index` closes."""
        depth = 0
        for at in range(index, -1, -1):
            kind = self.kind(at)
            depth += (kind in _CLOSE) - (kind in _OPEN)
            if depth == 0:
                return at
        return None

    def right_end(self, index: int) -> int:
        """Return the last token of the operand that begins after `index`: it goes on to the end of its expression."""
        depth = 0
        for at in range(index + 1, len(self.tokens)):
            kind = self.kind(at)
            if depth == 0 and (kind in _CLOSE or kind == ";"):
                return at - 1
            depth += (kind in _OPEN) - (kind in _CLOSE)
        return len(self.tokens) - 1

    def parts(self, index: int) -> list[tuple[int, int]]:
        """Return the pieces of text between a bracket at `index`, the semicolons on its level, and its end."""
        found: list[tuple[int, int]] = []
        depth, start = 0, self.tokens[index].end
        for at in range(index, len(self.tokens)):
            kind = self.kind(at)
            depth += (kind in _OPEN) - (kind in _CLOSE)
            if (kind == ";" and depth == 1) or depth == 0:
                found.append((start, self.tokens[at].start))
                start = self.tokens[at].end
            if depth == 0:
                return found
        return []

    def piece(self, first: int, last: int) -> str:
        """Return the text from one token to another."""
        return self.text[self.tokens[first].start : self.tokens[last].end]

    def replaced(self, operator: str, index: int, new: str) -> Change:
        token = self.tokens[index]
        return Change(operator, token.start, token.end, new)

    def removed(self, operator: str, first: int, following: int) -> Change:
        """Return the removal of the tokens from `first` up to the one at `following`."""
        return Change(operator, self.tokens[first].start, self.tokens[following].start, "")


Rule = Callable[[Statement, int], Iterator[Change]]


def _variables(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the names in parameter lists and before a colon, each once."""
    seen: set[str] = set()
    in_parameters = False
    for at, token in enumerate(tokens):
        if token.kind == "[" and at and tokens[at - 1].kind == "{":
            in_parameters = True
        elif token.kind == "]":
            in_parameters = False
        assigned = at + 1 < len(tokens) and tokens[at + 1].text == ":" and at > 0
        if token.kind == "name" and (in_parameters or assigned) and token.text not in seen:
            seen.add(token.text)
            yield token.text


def is_number(token: Token) -> bool:
    """Say whether a token is one whole number."""
    return token.kind == "value" and isinstance(token.value, Atom) and token.value.t in (-5, -6, -7)
