"""The q script that runs one candidate on one test; q_answers.py reads what it answers.

The script defines the inputs, says that it begins, evaluates the candidate's statements one by one from strings, so
that an error of any of them is trapped, and prints one line: a mark and the answer as JSON. Each value in it carries
its q type ("t"), so that the parent makes of it the same value of q_subset as q_subset itself would have made, and one
place (q_values.py) says what that is outside q. Text crosses as the hexadecimal digits of its bytes, numbers as q
writes them in full, dates and times as the numbers behind them.

The mark is a random word for each run. It tells the answer from what the candidate prints by accident; a candidate can
read it (the script is an open file of its process) and print an answer of its own. That is no gain: it may answer
what it likes, and what is expected is not there. A candidate may also redefine the functions below, or what they are
made of, with the same effect.

It uses only forms that all versions of q share, and that q_subset knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from interpreters.base import Table
from interpreters.q_atoms import chars_of
from interpreters.q_subset.workspace import statements
from interpreters.q_values import is_call, q_literal, q_table
from interpreters.wire import WireError

# What a value is in JSON: {"t": its type, "v": ...}. Enumerations (20 to 76) are sent as the symbols that they stand
# for; what is no data has a null.
_ENCODER = r"""
.judge.quote:{"\"",x,"\""}
.judge.hex:{.judge.quote raze string "x"$x}
.judge.list:{$[count x; "[",("," sv x),"]"; "[]"]}
.judge.form:{[t;v] "{\"t\":",(string t),",\"v\":",v,"}"}
.judge.plain:{$[0h>type x; .judge.quote string x; .judge.list {.judge.quote string x} each x]}
.judge.code:{[x]
  t:type x;
  a:abs t;
  $[t=0h; .judge.form[t; .judge.list .judge.code each x];
    t=98h; .judge.form[t; .judge.list (.judge.code cols x; .judge.list .judge.code each value flip x)];
    t=99h; .judge.form[t; .judge.list (.judge.code key x; .judge.code value x)];
    a=10h; .judge.form[t; .judge.hex x];
    t=-11h; .judge.form[t; .judge.hex string x];
    t=11h; .judge.form[t; .judge.list {.judge.hex string x} each x];
    a within 1 9h; .judge.form[t; .judge.plain x];
    a=15h; .judge.form[t; .judge.plain "f"$x];
    a within 12 19h; .judge.form[t; .judge.plain "j"$x];
    a within 20 76h; .judge.code value x;
    .judge.form[t; "null"]]}
.judge.said:{[kind;text] "{\"",kind,"\":",text,"}"}
.judge.fault:{[kind;e] .judge.said[kind; .judge.hex $[10h=abs type e; e; string e]]}
.judge.try:{[f;x] @[{(1b;x y)}[f]; x; {(0b;x)}]}
.judge.compiles:{$["\\"=first x; 1b; first .judge.try[value; "{",x,"\n }"]]}
.judge.step:{[r;s]
  if[not r 0; :r];
  n:.judge.try[value; s];
  $[not n 0; (0b; n 1; $[.judge.compiles s; "error"; "syntax"]); (::)~n 1; r; n]}
.judge.function:{$[(type x) within 100 112h; not (::)~x; 0b]}
.judge.defines:{[name] f:.judge.try[value; name]; $[f 0; .judge.function f 1; 0b]}
.judge.call:{[name;args] .judge.try[{(value x 0) . x 1}; (name; args)]}
.judge.tell:{[kind;r]
  if[not r 0; :.judge.fault[$[2<count r; r 2; "error"]; r 1]];
  n:.judge.try[.judge.code; r 1];
  $[n 0; .judge.said[kind; n 1]; .judge.fault["error"; n 1]]}
"""

# After the candidate: back in the root namespace, all digits of floats, whatever it has set.
_AFTER = "\\d .\n\\P 0"

# -- the script -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Driver:
    """One script, the line with which it begins, and what its answer's line starts with."""

    text: str
    begin: bytes
    mark: bytes


def script_of(nonce: str, before: Sequence[str], after: Sequence[str], answer: str) -> Driver:
    """Return a script: what is ours, the beginning, what is not, and the answer, which is an expression."""
    lines = [
        *before, _ENCODER.strip(), f'-1 "begin {nonce}";', *after, f'-1 "\\nanswer {nonce} ",{answer};', "exit 0", ""
    ]  # fmt: skip
    return Driver("\n".join(lines), f"begin {nonce}".encode(), f"answer {nonce} ".encode())


def driver_of(code: str, tables: Mapping[str, Table], nonce: str) -> Driver:
    """Return the script that runs `code` on these inputs. Raises WireError where q cannot hold them."""
    bound, entry, arguments = _inputs(tables)
    before = [
        *bound,
        ".judge.arguments:()",
        *(f".judge.arguments:.judge.arguments,enlist {text}" for text in arguments or ["(::)"]),
    ]
    name = q_literal(entry)
    after = [
        f".judge.statements:{_cut([_without_end(text) for text in statements(code)])}",
        ".judge.result:.judge.step/[(1b;(::)); .judge.statements]", _AFTER, '.judge.kind:"last"',
    ]  # fmt: skip
    if entry:
        call = f'.judge.result:.judge.call[{name}; .judge.arguments]; .judge.kind:"called"'
        after.append(f"if[.judge.result 0; if[.judge.defines {name}; {call}]]")
    return script_of(nonce, before, after, ".judge.tell[.judge.kind; .judge.result]")


def _without_end(statement: str) -> str:
    """Return a statement without the semicolon after it, which would hide its value."""
    return statement.rstrip().rstrip(";") or ";"


def _cut(texts: Sequence[str]) -> str:
    """Return an expression of a list of texts with few constants in it, for q has a limit on those."""
    if not texts:
        return "()"
    starts = accumulate(map(len, map(chars_of, texts[:-1])), initial=0)
    return f"((),{' '.join(map(str, starts))}) cut (),{q_literal(''.join(texts))}"


def _inputs(tables: Mapping[str, Table]) -> tuple[list[str], str, list[str]]:
    """Return the lines that bind the tables, and for what may be a call the function's name and arguments: the same
    choice as runners/q_subset_runner.py makes."""
    if not is_call(tables):
        return [f"{name}:{q_table(table)}" for name, table in tables.items()], "", []
    [(entry, table)] = tables.items()
    try:
        arguments = [q_literal(value) for value in table.rows[0]]
    except WireError:
        return [f"{entry}:{q_table(table)}"], "", []
    try:
        return [f"{entry}:{q_table(table)}"], entry, arguments
    except WireError:
        return [], entry, arguments
