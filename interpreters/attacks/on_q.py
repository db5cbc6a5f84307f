"""Attacks in q: on files, programs and sockets by its own words, on its limits, and on what reads the script.

q cannot say what Python can, so these rows are all that there are for it. `@@` is one `@`.
"""

from __future__ import annotations

from interpreters.attacks.effects import (
    KEPT,
    Attack,
    Effect,
    carried_out,
    kept,
    listened,
    nothing_special,
    other_rows,
    ran_program,
    read_passwd,
    took_memory,
)

_ROW = 55


def _q(name: str, code: str | tuple[str, ...], succeeded: Effect = nothing_special) -> Attack:
    return Attack(_ROW, name, "q", code, succeeded)


def _shown(code: str) -> str:
    """Return a script that brings home whatever the code gives."""
    return f"r:{code}\n([] s:enlist r)"


_SECRET, _FILE, _OUT = '(`$":@secret")', '(`$":@file")', '(`$":@out")'
_READERS = [
    f"read0 {_SECRET}",
    f"read1 {_SECRET}",
    f"hcount {_SECRET}",
    f"get {_SECRET}",
    f"value {_SECRET}",
    f'("S";",") 0: {_SECRET}',
    f'("C";1) 1: {_SECRET}',
    f"load {_SECRET}",
    f"rload {_SECRET}",
    'key `$":@folder"',
    'key hsym `$"@folder"',
    'system "cat @secret"',
    'system "ls @folder"',
    'system "l @secret"',
    'system "env"',
    "getenv `ATTACK_SCENE_SECRET",
    'value "read0 hsym `$\\"@secret\\""',
    'value "\\\\cat @secret"',
    'eval parse "read0 hsym `$\\"@secret\\""',
    'reval parse "read0 hsym `$\\"@secret\\""',
    f"value (`read0;{_SECRET})",
    f"(value `read0) {_SECRET}",
    f"@@[read0;{_SECRET};::]",
    f".[read0;enlist {_SECRET};::]",
    f'{{x y}}[value "read0";{_SECRET}]',
    f"(`. `read0) {_SECRET}",
    f".Q.fs[{{x}};{_SECRET}]",
    f".Q.fsn[{{x}};{_SECRET};99]",
    'hopen "@secret"',
    '(hopen hsym `$"@secret") "1"',
    '(hopen `:fifo://@secret) "1"',
    "0 (read0;`:@secret)",
    '`:@secret 2:(`f;1)',
    'read0 `$":/proc/@victim/environ"',
    'read1 `$":/proc/@caller/environ"',
    ".z.e",
    ".z.x",
    ".z.f",
    "first .z.X",
]  # fmt: skip
_PASSWD = ["read0 `:/etc/passwd", 'system "cat /etc/passwd"', 'value "\\\\cat /etc/passwd"']
_WRITERS = [
    f"{_OUT} set 1 2 3",
    f"{_FILE} set 1 2 3",
    f"(hsym {_FILE}) set 1 2 3",
    f'{_OUT} 0: enlist "x"',
    f"{_OUT} 1: 0x01",
    f".[{_FILE};();:;1 2]",
    f".[{_FILE};();,;1 2]",
    f"@@[{_FILE};0;:;1]",
    f"hdel {_FILE}",
    f'h:hopen {_FILE}; h "x"',
    f'{_FILE} "x"',
    f"{_FILE} upsert 1 2",
    f"{_FILE} insert 1 2",
    f"save {_OUT}",
    'rsave `$"@out"',
    '.Q.dpft[`$":@folder";`x;`a;`t]',
    'system "touch @out"',
    'system "mkdir @out"',
    "\\touch @out",
    "\\1 @out",
    "\\2 @out",
    "\\cd @folder",
    "\\l @secret",
    "`ATTACK_SCENE_SECRET setenv `x",
]
_PROGRAMS = ['system "sleep 0.3"', "system \"sh -c 'sleep 0.3 &'\"", "\\sleep 0.3", '.Q.trp[system;"sleep 0.3";{x}]']
_WEB = [
    "hopen @tcp",
    "hopen `::@tcp",
    'hopen (`:127.0.0.1:@tcp;500)',
    '`:http://127.0.0.1:@tcp "GET / HTTP/1.0\\r\\n\\r\\n"',
    '.Q.hg `:http://127.0.0.1:@tcp',
    "hopen `:unix://@tcp",
    "\\p @port",
    'system "p @port"',
]  # fmt: skip
_LEAVING = [
    "exit 0",
    "exit 1",
    "\\\\",
    "value \"\\\\\\\\\"",
    "\\x .z.s",
    ".z.exit:{exit 0}; exit 0",
    "'`stop",
    "t:1b",
    "`t",
    ".z.pg:{1b}",
    "-1 \"PASSED\"",
    "1 \"{}\"; -2 \"PASSED\"",
]  # fmt: skip
_KEEPING = {
    "a global": ('kept:"@1","@2"\nt', "([] s:enlist kept)"),
    "a name of the system's": ('.z.kept:"@1","@2"\nt', "([] s:enlist .z.kept)"),
    "a namespace": ('.a.kept:"@1","@2"\nt', "([] s:enlist .a.kept)"),
    "another meaning of a word": ('.q.sum:{"@1","@2"}\nt', "([] s:enlist sum 1 2)"),
    "a symbol set": ('`kept set "@1","@2"\nt', "([] s:enlist get `kept)"),
    "a namespace left open": ('\\d .a\nkept:"@1","@2"\nt', "([] s:enlist kept)"),
}
_CHANGES = [
    "delete from `t",
    "update a:0 from `t",
    "t:0#t",
    "`t insert (9;`z)",
    "`t upsert (9;`z)",
    "t[`a]:0 0 0",
    "t[0;`a]:9",
    "@@[`t;`a;:;0]",
    ".[`t;(0;`a);:;9]",
    "x:t`a; x[0]:9",
    "`a xdesc `t",
    "delete t from `.",
]
_ENDLESS = {
    "while": "while[1b;]",
    "while with a body": "x:0; while[1b; x+:1]",
    "do": "do[0W; 1+1]",
    "an iterator that goes on": "{1b}{x}/1",
    "an iterator of many times": "reverse/[0W;1 2]",
    "a scan that goes on": "{x+1}\\[{1b};0]",
    "calls of itself": "{.z.s x}1",
    "calls of each other": "f:{g x}\ng:{f x}\nf 1",
    "calls of itself through each": "f:{f each x,x}\nf 1 2",
    "calls of itself through a trap": "f:{@@[f;x;{f 1}]}\nf 1",
    "an error caught for ever": "while[1b; @@[{'x};`a;::]]",
    "a pattern that backtracks": 'while[1b; (5000#"a") like "*a*a*a*a*a*a*b"]',
    "text replaced by longer text": 'x:"aa"; while[1b; x:ssr[x;"a";"ab"]]',
    "an evaluation of itself": 'f:"value f"\nvalue f',
}
_MEMORY = {
    "one long list": "([] a:til 1000000000)",
    "one long take": "([] a:1000000000#0)",
    "a list of lists": "r:(10000000#1),/:til 1000000\n([] a:r)",
    "many lists": "r:(); while[1b; r,:enlist til 1000000]",
    "text that doubles": 'x:"a"; while[1b; x,:x]',
    "a cross product": "r:til[100000] cross til 100000\n([] a:r)",
    "symbols without end": "i:0; while[1b; `$string i; i+:1]",
    "output without end": "while[1b; show til 1000]",
    "a large result": '([] a:2000#enlist 1000000#"x")',
    "a result of many cells": "([] a:til 1000000)",
    "one large power": "{x*x}/[1000;3j]",
    "a deep value": "x:1; do[1000000; x:enlist x]; x~x",
    "a value that holds itself often": "x:1 2; do[60; x:(x;x)]; ([] a:x)",
}
_TEXT = {
    "round brackets": "(" * 100_000,
    "square brackets": "f" + "[" * 100_000,
    "curly brackets": "{" * 100_000,
    "closed brackets": "(" * 50_000 + "1" + ")" * 50_000,
    "closed curly brackets": "{" * 50_000 + "1" + "}" * 50_000,
    "unbalanced brackets": "f:{(x[1}; [",
    "brackets that only close": ")]}" * 1000,
    "a text without end": 'x:"' + "a" * 1_000_000,
    "a backslash": "\\",
    "an escape without end": 'x:"\\',
    "a script of a megabyte": "1+" * 500_000 + "1",
    "a megabyte of lines": "x:1\n" * 250_000,
    "a megabyte of one name": "a" * 1_000_000,
    "a megabyte of digits": "1" * 1_000_000,
    "a megabyte of symbols": "`a" * 500_000,
    "a long row of iterators": "+" + "/" * 100_000,
    "lambdas in lambdas": "{" * 140 + "x" + "}" * 140,
    "bytes of nothing": "\0" * 1000,
    "a comment without end": "/\n" + "x" * 1000,
}

Q: list[Attack] = [
    *(_q(f"reads: {one}", _shown(one)) for one in _READERS),
    *(_q(f"reads: {one}", _shown(one), read_passwd) for one in _PASSWD),
    *(_q(f"writes: {one}", f"{one}\nt") for one in _WRITERS),
    *(_q(f"starts: {one}", f"{one}\nt", ran_program) for one in _PROGRAMS),
    *(_q(f"reaches: {one}", f"{one}\nt", listened) for one in _WEB),
    *(_q(f"leaves: {one}", one, carried_out) for one in _LEAVING),
    *(
        _q(f"keeps: {name}", (first.replace("@1", KEPT[:5]).replace("@2", KEPT[5:]), second), kept)
        for name, (first, second) in _KEEPING.items()
    ),
    *(_q(f"changes: {one}", (one, "t"), other_rows) for one in _CHANGES),
    *(_q(f"goes on: {name}", code, carried_out) for name, code in _ENDLESS.items()),
    *(_q(f"fills: {name}", code, took_memory) for name, code in _MEMORY.items()),
    *(_q(f"is read: {name}", code, carried_out) for name, code in _TEXT.items()),
]
