"""The q subset: lists and dictionaries: taking, dropping, finding, indexing, amending.

Each expression stands beside what the console of q shows for it.
."""

from __future__ import annotations

import pytest

from interpreters.q_subset import Unsupported, Workspace

# fmt: off
EXPRESSIONS = [
    ("til 5", "0 1 2 3 4"),
    ("til 0", "`long$()"),
    ("count 1 2 3", "3"),
    ("count ()", "0"),
    ("count 5", "1"),
    ('count "abc"', "3"),
    ("first 1 2 3", "1"),
    ("first ()", "()"),
    ("first `int$()", "0Ni"),
    ("last 1 2 3", "3"),
    ('last "abc"', '"c"'),
    ("reverse 1 2 3", "3 2 1"),
    ('reverse "abc"', '"cba"'),
    ("3#1 2", "1 2 1"),
    ("2#1 2 3", "1 2"),
    ("-2#1 2 3", "2 3"),
    ("5#1 2 3", "1 2 3 1 2"),
    ("-5#1 2 3", "2 3 1 2 3"),
    ("0#1 2 3", "`long$()"),
    ("3#`a", "`a`a`a"),
    ("2 3#til 6", "0 1 2\n3 4 5"),
    ("0N 2#til 5", "0 1\n2 3\n,4"),
    ("2 0N#til 6", "0 1 2\n3 4 5"),
    ("2 2 2#til 8", "0 1 2 3\n4 5 6 7"),
    ("1_1 2 3", "2 3"),
    ("-1_1 2 3", "1 2"),
    ("5_1 2 3", "`long$()"),
    ("1 2 3_1", "1 3"),
    ("0 2_til 5", "0 1\n2 3 4"),
    ("2 cut til 5", "0 1\n2 3\n,4"),
    ('0 3 cut "hello"', "\"hel\"\n\"lo\""),
    ("1 rotate 1 2 3", "2 3 1"),
    ("-1 rotate 1 2 3", "3 1 2"),
    ("2 sublist 1 2 3", "1 2"),
    ("1 2 sublist til 5", "1 2"),
    ("-2 sublist til 5", "3 4"),
    ("prev 1 2 3", "0N 1 2"),
    ("next 1 2 3", "2 3 0N"),
    ("2 xprev 1 2 3", "0N 0N 1"),
    ('-1 xprev "abc"', '"bc "'),
    ("where 0110b", "1 2"),
    ("where 1 0 2", "0 2 2"),
    ("where `a`b`c!1 0 2", "`a`c`c"),
    ("enlist 1", ",1"),
    ("enlist `a", ",`a"),
    ("enlist 1 2", "1 2"),
    ("1,2", "1 2"),
    ("1 2,3", "1 2 3"),
    ("(),1", ",1"),
    ("1,`a", "1\n`a"),
    ("1 2,`a`b", "1\n2\n`a\n`b"),
    ('"ab","c"', '"abc"'),
    ("(1 2;3),4", "1 2\n3\n4"),
    ("raze (1 2;3;4 5)", "1 2 3 4 5"),
    ('raze ("ab";"cd")', '"abcd"'),
    ("raze ()", "()"),
    ("flip (1 2;3 4)", "1 3\n2 4"),
    ("flip (1 2;`a`b)", "1 `a\n2 `b"),
    ('flip ("abc";"def")', "\"ad\"\n\"be\"\n\"cf\""),
    ("1 2 cross 3 4", "1 3\n1 4\n2 3\n2 4"),
    ("distinct 1 2 1 3", "1 2 3"),
    ('distinct "hello"', '"helo"'),
    ("distinct (1 2;3;1 2)", "1 2\n3"),
    ("group 1 2 1", "1| 0 2\n2| ,1"),
    ("group `a`b`a", "a| 0 2\nb| ,1"),
    ("1 2 3 union 3 4", "1 2 3 4"),
    ("1 2 3 inter 2 3 4", "2 3"),
    ("1 2 3 except 2", "1 3"),
    ('"hello" except "l"', '"heo"'),
    ("1 2 3?2", "1"),
    ("1 2 3?5", "3"),
    ("1 2 3?3 1 9", "2 0 3"),
    ("`a`b?`b", "1"),
    ('"hello"?"l"', "2"),
    ("(1 2;3 4)?3 4", "1"),
    ('("ab";"cd")?"cd"', "1"),
    ("2 in 1 2 3", "1b"),
    ("2 5 in 1 2 3", "10b"),
    ("`a in `b`c", "0b"),
    ('"ab" in ("ab";"cd")', "1b"),
    ("1 3 5 bin 4", "1"),
    ("1 3 5 bin 0 1 6", "-1 0 2"),
    ("1 3 5 binr 4", "2"),
    ("asc 3 1 2", "`s#1 2 3"),
    ("desc 3 1 2", "3 2 1"),
    ('asc "hello"', '`s#"ehllo"'),
    ("asc `b`a", "`s#`a`b"),
    ("asc (2;1;3)", "`s#1 2 3"),
    ("iasc 3 1 2", "1 2 0"),
    ("idesc 3 1 2", "0 2 1"),
    ("rank 30 10 20", "2 0 1"),
    ("2 xrank 1 2 3 4", "0 0 1 1"),
    ("1 2 3 1", "1 2 3 1"),
    ("1 2 3[0 2]", "1 3"),
    ("1 2 3 5", "1 2 3 5"),
    ("(1 2;3 4)[1]", "3 4"),
    ("(1 2;3 4)[1;0]", "3"),
    ("(1 2;3 4)[;0]", "1 3"),
    ("(1 2;3 4) . 1 0", "3"),
    ('"abc" 2 0', '"ca"'),
    ("`a`b`c 1", "`b"),
    ('(1;`a;"x") 1', "`a"),
    ("1 2 3@1", "2"),
    ("(`a`b!1 2)`b", "2"),
    ("(`a`b!1 2)`z", "0N"),
    ("(`a`b!1 2)`a`b", "1 2"),
    ("(`a`b!(1 2;3 4))[`b;1]", "4"),
    ("(`a`b!(1 2;3 4))[;1]", "a| 2\nb| 4"),
    ("key `a`b!1 2", "`a`b"),
    ("value `a`b!1 2", "1 2"),
    ("(`a`b!1 2),`b`c!3 4", "a| 1\nb| 3\nc| 4"),
    ("(`a`b!1 2)?2", "`b"),
    ("`a`b!1 2", "a| 1\nb| 2"),
    ("1 2!3 4", "1| 3\n2| 4"),
    ("(`a`b!1 2)_`a", "b| 2"),
    ("(enlist`a)_`a`b!1 2", "b| 2"),
    ("`a`b#`a`b`c!1 2 3", "a| 1\nb| 2"),
    ("2#`a`b`c!1 2 3", "a| 1\nb| 2"),
    ("1_`a`b`c!1 2 3", "b| 2\nc| 3"),
    ("reverse `a`b!1 2", "b| 2\na| 1"),
    ("count `a`b!1 2", "2"),
    ("desc `a`b!1 2", "b| 2\na| 1"),
    ("asc `a`b!2 1", "b| 1\na| 2"),
    ("where (`a`b!1 2)>1", ",`b"),
    ("sum `a`b!1 2", "3"),
    ("distinct `a`b!1 1", ",1"),
    ("@[1 2 3;1;+;10]", "1 12 3"),
    ("@[1 2 3;0 2;:;9]", "9 2 9"),
    ("@[1 2 3;0 2;:;8 9]", "8 2 9"),
    ("@[1 2 3;1;neg]", "1 -2 3"),
    ("@[(1 2;3 4);0;:;9]", "9\n3 4"),
    (".[(1 2;3 4);(0;1);+;10]", "1 12\n3 4"),
    (".[(1 2;3 4);(0;1);:;9]", "1 9\n3 4"),
    ("@[`a`b!1 2;`b;+;5]", "a| 1\nb| 7"),
    ("@[`a`b!1 2;`c;:;5]", "a| 1\nb| 2\nc| 5"),
    ("x:til 5;x[1]:9;x", "0 9 2 3 4"),
    ("x:til 5;x[1 2]+:10;x", "0 11 12 3 4"),
    ("x:(1 2;3 4);x[1;0]:9;x", "1 2\n9 4"),
    ("d:`a`b!1 2;d[`c]:3;d", "a| 1\nb| 2\nc| 3"),
    ("d:()!();d[`a]:1;d", "a| 1"),
    ("x:1 2;x,:3;x", "1 2 3"),
    ("x:();x,:1;x,:2;x", "1 2"),
    ("x:1 2 3;x[0 1]:5;x", "5 5 3"),
    ("?[101b;1 2 3;4 5 6]", "1 5 3"),
    ("?[10b;`a;`b]", "`a`b"),
    ("1 2 3!`a`b`c", "1| a\n2| b\n3| c"),
    ("til[3]+\\:til 2", "0 1\n1 2\n2 3"),
]
# fmt: on


@pytest.mark.parametrize(("expression", "shown"), EXPRESSIONS, ids=[pair[0] for pair in EXPRESSIONS])
def test_the_console_shows(expression: str, shown: str) -> None:
    workspace = Workspace()
    found = workspace.console(expression)
    assert [line.rstrip() for line in found.split("\n")] == shown.split("\n")


# -- amending by a function -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "console"),
    [
        ("a:1\nf:{a+:x}\nf 2;\na", "3"),
        ("a:1 2 3\n{a[x]+:10}each 0 2;\na", "11 2 13"),
        ("a:1 2 3\n{a[0]:9}[];\na", "9 2 3"),
        ("r:()\n{r,:x}each 1 2;\nr", "1 2"),
        ("a:1\n{a:5;a+:x;a}2", "7"),
        ("f:{cnt:0;{cnt+:x}each 1 2;cnt}\ncnt:10\nf[]\ncnt", "0\n13"),
        ("d:`a`b!1 2\nd[`c]+:3\nd`c", "3"),
        ("d:`a`b!1 2\nd:@[d;`c`a;+;5 6]\nvalue d", "7 2 5"),
        ("d:(0#`)!0#0\n{d[x]+:1}each`a`b`a;\nd", "a| 2\nb| 1"),
        ("d:()!()\nd[`a],:1\nd[`a],:2\nd`a", "1 2"),
        ("d:`a`b!(1 2;3 4)\nd[`c],:7\nd`c", ",7"),
    ],
)
def test_an_amend_inside_a_lambda_or_at_a_new_key(script: str, console: str) -> None:
    assert [line for line in Workspace().console(script).split("\n") if line] == console.split("\n")


def test_an_amend_of_what_is_not_there_is_an_error() -> None:
    assert Workspace().console("{nowhere+:1}[]") == "'nowhere"


@pytest.mark.parametrize("script", ["d[`c]-:1", "d[`c]&:1", "@[d;`c;{x+y};1]", "d[`c]+:1f", "d[`c],:1"])
def test_what_an_amend_at_a_new_key_gives_is_refused_where_it_is_not_known(script: str) -> None:
    with pytest.raises(Unsupported):
        Workspace().evaluate(f"d:`a`b!1 2\n{script}")
