"""The reserved words of q that the parser must know: infix keywords, control words, queries."""

from __future__ import annotations

_INFIX_WORDS = """
    and asof bin binr cor cov cross cut div each ema except fby ij ijf in insert inter like lj ljf lsq mavg mcount
    mdev mmax mmin mmu mod msum or over peach pj prior rotate scan scov set setenv ss sublist sv uj ujf union
    upsert vs wavg within wsum xasc xbar xcol xcols xdesc xexp xgroup xkey xlog xprev xrank
"""
INFIX = frozenset(_INFIX_WORDS.split())
CONTROL = frozenset({"if", "while", "do"})
QUERIES = frozenset({"select", "exec", "update", "delete"})
MAX_NESTING = 150
