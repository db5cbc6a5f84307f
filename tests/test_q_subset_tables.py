"""The q subset: tables, queries and joins.

Each expression stands beside what the console of q shows for it.
."""

from __future__ import annotations

import pytest

from interpreters.q_subset import Workspace
from interpreters.q_subset.values import Table

SETUP = "t:([]a:1 2 3;b:`x`y`x;c:1 2 3f);kt:([k:`x`y]v:1 2)"
# fmt: off
EXPRESSIONS = [
    ("t", "a b c\n-----\n1 x 1\n2 y 2\n3 x 3"),
    ("kt", "k| v\n-| -\nx| 1\ny| 2"),
    ("count t", "3"),
    ("cols t", "`a`b`c"),
    ("keys kt", ",`k"),
    ("type t", "98h"),
    ("type kt", "99h"),
    ("meta t", "c| t f a\n-| -----\na| j\nb| s\nc| f"),
    ("t 0", "a| 1\nb| `x\nc| 1f"),
    ("t 1 2", "a b c\n-----\n2 y 2\n3 x 3"),
    ("t[0;`a]", "1"),
    ("t[`a]", "1 2 3"),
    ("t[;`b]", "`x`y`x"),
    ("t`a`b", "1 2 3\nx y x"),
    ("first t", "a| 1\nb| `x\nc| 1f"),
    ("last t", "a| 3\nb| `x\nc| 3f"),
    ("2#t", "a b c\n-----\n1 x 1\n2 y 2"),
    ("-1#t", "a b c\n-----\n3 x 3"),
    ("1_t", "a b c\n-----\n2 y 2\n3 x 3"),
    ("reverse t", "a b c\n-----\n3 x 3\n2 y 2\n1 x 1"),
    ("t,t", "a b c\n-----\n1 x 1\n2 y 2\n3 x 3\n1 x 1\n2 y 2\n3 x 3"),
    ("t,([]a:9 8;b:`q`r;c:0n 1)", "a b c\n-----\n1 x 1\n2 y 2\n3 x 3\n9 q\n8 r 1"),
    ("t upsert (9;`q;2.5)", "a b c\n-------\n1 x 1\n2 y 2\n3 x 3\n9 q 2.5"),
    ("flip t", "a| 1 2 3\nb| x y x\nc| 1 2 3"),
    ("flip `a`b!(1 2;3 4)", "a b\n---\n1 3\n2 4"),
    ("([]a:1 2;b:`x)", "a b\n---\n1 x\n2 x"),
    ("([]a:1 2)", "a\n-\n1\n2"),
    ("([]a:enlist 1)", "a\n-\n1"),
    ("([]a:();b:())", "a b\n---"),
    ("([k:`x`y]v:1 2)", "k| v\n-| -\nx| 1\ny| 2"),
    ("1!([]a:1 2;b:3 4)", "a| b\n-| -\n1| 3\n2| 4"),
    ("0!kt", "k v\n---\nx 1\ny 2"),
    ("2!t", "a b| c\n---| -\n1 x| 1\n2 y| 2\n3 x| 3"),
    ("key kt", "k\n-\nx\ny"),
    ("value kt", "v\n-\n1\n2"),
    ("kt`x", "v| 1"),
    ("kt[`y;`v]", "2"),
    ("kt`zz", "v|"),
    ("kt upsert (`z;30)", "k| v\n-| --\nx| 1\ny| 2\nz| 30"),
    ("kt,([k:`y`z]v:20 30)", "k| v\n-| --\nx| 1\ny| 20\nz| 30"),
    ("kt+1", "k| v\n-| -\nx| 2\ny| 3"),
    ("t~t", "1b"),
    ("distinct ([]a:1 1 2)", "a\n-\n1\n2"),
    ("select from t", "a b c\n-----\n1 x 1\n2 y 2\n3 x 3"),
    ("select a from t", "a\n-\n1\n2\n3"),
    ("select a,c from t", "a c\n---\n1 1\n2 2\n3 3"),
    ("select a,d:2*a from t", "a d\n---\n1 2\n2 4\n3 6"),
    ("select from t where a>1", "a b c\n-----\n2 y 2\n3 x 3"),
    ("select from t where a>1,b=`x", "a b c\n-----\n3 x 3"),
    ("select from t where b in `x`z", "a b c\n-----\n1 x 1\n3 x 3"),
    ("select from t where c within 1.5 2.5", "a b c\n-----\n2 y 2"),
    ("select from t where a=max a", "a b c\n-----\n3 x 3"),
    ("select from t where i=0", "a b c\n-----\n1 x 1"),
    ('select from t where b like "x*"', "a b c\n-----\n1 x 1\n3 x 3"),
    ("select sum a from t", "a\n-\n6"),
    ("select sum a,avg c from t", "a c\n---\n6 2"),
    ("select n:count i from t", "n\n-\n3"),
    ("select sum a by b from t", "b| a\n-| -\nx| 4\ny| 2"),
    ("select a by b from t", "b| a\n-| ---\nx| 1 3\ny| ,2"),
    ("select count i by b from t", "b| x\n-| -\nx| 2\ny| 1"),
    ("select sum a by b,big:a>1 from t", "b big| a\n-----| -\nx 0  | 1\nx 1  | 3\ny 1  | 2"),
    ("select by b from t", "b| a c\n-| ---\nx| 3 3\ny| 2 2"),
    ("select last a by b from t where a<3", "b| a\n-| -\nx| 1\ny| 2"),
    ("select distinct b from t", "b\n-\nx\ny"),
    ("select[2] from t", "a b c\n-----\n1 x 1\n2 y 2"),
    ("select[-1] from t", "a b c\n-----\n3 x 3"),
    ("select[2;>a] from t", "a b c\n-----\n3 x 3\n2 y 2"),
    ("select from t where a=(max;a) fby b", "a b c\n-----\n2 y 2\n3 x 3"),
    ("exec a from t", "1 2 3"),
    ("exec a,b from t", "a| 1 2 3\nb| x y x"),
    ("exec sum a from t", "6"),
    ("exec a by b from t", "x| 1 3\ny| ,2"),
    ("exec first a by b from t", "x| 1\ny| 2"),
    ("exec b!a from t", "x| 1\ny| 2\nx| 3"),
    ("update d:2*a from t", "a b c d\n-------\n1 x 1 2\n2 y 2 4\n3 x 3 6"),
    ("update a:0 from t where b=`x", "a b c\n-----\n0 x 1\n2 y 2\n0 x 3"),
    ("update s:sum a by b from t", "a b c s\n-------\n1 x 1 4\n2 y 2 2\n3 x 3 4"),
    ("update d:a from t where b=`x", "a b c d\n-------\n1 x 1 1\n2 y 2\n3 x 3 3"),
    ("delete from t where a=1", "a b c\n-----\n2 y 2\n3 x 3"),
    ("delete a from t", "b c\n---\nx 1\ny 2\nx 3"),
    ("delete a,c from t", "b\n-\nx\ny\nx"),
    ("select from kt where v>1", "k| v\n-| -\ny| 2"),
    ("exec v from kt", "1 2"),
    ("update v:v*10 from kt", "k| v\n-| --\nx| 10\ny| 20"),
    ("delete from kt where k=`x", "k| v\n-| -\ny| 2"),
    ("`a xasc t", "a b c\n-----\n1 x 1\n2 y 2\n3 x 3"),
    ("`a xdesc t", "a b c\n-----\n3 x 3\n2 y 2\n1 x 1"),
    ("`b`a xasc t", "a b c\n-----\n1 x 1\n3 x 3\n2 y 2"),
    ("`b xkey t", "b| a c\n-| ---\nx| 1 1\ny| 2 2\nx| 3 3"),
    ("`x`y xcol t", "x y c\n-----\n1 x 1\n2 y 2\n3 x 3"),
    ("`c`a xcols t", "c a b\n-----\n1 1 x\n2 2 y\n3 3 x"),
    ("`a`b#t", "a b\n---\n1 x\n2 y\n3 x"),
    ("t lj ([b:`x`z]w:10 20)", "a b c w\n--------\n1 x 1 10\n2 y 2\n3 x 3 10"),
    ("t ij ([b:`x`z]w:10 20)", "a b c w\n--------\n1 x 1 10\n3 x 3 10"),
    ("([]a:1 2;b:3 4)uj([]a:3 4;c:5 6)", "a b c\n-----\n1 3\n2 4\n3   5\n4   6"),
    ("([]k:`x`y;v:1 2)pj([k:`x`z]v:10 20)", "k v\n----\nx 11\ny 2"),
    ("ej[`k;([]k:1 2;a:3 4);([]k:2 2;b:5 6)]", "k a b\n-----\n2 4 5\n2 4 6"),
    ("aj[`s`p;([]s:`x`y;p:5 6);([]s:`x`x`y;p:1 4 7;q:10 20 30)]", "s p q\n------\nx 5 20\ny 6"),
    ("([]a:1 2)cross([]b:3 4)", "a b\n---\n1 3\n1 4\n2 3\n2 4"),
    ("ungroup ([]a:`x`y;b:(1 2;3 4))", "a b\n---\nx 1\nx 2\ny 3\ny 4"),
    ("`b xgroup t", "b| a   c\n-| --------\nx| 1 3 1 3f\ny| ,2  ,2f"),
    ("t?`a`b`c!(2;`y;2.5)", "3"),
    ("`t insert (9;`q;1f);count t", "4"),
    ("`t upsert (9;`q;1f);last t", "a| 9\nb| `q\nc| 1f"),
    ("`t insert (7 8;`m`n;1 2f)", "3 4"),
    ("`a xasc `t;t", "a b c\n-----\n1 x 1\n2 y 2\n3 x 3"),
    ("update a:9 from `t;t", "a b c\n-----\n9 x 1\n9 y 2\n9 x 3"),
    ("delete from `t where a>1;t", "a b c\n-----\n1 x 1"),
    ("?[t;();0b;()]", "a b c\n-----\n1 x 1\n2 y 2\n3 x 3"),
    ("?[t;enlist(>;`a;1);0b;()]", "a b c\n-----\n2 y 2\n3 x 3"),
    ("?[t;();0b;(enlist`s)!enlist(sum;`a)]", "s\n-\n6"),
    ("?[t;();(enlist`b)!enlist`b;(enlist`s)!enlist(sum;`a)]", "b| s\n-| -\nx| 4\ny| 2"),
    ("?[t;();();`a]", "1 2 3"),
    ("![t;();0b;(enlist`d)!enlist(*;2;`a)]", "a b c d\n-------\n1 x 1 2\n2 y 2 4\n3 x 3 6"),
    ("![t;enlist(=;`b;enlist`x);0b;`symbol$()]", "a b c\n-----\n2 y 2"),
    ("![t;();0b;enlist`c]", "a b\n---\n1 x\n2 y\n3 x"),
    ("t[0;`a]:9;t", "a b c\n-----\n9 x 1\n2 y 2\n3 x 3"),
    ("sum t`a", "6"),
    ("avg each flip `a`c#t", "a| 2\nc| 2"),
    ("max ([]a:1 2;b:3 4)", "a| 2\nb| 4"),
    ("([]a:1 2)+10", "a\n--\n11\n12"),
    ("exec max a by b from t where c>1", "x| 3\ny| 2"),
    ("raze exec a from t", "1 2 3"),
    ("(exec first a by b from t)`x", "1"),
    ("asc exec b from t", "`s#`x`x`y"),
    ("select from ([]x:1 2 3) where x>1", "x\n-\n2\n3"),
    ("count select from t where a>100", "0"),
    ("select y:`year$d from ([]d:2001.01.01 2002.05.06)", "y\n----\n2001\n2002"),
    ("select d.month,n:1 from ([]d:2001.01.01 2002.05.06)", "month   n\n---------\n2001.01 1\n2002.05 1"),
    ("select count i by d.year from ([]d:2001.01.01 2002.05.06)", "year| x\n----| -\n2001| 1\n2002| 1"),
    ("string ([]a:1 2;b:`x`yy)", "a    b\n---------\n,\"1\" ,\"x\"\n,\"2\" \"yy\""),
    ("exec avg a by b from t where c<3", "x| 1\ny| 2"),
    ("ungroup select a by b from t", "b a\n---\nx 1\nx 3\ny 2"),
    ("select from t where b in exec b from t where a>2", "a b c\n-----\n1 x 1\n3 x 3"),
    ("select r:deltas a by b from t", "b| r\n-| ---\nx| 1 2\ny| ,2"),
    ("update r:1+rank neg a from t", "a b c r\n-------\n1 x 1 3\n2 y 2 2\n3 x 3 1"),
    ("value exec first a by b from t", "1 2"),
    ("([k:1 2 3]c:10 20 30)^([k:3 4]c:300 400)", "k| c\n-| ---\n1| 10\n2| 20\n3| 300\n4| 400"),
    ("([k:1 2]c:10 20)+([k:2 3]c:1 2)", "k| c\n-| --\n1| 10\n2| 21\n3| 2"),
    ("`c xdesc `t;first t", "a| 3\nb| `x\nc| 3f"),
    ("tables[]", "`kt`t"),
    ("cols`t", "`a`b`c"),
    ("var ([]a:1 3;b:2 2)", "a| 1\nb| 0"),
]
# fmt: on


@pytest.mark.parametrize(("expression", "shown"), EXPRESSIONS, ids=[pair[0] for pair in EXPRESSIONS])
def test_the_console_shows(expression: str, shown: str) -> None:
    workspace = Workspace()
    workspace.evaluate(SETUP)
    found = workspace.console(expression)
    assert [line.rstrip() for line in found.split("\n")] == shown.split("\n")


NO_ROWS = "t:([] a:`symbol$();b:`long$();c:`float$());"


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("select sum b,avg c,n:count i,f:first a by a from t", {"a": 11, "b": 7, "c": 9, "n": 7, "f": 11}),
        ("select d:2*b by a from t", {"a": 11, "d": 0}),
        ("select by a from t", {"a": 11, "b": 7, "c": 9}),
        ("update d:2*b,e:c>1,f:`x from t", {"a": 11, "b": 7, "c": 9, "d": 7, "e": 1, "f": 11}),
    ],
)
def test_queries_of_no_rows_keep_their_types(query: str, columns: dict[str, int]) -> None:
    table = Workspace().run(f"{NO_ROWS} 0!{query}")[-1]
    assert isinstance(table, Table)
    assert dict(zip(table.names, [column.t for column in table.columns], strict=True)) == columns
    assert table.height() == 0


def test_the_median_of_a_table_is_the_average_of_its_middle_rows() -> None:
    assert Workspace().console("med ([]a:4 1 2 3;b:1 5 9 7)") == "a| 2.5\nb| 8"
    assert Workspace().console("med ([k:`a`b`c]a:3 1 2;b:1 5 9)") == "a| 2\nb| 9"


def test_rows_joined_in_place_to_a_keyed_table_may_leave_columns_out() -> None:
    script = "t:([k:`a`b]a:1 2;b:3 4)\nt,:([k:`b`c]a:10 11)\n"
    assert Workspace().console(script + "exec a from t") == "1 10 11"
    assert Workspace().console(script + "exec b from t") == "3 4 0N"
    assert Workspace().console("t:([k:`a`b]a:1 2)\nt,:([k:enlist`a]c:enlist 1)").startswith("'")
