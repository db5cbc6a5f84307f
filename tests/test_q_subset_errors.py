"""The q subset: errors that q raises, forms that are refused, and programs that mean harm."""

from __future__ import annotations

import time

import pytest

from interpreters.q_subset import QError, StepsExceeded, Unsupported, Workspace, evaluate

# fmt: off
ERRORS = [
    ("1+`a", "type"),
    ("`a+1", "type"),
    ("1 2+1 2 3", "length"),
    ("1 2 3,'1 2", "length"),
    ("foo", "foo"),
    ("foo+1", "foo"),
    ("{x+y}[1;2;3]", "rank"),
    ("til -1", "domain"),
    ("til `a", "type"),
    ('"a"+1', "type"),
    ("neg `a", "type"),
    ('"abc"+1', "type"),
    ("sum `a`b", "type"),
    ("'`myerror", "myerror"),
    ("'\"my error\"", "my error"),
    ("{'`inner}[]", "inner"),
    ("x:1 2 3;x[5]:1", "index"),
    ("x:1 2 3;x[0]:`a", "type"),
    ("x:1 2 3;x,:`a", "type"),
    ("first[1;2]", "rank"),
    ("count[1;2]", "rank"),
    ("(1 2;3 4)+(1 2 3;4 5)", "length"),
    ("1 2 3 4 within 1 2 3", "length"),
    ("til 1000000000", "wsfull"),
    ("1000000000#1", "wsfull"),
    ("2000000 2000000#0", "wsfull"),
    ("flip (1 2;3 4 5)", "length"),
    ("flip 1 2 3", "rank"),
    ("`a`b!1 2 3", "length"),
    ("([]a:1 2;b:1 2 3)", "length"),
    ("{x+.z.s x}1", "stack"),
    ("f:{f x};f 1", "stack"),
    ("if[`a;1]", "type"),
    ("$[`a;1;2]", "type"),
    ('while["ab";1]', "type"),
    ("upper 1", "type"),
    ("`s#3 2 1", "s-fail"),
    ("`u#1 1", "u-fail"),
    ("reverse[1;2]", "rank"),
    ("select from 5", "type"),
    ("`zz xasc ([]a:1 2)", "zz"),
    ("til:5", "assign"),
    (".[+;1 2 3]", "rank"),
    ("@[til;`a]", "type"),
    ("value `undefinedname", "undefinedname"),
    ('1 2 3 ss "a"', "type"),
    ('("a";1) like "a"', "type"),
    ("2 _ `a", "type"),
    ("(+/)[1;2;3;4]", "rank"),
]
REFUSED = [
    'system "ls"',
    "\\l file.q",
    "\\ls",
    "\\ts 1+1",
    "read0 `:file",
    "read1 `:file",
    "hopen 5000",
    "hopen `:localhost:5000",
    "0:1",
    '`:file 0: enlist "a"',
    "`:file set 1",
    "get `:file",
    "save `t",
    "load `t",
    "exit 0",
    ".z.p",
    ".z.ws",
    ".z.pg:{x}",
    "2:1",
    "10?10",
    "rand 5",
    "0N?1 2 3",
    "getenv `HOME",
    "-19!1",
    "-1?5",
    '.Q.hg "x"',
    "(a;b):1 2",
    "wj[1;2;3;4]",
    "reval 1",
    ".z.ts",
    "hdel `:x",
    '`:localhost:5000 "1+1"',
    '3 "text"',
    "+ 1",
    ".z.pg:{x}",
    "where 1",
]
ENDLESS = [
    "while[1b;]", "{x}/[{1b};1]", "f:{while[1b;x+:1]};f 0", "do[1000000000000;1]", "{x+1}/[1]",
    "x:1 2;while[1b;x,:x]", "10000000 {x,1}/()", "{not x}/[0b;1b]{1b}",
]
UNBALANCED = [
    "(((", ")", "[", "1+]", "{", "}", "{(}", "\"abc", "f[1;2", "([]a:1 2", "((1;2)", "select from", "{[x", "`a$[",
]
# fmt: on
HUGE = ["(" * 100_000, "{" * 100_000, "1+" * 300_000 + "1", "f[" * 50_000, "x" * 1_000_000]


@pytest.mark.parametrize(("expression", "name"), ERRORS, ids=[pair[0] for pair in ERRORS])
def test_q_raises(expression: str, name: str) -> None:
    with pytest.raises(QError) as raised:
        evaluate(expression)
    assert raised.value.name == name


@pytest.mark.parametrize("expression", REFUSED)
def test_what_is_not_known_or_not_pure_is_refused(expression: str) -> None:
    with pytest.raises(Unsupported):
        evaluate(expression)


@pytest.mark.parametrize("expression", ENDLESS)
def test_an_endless_program_ends_by_a_named_limit(expression: str) -> None:
    started = time.monotonic()
    with pytest.raises((StepsExceeded, QError, Unsupported)):
        evaluate(expression, steps=300_000)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("expression", UNBALANCED)
def test_unbalanced_source_is_an_error(expression: str) -> None:
    with pytest.raises((QError, Unsupported)):
        evaluate(expression)


@pytest.mark.parametrize("source", HUGE, ids=["parentheses", "braces", "sum", "brackets", "name"])
def test_a_huge_script_is_stopped(source: str) -> None:
    started = time.monotonic()
    with pytest.raises((StepsExceeded, QError, Unsupported)):
        evaluate(source)
    assert time.monotonic() - started < 30


def test_a_script_over_the_size_limit_is_refused() -> None:
    with pytest.raises(Unsupported, match="characters"):
        evaluate("1" + " " * 3_000_000)


@pytest.mark.parametrize("depth", [10, 100, 400])
def test_recursion_stops_at_the_depth_limit(depth: int) -> None:
    script = "f:{$[x=0;0;1+f x-1]};f "
    assert evaluate(script + str(depth - 1), depth=depth)[-1].text == str(depth - 1)
    with pytest.raises(QError, match="stack"):
        evaluate(script + str(depth + 1), depth=depth)


def test_deeply_nested_data_can_be_made_and_shown_or_is_an_error() -> None:
    with pytest.raises((QError, Unsupported, StepsExceeded)):
        evaluate("count string {enlist x}/[100000;1 2]", steps=400_000)


def test_shared_structure_does_not_blow_up() -> None:
    with pytest.raises(StepsExceeded):
        evaluate("{(x;x)}/[60;1]", steps=300_000)


def test_a_trap_does_not_catch_a_spent_budget() -> None:
    with pytest.raises(StepsExceeded):
        evaluate("@[{while[1b;]};1;{`caught}]", steps=100_000)


def test_a_trap_does_not_catch_a_refusal() -> None:
    with pytest.raises(Unsupported):
        evaluate("@[{hopen x};1;{`caught}]")


def test_a_trap_catches_runaway_recursion() -> None:
    assert evaluate("@[{.z.s x};1;{x}]")[-1].text == '"stack"'


def test_an_error_leaves_the_workspace_usable() -> None:
    workspace = Workspace()
    workspace.evaluate("a:1")
    assert workspace.console("a+`b") == "'type"
    assert workspace.console("a+1") == "2"


def test_workspaces_do_not_share_globals() -> None:
    Workspace().evaluate("shared:1")
    assert Workspace().console("shared") == "'shared"


def test_a_name_that_a_refused_statement_would_set_is_not_known_afterwards() -> None:
    workspace = Workspace()
    workspace.evaluate("a:1;t:([]x:1 2)")
    for refused in ("a:10?10", "`t insert rand 5"):
        with pytest.raises(Unsupported):
            workspace.evaluate(refused)
    for lost in ("a", "a+1", "select from t"):
        with pytest.raises(Unsupported, match="refused statement"):
            workspace.evaluate(lost)
    assert workspace.console("a:2;a") == "2"


def test_a_namespace_keeps_its_own_names() -> None:
    workspace = Workspace()
    workspace.evaluate("a:1\n\\d .space\na:2\nb:a+1\n\\d .\n")
    assert [workspace.console(name) for name in ("a", ".space.a", ".space.b", "b")] == ["1", "2", "3", "'b"]


@pytest.mark.parametrize(
    ("script", "name"),
    [("x:1 2;x,:3f", "type"), ("d:`a`b!1 2;d,:(enlist`c)!enlist 1f", "type"), ("t:([]a:1 2);t,:([]a:3 4f)", "type")],
)
def test_an_append_keeps_the_type_of_what_is_there(script: str, name: str) -> None:
    with pytest.raises(QError, match=name):
        evaluate(script)


def test_an_append_of_rows_may_leave_columns_out() -> None:
    assert evaluate("t:([]a:1 2;b:3 4);t,:([]b:6 7);exec a from t")[-1].text == "1 2 0N 0N"


def test_an_amend_by_most_functions_at_a_new_key_is_refused() -> None:
    with pytest.raises(Unsupported):
        evaluate("d:`a`b!1 2;d[`c]-:1")
