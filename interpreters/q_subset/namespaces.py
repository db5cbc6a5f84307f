"""What is pure of .Q and .z, and the user's own namespaces."""

from __future__ import annotations

import base64
import string as ascii_text
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from interpreters.q_subset.errors import QError, Unsupported
from interpreters.q_subset.format import one_line
from interpreters.q_subset.temporal import days, year_month_day
from interpreters.q_subset.values import (
    BYTE,
    CHAR,
    DATE,
    SYMBOL,
    Atom,
    Dict,
    Prim,
    Vec,
    collect_rows,
    items,
    need_int,
    string,
    symbols,
)

if TYPE_CHECKING:
    from interpreters.q_subset.machine import Machine


def add_months(x: Any, y: Any) -> Any:
    """The same day of a later month; days past its end run on into the next."""
    if type(y) is Vec:
        return collect_rows([add_months(x, v) for v in items(y)])
    if type(x) is not Atom or x.t != -DATE:
        raise Unsupported(".Q.addmonths of what is no date")
    year, month, day = year_month_day(x.v)
    months = year * 12 + month - 1 + need_int(y)
    first = days(months // 12, months % 12 + 1, 1)
    if first is None:
        raise Unsupported("a date out of range")
    return Atom(-DATE, first + day - 1)


def one_line_text(x: Any) -> Vec:
    from interpreters.q_subset.application import SESSION

    return string(one_line(x, SESSION[0].precision))


def from_base64(x: Any) -> Vec:
    if type(x) is not Vec or x.t != CHAR:
        raise QError("type")
    try:
        return Vec(BYTE, list(base64.b64decode("".join(x.v), validate=True)))
    except ValueError as e:
        raise Unsupported("text that is not base64") from e


def to_base64(x: Any) -> Vec:
    if type(x) is not Vec or x.t not in (CHAR, BYTE):
        raise QError("type")
    raw = bytes(x.v) if x.t == BYTE else "".join(x.v).encode("latin-1")
    return string(base64.b64encode(raw).decode("ascii"))


def format_number(x: Any, y: Any) -> Any:
    """.Q.f[2;x]: text with a fixed number of decimals."""
    places = need_int(x)
    if type(y) is Vec:
        return collect_rows([format_number(x, v) for v in items(y)])
    if type(y) is not Atom or y.t not in (-9, -8, -7, -6) or y.v != y.v or abs(y.v) > 1e15:
        raise Unsupported(".Q.f of this")
    return string(f"{float(y.v):.{places}f}")


def _function(name: str, calls: dict[int, Callable[..., Any]]) -> Prim:
    return Prim(name, calls, 100)


_LETTERS = ascii_text.ascii_lowercase
_TYPES = " bg xhijefcspmdznuvts"
PURE: dict[str, Any] = {
    ".Q.a": string(_LETTERS),
    ".Q.A": string(_LETTERS.upper()),
    ".Q.n": string("0123456789"),
    ".Q.nA": string("0123456789" + _LETTERS.upper()),
    ".Q.an": string(_LETTERS + _LETTERS.upper() + "_0123456789"),
    ".Q.aA": string(_LETTERS + _LETTERS.upper()),
    ".Q.b6": string(_LETTERS.upper() + _LETTERS + "0123456789+/"),
    ".Q.t": string(_TYPES),
    ".Q.addmonths": _function(".Q.addmonths", {2: add_months}),
    ".Q.s1": _function(".Q.s1", {1: one_line_text}),
    ".Q.atob": _function(".Q.atob", {1: from_base64}),
    ".Q.btoa": _function(".Q.btoa", {1: to_base64}),
    ".Q.f": _function(".Q.f", {2: format_number}),
}


def namespace_value(machine: Machine, name: str) -> Any:
    """Return a pure member of .Q, or a user's namespace as a dictionary."""
    if name in PURE:
        return PURE[name]
    if name == ".Q.s":
        from interpreters.q_subset.format import console

        return _function(name, {1: lambda x: string(console(x, machine.precision) + "\n")})
    if name.startswith((".Q", ".z", ".h", ".j", ".q", ".m")) and name[2:3] in ("", "."):
        if name.startswith(".j."):
            from interpreters.q_subset.json_text import JSON

            if name in JSON:
                return JSON[name]
        raise Unsupported(name)
    members = namespace(machine, name)
    if members is None:
        raise QError(name)
    return members


def namespace(machine: Machine, name: str) -> Dict | None:
    """Return a namespace with its leading empty entry, None where there is none."""
    prefix = name + "."
    found: dict[str, Any] = {}
    for known in machine.globals:
        if known.startswith(prefix):
            found.setdefault(known[len(prefix) :].split(".")[0], None)
    if not found:
        return None
    from interpreters.q_subset.values import NULL

    values = [machine.look_up(prefix + member) for member in found]
    return Dict(symbols(["", *found]), Vec(0, [NULL, *values]))


def key_of(machine: Machine, x: Any) -> Any:
    """key x: of dictionaries and tables, of a vector its type, of a number til, of a name what it names."""
    from interpreters.q_subset.lists import til
    from interpreters.q_subset.values import TYPE_NAMES, is_keyed

    if type(x) is Dict:
        return x.keys
    if type(x) is Vec and x.t:
        return Atom(-SYMBOL, TYPE_NAMES[x.t])
    if type(x) is Atom and -x.t in (5, 6, 7):
        return til(x)
    if type(x) is not Atom or x.t != -SYMBOL:
        raise Unsupported("key of this")
    name = x.v[2:] if x.v.startswith("..") else x.v
    if machine.context and not x.v.startswith("."):
        name = f"{machine.context}.{name}"
    if name in ("", ".") or ":" in name:
        raise Unsupported("key of a namespace list or file")
    if name in machine.globals:
        value = machine.look_up(name)
        return value.keys if is_keyed(value) or type(value) is Dict else x
    if name.startswith("."):
        found = namespace(machine, name)
        return found.keys if found is not None else Vec(0, [])
    return Vec(0, [])
