"""Parses select, exec, update and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interpreters.q_subset import syntax as s
from interpreters.q_subset.errors import QError, Unsupported

if TYPE_CHECKING:
    from interpreters.q_subset.parser import Parser


def parse_query(parser: Parser, verb: str) -> s.Query:
    query, stops = parser.in_query, parser.stops
    limit, distinct = _limit(parser, verb)
    parser.in_query, parser.stops = True, frozenset({"by", "from"})
    columns = _phrases(parser)
    by = None
    if _skip(parser, "by"):
        parser.stops = frozenset({"from"})
        by = _phrases(parser)
    if not _skip(parser, "from"):
        raise QError("from")
    parser.in_query, parser.stops = query, stops | {"where"}
    source = parser.expression()
    where: list[Any] = []
    if _skip(parser, "where"):
        parser.in_query, parser.stops = True, stops
        where = [node for _, node in _phrases(parser)]
    parser.in_query, parser.stops = query, stops
    if source is None:
        raise QError("from")
    return s.Query(verb, limit, distinct, columns, by, source, where)


def _limit(parser: Parser, verb: str) -> tuple[list[Any] | None, bool]:
    limit = None
    if parser.kind() == "[":
        parser.next()
        limit = _ordered_limit(parser) or parser.block("]")
        if verb != "select":
            raise Unsupported(f"{verb}[...]")
    token = parser.peek()
    distinct = verb == "select" and token is not None and token.text == "distinct"
    if distinct:
        parser.next()
    return limit, distinct


def _ordered_limit(parser: Parser) -> list[Any] | None:
    """Read `n;>column]` or `>column]`, None for a plain limit."""
    at = parser.at
    count = None
    token, following = parser.peek(), parser.peek(1)
    if token and token.kind == "value" and following and following.kind == ";":
        count = s.Literal(token.value)
        parser.at += 2
    token, name = parser.peek(), parser.peek(1)
    if token and token.kind == "op" and token.text in "<>" and name and name.kind == "name" and parser.kind(2) == "]":
        parser.at += 3
        return [count, token.text, name.text]
    parser.at = at
    return None


def _skip(parser: Parser, word: str) -> bool:
    token = parser.peek()
    if token is None or token.kind != "name" or token.text != word:
        return False
    parser.next()
    return True


def _phrases(parser: Parser) -> list[tuple[str, Any]]:
    """Return (name, node) of each phrase between commas. A name that q would make up is ''."""
    found: list[tuple[str, Any]] = []
    if parser.at_end() and not _at_comma(parser):
        return found
    while True:
        node = parser.expression()
        if isinstance(node, s.Assign) and node.op is None and node.index is None and not node.is_global:
            if parser.scopes:
                parser.scopes[-1].assigned.remove(node.name)
            found.append((node.name, node.value))
        elif node is None:
            raise QError(",")
        else:
            found.append(("", node))
        if not _at_comma(parser):
            return found
        parser.next()


def _at_comma(parser: Parser) -> bool:
    token = parser.peek()
    return token is not None and token.kind == "op" and token.text == ","
