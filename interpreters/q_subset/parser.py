"""Parses q: a statement is a row of terms, bound from the right; nouns and verbs decide how."""

from __future__ import annotations

from typing import Any

from interpreters.q_subset import syntax as s
from interpreters.q_subset.errors import QError, Unsupported
from interpreters.q_subset.lexer import Token, tokens_of
from interpreters.q_subset.values import HOLE, Lambda
from interpreters.q_subset.words import CONTROL, INFIX, MAX_NESTING, QUERIES

_CLOSERS = frozenset(")]};")
_NO_RETURN = frozenset({"[", ")", "]", ";", "adverb"})  # after these a colon is the function, not a return


class Scope:
    """What a lambda's body uses: assigned names become locals, x y z become parameters."""

    def __init__(self) -> None:
        self.assigned: list[str] = []  # one entry for each assignment
        self.used: set[str] = set()


class Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokens_of(source)
        self.at = 0
        self.scopes: list[Scope] = []
        self.in_query = False
        self.stops: frozenset[str] = frozenset()
        self.nesting = 0

    # -- tokens ---------------------------------------------------------------------------------------------------

    def peek(self, ahead: int = 0) -> Token | None:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else None

    def kind(self, ahead: int = 0) -> str:
        token = self.peek(ahead)
        return token.kind if token else ""

    def next(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def expect(self, kind: str) -> Token:
        if self.kind() != kind:
            raise QError(kind)
        return self.next()

    def at_end(self) -> bool:
        token = self.peek()
        if token is None or token.kind in _CLOSERS:
            return True
        if token.kind == "name":
            return token.text in self.stops
        return self.in_query and token.kind == "op" and token.text == ","

    # -- statements -----------------------------------------------------------------------------------------------

    def program(self) -> list[Any]:
        """Return the statements of the source. One before a semicolon is Silent."""
        found: list[Any] = []
        while True:
            node = self.expression()
            if self.kind() == ";":
                self.next()
                if node is not None:
                    found.append(s.Silent(node))
            elif self.peek() is None:
                return found if node is None else [*found, node]
            else:
                raise QError(self.next().text)

    def block(self, closer: str) -> list[Any]:
        """Return expressions up to the closing bracket, None for each that is elided."""
        query, stops = self.in_query, self.stops
        self.in_query, self.stops = False, frozenset()
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise QError("limit")
        found = [self.expression()]
        while self.kind() == ";":
            self.next()
            found.append(self.expression())
        self.expect(closer)
        self.nesting -= 1
        self.in_query, self.stops = query, stops
        return found

    def expression(self) -> Any:
        """Return the node up to the next closer, None where there is nothing."""
        row: list[tuple[str, Any]] = []
        while not self.at_end():
            token = self.peek()
            assert token is not None
            if self._assignment(row, token):
                continue
            if token.kind == "op" and token.text == ":" and not row and self.kind(1) not in _NO_RETURN:
                self.next()
                row.append(("return", None))
            elif self._is_signal(row, token):
                self.next()
                row.append(("signal", None))
            elif token.kind == "[" and not row:
                self.next()
                row.append(("noun", s.Block(self.block("]"))))
            else:
                row.append(self.term())
        return fold(row)

    def _is_signal(self, row: list[tuple[str, Any]], token: Token) -> bool:
        return (
            token.kind == "adverb"
            and token.text == "'"
            and (not row or row[-1][0] != "noun")
            and self.kind(1) not in ("[", ")")
        )

    def _assignment(self, row: list[tuple[str, Any]], token: Token) -> bool:
        if not row or row[-1][0] != "noun" or token.kind != "op":
            return False
        target = row[-1][1]
        index = None
        if isinstance(target, s.Apply):
            target, index = target.fn, target.args
        following = self.peek(1)
        compound = following is not None and following.kind == "op" and following.text == ":" and not following.spaced
        if token.text not in (":", "::") and not compound:
            return False
        if not isinstance(target, s.Name):
            if token.text == "::" or compound:
                return False
            raise Unsupported("assignment to a pattern")
        self.next()
        op: Any = None
        if token.text not in (":", "::"):
            self.next()
            op = s.Name(token.text)
        elif token.text == "::" and index is None and self.at_end():
            raise Unsupported("x::")
        is_global = token.text == "::"
        if self.scopes and not is_global and op is None and index is None:
            self.scopes[-1].assigned.append(target.name)
        row[-1] = ("assign", s.Assign(target.name, index, op, is_global, None, self.source[token.end :]))
        return True

    # -- terms ----------------------------------------------------------------------------------------------------

    def term(self) -> tuple[str, Any]:
        """Return ("noun" or "verb", node) of one operand or function with its brackets and iterators."""
        kind, node = self._primary()
        while True:
            token = self.peek()
            if token is None:
                return kind, node
            if token.kind == "[":
                self.next()
                args = self.block("]")
                kind, node = "noun", self._bracketed(node, args)
            elif token.kind == "adverb":
                self.next()
                kind, node = "verb", s.Iterate(token.text, node)
            else:
                return kind, node

    def _bracketed(self, node: Any, args: list[Any]) -> Any:
        if isinstance(node, s.Name) and node.name == "$" and len(args) >= 3:
            return s.Cond(args)
        return s.Apply(node, args)

    def _primary(self) -> tuple[str, Any]:
        token = self.next()
        if token.kind == "value":
            return "noun", s.Literal(token.value)
        if token.kind == "name":
            return self._word(token)
        if token.kind == "(":
            return "noun", self._parenthesis()
        if token.kind == "{":
            return "noun", self._lambda(token)
        if token.kind == "op":
            following = self.peek()
            if following and following.kind == "op" and following.text in (":", "::") and not following.spaced:
                if following.text == "::" or token.text in (":", "::"):
                    raise Unsupported(f"{token.text}{following.text}")
                self.next()
                return "noun" if self.kind() == "[" else "verb", s.Name(token.text + ":")
            if token.text == "::":
                return "noun", s.Name("::")
            return "verb", s.Name(token.text)
        if token.kind == "adverb" and self.kind() in ("[", ";", ")"):
            return "noun", s.Name(token.text)
        if token.kind == "adverb":
            raise Unsupported(f"the iterator {token.text} without a function")
        if token.kind == "[":
            raise Unsupported("an expression block")
        raise QError(token.text)

    def _word(self, token: Token) -> tuple[str, Any]:
        word = token.text
        if word in QUERIES:
            from interpreters.q_subset.query_parser import parse_query

            return "noun", parse_query(self, word)
        if word in CONTROL and self.kind() == "[":
            self.next()
            return "noun", s.Control(word, self.block("]"))
        if self.scopes:
            self.scopes[-1].used.add(word)
        return ("verb" if word in INFIX else "noun"), s.Name(word)

    def _parenthesis(self) -> Any:
        if self.kind() == "[":
            return self._table()
        if self.kind() == ")":
            self.next()
            return s.ListOf([])
        items = self.block(")")
        if len(items) == 1:
            if items[0] is None:
                raise QError(")")
            return Paren(items[0])
        return s.ListOf([s.Literal(HOLE) if item is None else item for item in items])

    def _table(self) -> Any:
        self.next()
        keys = [] if self.kind() == "]" else self._columns("]")
        if not keys:
            self.expect("]")
        if self.kind() == ")":
            self.next()
            return s.TableOf(keys, [], False, True)
        if self.kind() == ";":
            self.next()
        return s.TableOf(keys, self._columns(")"), bool(keys), False)

    def _columns(self, closer: str) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        for i, node in enumerate(self.block(closer)):
            if isinstance(node, s.Assign) and node.index is None and node.op is None:
                if self.scopes:
                    self.scopes[-1].assigned.remove(node.name)
                found.append((node.name, node.value))
            elif node is None:
                raise QError(closer)
            else:
                found.append((column_name(node) or ("x" if i == 0 else f"x{i}"), node))
        return found

    def _lambda(self, opened: Token) -> Any:
        scope = Scope()
        self.scopes.append(scope)
        params: list[str] | None = None
        if self.kind() == "[":
            self.next()
            params = []
            while self.kind() != "]":
                token = self.next() if self.peek() else self.expect("]")
                if token.kind == "name":
                    params.append(token.text)
                elif token.kind != ";":
                    raise Unsupported("a pattern as parameter")
            self.next()
            if self.kind() == ";":
                self.next()
        body = self.block("}")
        self.scopes.pop()
        if params is None:
            params = next((list("xyz"[: i + 1]) for i in (2, 1, 0) if "xyz"[i] in scope.used), ["x"])
        if len(params) > 8:
            raise QError("params")
        text = self.source[opened.start : self.tokens[self.at - 1].end]
        names = frozenset([*scope.assigned, *params])
        return s.Literal(Lambda(params, names, body, text))


class Paren:
    """Marks an expression in parentheses: a verb in them is a noun, an assignment in them is shown."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def column_name(node: Any) -> str | None:
    """Return the name that q gives an unnamed column, None for its default x. Raises Unsupported where in doubt."""
    names = list(dict.fromkeys(_names(node)))
    if len(names) > 1:
        raise Unsupported(f"an unnamed column made of {' and '.join(names)}")
    if not names or names[0] == "i":
        return None
    return names[0].rsplit(".", 1)[-1]


def _names(node: Any) -> list[str]:
    if isinstance(node, s.Name):
        from interpreters.q_subset.keywords import BUILTINS

        return [] if node.name in BUILTINS else [node.name]
    if isinstance(node, Paren):
        return _names(node.value)
    if isinstance(node, s.Apply):
        return [name for part in [node.fn, *node.args] if part is not None for name in _names(part)]
    if isinstance(node, s.Iterate):
        return _names(node.fn)
    if isinstance(node, s.ListOf):
        return [name for part in node.items for name in _names(part)]
    return [] if isinstance(node, s.Literal) else refuse_column(node)


def refuse_column(node: Any) -> list[str]:
    raise Unsupported(f"an unnamed column made by {type(node).__name__}")


def fold(row: list[tuple[str, Any]]) -> Any:
    """Bind a row of terms from the right."""
    result: Any = None
    i = len(row) - 1
    train = False  # a verb without right argument makes what stands before it a composition: (neg abs@)
    while i >= 0:
        kind, node = row[i]
        i -= 1
        if kind == "noun":
            result = node if result is None else _applied(node, [result], train)
        elif kind == "verb":
            if i >= 0 and row[i][0] == "noun":
                train = train or result is None
                result = _applied(node, [row[i][1], result], train and result is not None)
                i -= 1
            elif result is None:
                result = node
            else:
                raise Unsupported("an operator or iterator without a left argument")
        elif kind == "assign":
            node.value = result if result is not None else refuse_empty()
            result, train = node, False
        elif kind == "return":
            result = s.Return(result)
        else:
            result = s.Signal(result if result is not None else refuse_empty())
    return result


def _applied(fn: Any, args: list[Any], train: bool) -> Any:
    if not train:
        return s.Apply(fn, args)
    left = fn if len(args) == 1 else s.Apply(fn, [args[0], None])
    return s.Apply(s.Name("'"), [left, args[-1]])


def refuse_empty() -> Any:
    raise QError("assign")


def parse(source: str) -> list[Any]:
    return Parser(source).program()
