"""The route without a model: the grammar draws questions, phase by phase, and each one is proved."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from bootstrap.generate.base import Pair, Refusal, UnitResult
from bootstrap.generate.nl_to_postgres.deck import Deck, Draft, NothingFitsError
from bootstrap.generate.nl_to_postgres.draw_builtins import BUILTINS
from bootstrap.generate.nl_to_postgres.draw_complex import COMPLEX
from bootstrap.generate.nl_to_postgres.draw_joins import JOINS
from bootstrap.generate.nl_to_postgres.draw_relations import RELATIONS
from bootstrap.generate.nl_to_postgres.draw_schema import SCHEMA
from bootstrap.generate.nl_to_postgres.draw_single import SAMPLE, SINGLE
from bootstrap.generate.nl_to_postgres.live import Live, live_naming
from bootstrap.generate.nl_to_postgres.prove import Proof, Prover
from bootstrap.generate.nl_to_postgres.render import render

Shape = Callable[[Deck], Draft]
SHAPES: Mapping[str, Sequence[Shape]] = {
    "builtins": BUILTINS, "schema_docs": SCHEMA, "sample_data": SAMPLE, "schema_relationship": RELATIONS,
    "single_table": SINGLE, "joins": JOINS, "complex_sqls": COMPLEX,
}  # fmt: skip
ROUNDS = 3
"""Times that drafts are drawn for what is still wanted."""
SPARE = 1.3
"""Drafts for each pair that is wanted."""


def make_pairs(unit: str, phase: str, wanted: int, prover: Prover, live: Live, licence: str) -> UnitResult:
    """Return up to `wanted` proved pairs of a phase. Raises InterpreterError."""
    copy, seed = prover.copy, f"{prover.settings.seed}:{unit}"
    rng = random.Random(seed)
    deck = Deck(copy, rng)
    tables = copy.catalogue if phase == "schema_docs" else copy.rows
    pairs: dict[str, Pair] = {}
    refusals: list[Refusal] = []
    lacking: Counter[str] = Counter()
    seen: set[str] = set()
    for _ in range(ROUNDS):
        drafts = _drafts(deck, SHAPES[phase], round(SPARE * (wanted - len(pairs))) + 1, lacking, seen)
        for proof in prover.prove([(phase, draft) for draft in drafts], tables, seed):
            code = render(proof.draft.form, lambda name: live_naming(copy, name))
            if not proof.reason:
                _check(proof, code, live)
            if proof.reason:
                refusals.append(prover.refusal(phase, proof.kind, proof.reason, proof.sample))
            elif len(pairs) < wanted:
                pair = prover.pair(proof, code, licence)
                pairs.setdefault(pair.pair_id, pair)
        if len(pairs) == wanted:
            break
    notes = [f"{copy.name}: {live.gone}, so its pairs are proved on the copy alone"] if live.gone else []
    if not pairs and not refusals and lacking:
        notes.append(f"{copy.name}, {phase}: nothing to make, as {lacking.most_common(1)[0][0]}")
    return UnitResult(unit, list(pairs.values()), refusals, notes)


def _drafts(deck: Deck, shapes: Sequence[Shape], number: int, lacking: Counter[str], seen: set[str]) -> list[Draft]:
    """Return drafts with different SQL; a shape that finds nothing to be made of is tried less often."""
    drafts: list[Draft] = []
    for _ in range(4 * number):
        if len(drafts) == number:
            break
        try:
            draft = deck.rng.choice(shapes)(deck)
        except NothingFitsError as error:
            lacking[str(error)] += 1
            continue
        code = render(draft.form)
        if code not in seen:
            seen.add(code)
            drafts.append(draft)
    return drafts


def _check(proof: Proof, code: str, live: Live) -> None:
    """Let the database itself make a plan of the query; what is asked of its schema it answers itself."""
    refused = live.explains(code)
    if refused:
        proof.refuse("invalid", f"EXPLAIN refuses it: {refused[:80]}")
    elif proof.phase == "schema_docs" and proof.answer is not None and proof.expected is not None:
        difference = live.differs(code, proof.answer, proof.expected.ties)
        if difference:
            proof.refuse("invalid", f"the database's own catalogue differs: {difference[:80]}")
