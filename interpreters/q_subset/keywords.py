"""The operators and keywords of q, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interpreters.q_subset import aggregates as agg
from interpreters.q_subset import arithmetic as ar
from interpreters.q_subset import compare as cmp
from interpreters.q_subset import (
    joins,
    lists,
    mathematics,
    operators,
    parse_trees,
    running,
    sets,
    sorting,
    strings,
    tables,
)
from interpreters.q_subset.application import SESSION, apply
from interpreters.q_subset.broadcast import dyad
from interpreters.q_subset.casting import dollar
from interpreters.q_subset.errors import Unsupported
from interpreters.q_subset.joining import cross, enlist, flip, join, raze
from interpreters.q_subset.matrices import inverse, matrix_product
from interpreters.q_subset.namespaces import key_of
from interpreters.q_subset.patterns import like, ss, ssr
from interpreters.q_subset.powers import xexp, xlog
from interpreters.q_subset.searching import contained, search_sorted, within
from interpreters.q_subset.values import NULL, Derived, Prim, boolean

Call = Callable[..., Any]


def _iterated(iterator: str) -> Call:
    return lambda f, x: apply(Derived(iterator, f), [x])


def _deriving(iterator: str) -> Call:
    return lambda f: Derived(iterator, f)


def _second(x: Any, y: Any) -> Any:
    return y


fill = dyad(ar.fill_rule)

OPERATORS: dict[str, dict[int, Call]] = {
    "+": {2: ar.add},
    "-": {2: ar.subtract},
    "*": {2: ar.multiply},
    "%": {2: ar.divide},
    "&": {2: ar.minimum},
    "|": {2: ar.maximum},
    "^": {2: fill},
    "=": {2: cmp.equal},
    "<>": {2: cmp.unequal},
    "<": {2: cmp.less_than},
    ">": {2: cmp.greater_than},
    "<=": {2: cmp.at_most},
    ">=": {2: cmp.at_least},
    "~": {2: lambda x, y: boolean(cmp.match(x, y))},
    ",": {2: join},
    "#": {2: operators.hash_sign},
    "_": {2: lists.drop},
    "$": {2: dollar},
    "@": {2: operators.at_two, 3: operators.at_three, 4: operators.at_four},
    ".": {2: operators.dot_two, 3: operators.dot_three, 4: operators.dot_four},
    "?": {2: operators.query, 3: operators.choose, **dict.fromkeys((4, 5, 6), parse_trees.functional("?"))},
    "!": {2: operators.exclaim, 4: parse_trees.functional("!")},
    ":": {2: _second},
}

UNARY: dict[str, Call] = {
    "til": lists.til, "count": lists.count_of, "first": lists.first, "last": lists.last, "reverse": lists.reverse,
    "flip": flip, "raze": raze, "where": lists.where, "next": lists.next_item, "prev": lists.prev,
    "neg": mathematics.neg, "abs": mathematics.absolute, "signum": mathematics.signum, "floor": mathematics.floor,
    "ceiling": mathematics.ceiling, "not": mathematics.negate, "null": mathematics.is_null, **mathematics.FUNCTIONS,
    "sum": agg.total, "prd": agg.product, "max": agg.largest, "min": agg.smallest, "avg": agg.average,
    "med": agg.median, "var": agg.variance, "dev": agg.deviation, "svar": agg.sample_variance,
    "sdev": agg.sample_deviation, "all": agg.every, "any": agg.some,
    "sums": running.sums, "prds": running.prds, "maxs": running.maxs, "mins": running.mins, "avgs": running.avgs,
    "fills": running.fills, "differ": running.differ,
    "distinct": sets.distinct, "group": sets.group, "asc": sorting.asc, "desc": sorting.desc, "iasc": sorting.iasc,
    "idesc": sorting.idesc, "rank": sorting.rank,
    "string": lambda x: strings.to_string(x, SESSION[0].precision), "upper": strings.upper, "lower": strings.lower,
    "trim": strings.trim, "ltrim": strings.ltrim, "rtrim": strings.rtrim,
    "type": operators.type_of, "attr": operators.attribute, "show": operators.show, "view": operators.view_text,
    "key": lambda x: key_of(SESSION[0], x), "value": lambda x: parse_trees.value_of(SESSION[0], x),
    "get": lambda x: parse_trees.value_of(SESSION[0], x), "parse": parse_trees.parse_text,
    "eval": parse_trees.eval_tree,
    "keys": lambda x: tables.keys_of(_named(x)), "cols": lambda x: tables.column_names(_named(x)),
    "tables": operators.table_names, "meta": lambda x: tables.meta(_named(x)),
    "ungroup": tables.ungroup, "inv": inverse, "md5": strings.md5,
}  # fmt: skip

BINARY: dict[str, Call] = {
    "and": ar.minimum, "or": ar.maximum, "div": ar.div, "mod": ar.mod, "xexp": xexp, "xlog": xlog,
    "in": contained, "within": within, "like": like, "ss": ss, "vs": strings.vs, "sv": strings.sv,
    "union": sets.union, "inter": sets.inter, "except": sets.without, "cross": cross, "cut": lists.cut,
    "rotate": lists.rotate, "sublist": lists.sublist, "xprev": lists.xprev, "xrank": sorting.xrank,
    "xbar": sorting.xbar, "bin": search_sorted(right=False), "binr": search_sorted(right=True),
    "cov": agg.covariance, "scov": agg.sample_covariance, "cor": agg.correlation, "wavg": agg.wavg, "wsum": agg.wsum,
    "mavg": running.mavg, "msum": running.msum, "mmax": running.mmax, "mmin": running.mmin, "mcount": running.mcount,
    "mdev": running.mdev, "ema": running.ema, "mmu": matrix_product, "fby": operators.fby,
    "each": _iterated("'"), "peach": _iterated("'"), "over": _iterated("/"), "scan": _iterated("\\"),
    "prior": _iterated("':"),
    "xasc": operators.in_place(sorting.by_columns(descending=False)),
    "xdesc": operators.in_place(sorting.by_columns(descending=True)),
    "xkey": operators.in_place(tables.xkey), "xcol": tables.xcol, "xcols": tables.xcols,
    "lj": joins.left_join, "ij": joins.inner_join, "uj": joins.union_join, "pj": joins.plus_join,
    "upsert": operators.upsert_named, "insert": operators.insert_named, "xgroup": tables.group_by,
    "set": operators.set_global,
}  # fmt: skip

OTHERS: dict[str, dict[int, Call]] = {
    "enlist": dict.fromkeys(range(1, 9), enlist),
    "deltas": {1: running.deltas, 2: running.deltas_from(ar.subtract_rule)},
    "ratios": {1: running.ratios, 2: running.deltas_from(ar.divide_rule)},
    "ssr": {3: ssr},
    "ej": {3: joins.equi_join},
    "aj": {3: joins.as_of(keep_time=True)},
    "aj0": {3: joins.as_of(keep_time=False)},
    "ajf": {3: joins.as_of(keep_time=True, fill=True)},
}

# The forms of k that q shows and takes in parentheses: (#:) is count.
MONADS = {
    "#:": "count", "|:": "reverse", "-:": "neg", "~:": "not", "+:": "flip", "=:": "group", "?:": "distinct",
    "*:": "first", "<:": "iasc", ">:": "idesc", "^:": "null", "_:": "floor", "@:": "type", "&:": "where",
}  # fmt: skip

# Keywords of q that are not here: their use is Unsupported, where another unknown name is an error of the program.
_MISSING_WORDS = """
    asof by delete do dsave exec exit from fkeys getenv gtime hclose hcount hdel hopen hsym if ijf ljf load
    lsq ltime rand read0 read1 reval rload rsave save select setenv system ujf update views while wj
    wj1
"""
MISSING = frozenset(_MISSING_WORDS.split())


def _named(x: Any) -> Any:
    return SESSION[0].look_up(x.v) if x.t == -11 else x


def _build() -> dict[str, Any]:
    found: dict[str, Any] = {"::": NULL}
    found |= {name: Prim(name, calls, 102) for name, calls in OPERATORS.items()}
    found |= {name: Prim(name, {1: f}, 101) for name, f in UNARY.items()}
    found |= {name: Prim(name, {2: f}, 101) for name, f in BINARY.items()}
    found |= {name: Prim(name, calls, 101) for name, calls in OTHERS.items()}
    found |= {sign: Prim(sign, {1: UNARY[name]}, 101) for sign, name in MONADS.items()}
    for sign in ("/", "\\", "':", "/:", "\\:"):
        found[sign] = Prim(sign, {1: _deriving(sign)}, 103)
    found["'"] = Prim("'", {1: _deriving("'"), 2: operators.compose, 3: operators.compose}, 103)
    found[",:"] = Prim(",:", {1: enlist}, 101)
    return found


BUILTINS = _build()


def refuse_missing(name: str) -> None:
    if name in MISSING:
        raise Unsupported(f"the keyword {name}")
