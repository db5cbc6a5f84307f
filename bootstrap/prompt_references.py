"""Short references of languages that models know little of: what a prompt tells of them.

Each is a script of the language itself: comments explain, and a line of code ends in a comment with what it gives, so
that the tests can run all of it.
"""

from __future__ import annotations

from collections.abc import Mapping

Q = r"""
/ Evaluation goes from right to left; no operator binds tighter than another. Brackets say what comes first.
2*3+4  / 14
(2*3)+4  / 10
/ % divides, div and mod are whole. = compares item by item, ~ compares whole values, <> is "unequal".
(7%2;7 div 2;-7 mod 3)  / (3.5;3;2)
(1 2 3=1 5 3;1 2~1 2;not 2<>2)  / (101b;1b;1b)
/ x|y is the greater or "or", x&y the lesser or "and". Arithmetic and comparison work on whole lists.
(2|5;2&5;10+1 2 3)  / (5;2;11 12 13)
/ A function gives its last expression; `:` returns early. {x+y} has the implicit parameters x, y, z.
f:{[a;b] c:a+b; if[c<0; :0]; c*2}
(f[1;2];f[1;-5];{x*x} 4)  / (6;0;16)
{$[x>0;`up;x<0;`down;`flat]}each 3 -1 0  / `up`down`flat
/ Loops are rare: while[cond; ...] in a function. n:0 sets a name, n+:1 changes it, x[i]:v an item.
{n:0; while[x>1; x:x div 2; n+:1]; n} 9  / 3
/ Iterators: f each x; f'[x;y] pairs; x f/:y and x f\:y take each item of the right or left; f/ folds, f\ keeps steps.
count each ("ab";"cde")  / 2 3
(1 2,\:9;9,/:1 2)  / ((1 9;2 9);(9 1;9 2))
f'[1 2;3 4]  / 8 12
({x+2*y}/[0;1 2 3];(*\)1 2 3)  / (12;1 2 6)
(3{x*2}/1;{x<50}{x*2}/1)  / (8;64)
/ Lists: items are at x[i], from 0. , joins, # takes (and repeats), _ drops, ? finds, enlist makes a list of one.
(2#5 6 7;-1#5 6 7;1_5 6 7;-1_5 6 7)  / (5 6;enlist 7;6 7;5 6)
(1 2,3;enlist 4;5 6 7?6;2 in 1 2)  / (1 2 3;enlist 4;1;1b)
(til 3;reverse til 3;where 011b)  / (0 1 2;2 1 0;1 2)
(asc 2 3 1;desc 2 3 1;iasc 2 3 1)  / (1 2 3;3 2 1;2 0 1)
(sum 1 2;prd 3 4;max 1 5;avg 1 2;sums 1 2)  / (3;12;5;1.5;1 3)
(distinct 1 1 2;raze(1 2;3 4);1 2 3 except 2;1 2 inter 2 3)  / (1 2;1 2 3 4;1 3;enlist 2)
(first 7 8;last 7 8;any 01b;all 01b;deltas 1 3 6)  / (7;8;1b;0b;1 2 3)
/ Nulls: 0N (long), 0n (float), ` (symbol). They come first in order, are less than numbers, and sums skip them.
(null 1 0N;5^1 0N;0N<0;sum 1 0N 2)  / (01b;1 5;1b;3)
/ "abc" is a list of chars, "a" one char, enlist "a" a string of one, `abc a symbol. Casts: `type$x, "T"$text.
(upper "ab";"ab","c";string 42;"J"$"42";`long$"a")  / ("AB";"abc";"42";42;97)
("," vs "ab,cd";"-" sv ("ab";"cd");ssr["abab";"b";"x"];trim " a ")  / (("ab";"cd");"ab-cd";"axax";enlist "a")
("abc" like "a*";"b" in "abc";"abcb" ss "b";`$"ab")  / (1b;1b;1 3;`ab)
/ Dictionaries: keys!values; d[k]:v sets or adds an item; group gives the places of each value.
d:`a`b!1 7; d[`b]:2
(d`b;key d;value d;`a in key d;count each group 7 8 7)  / (2;`a`b;1 2;1b;7 8!2 1)
/ Tables: conditions are separated by commas; `by` groups give a keyed table, 0! makes its keys columns again.
t:([]city:`rome`oslo`rome`oslo;n:5 0N 2 1)
select from t where city=`rome,n>3  / ([]city:enlist`rome;n:enlist 5)
0!select total:sum n by city from t  / ([]city:`oslo`rome;total:1 7)
update m:2*n from delete city from t  / ([]n:5 0N 2 1;m:10 0N 4 2)
2 sublist `n xdesc t  / ([]city:`rome`rome;n:5 2)
`n xasc t where t[`n]>1  / ([]city:`rome`rome;n:2 5)
(exec n from t;cols`town xcol t;count distinct t)  / (5 0N 2 1;`town`n;4)
/ In Python: len(x), list(zip(x, x)), 2 ** 3, max(2, 3), not x, x[1:3], x[-1], x.index(3)
x:1 2 3
(count x;flip(x;x);2 xexp 3;2|3;0=count x;2#1_x;last x;x?3)  / (3;(1 1;2 2;3 3);8f;3;0b;2 3;3;2)
/ In Python: [i * i for i in x if i > 1], any(i > 2 for i in x), sorted(set(x)), "".join(["ab", "c"]), d.get("z", 0)
({x*x}each x where x>1;any x>2;asc distinct x;raze("ab";enlist"c");0^d`z)  / (4 9;1b;1 2 3;"abc";0)
"""

REFERENCES: Mapping[str, str] = {"q": Q.strip()}
"""Language -> its reference; here a language is added."""
