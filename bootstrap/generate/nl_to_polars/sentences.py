"""Sentences for questions: style -> shape of the query -> ways to put it.

`what` is what is wanted, `by` what it is grouped by, `where` the conditions, `notes` whole sentences on order and the
like. A style is a voice: the same question asked by another person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    what: str
    by: str
    single: bool
    title: str
    where: str
    notes: str

    @property
    def each(self) -> str:
        """Return what one group is."""
        return self.by if self.single else f"combination of {self.by}"

    @property
    def verb(self) -> str:
        return "are" if " and " in self.what else "is"

    def only(self, words: str) -> str:
        """Return the conditions after some words, "" without any; more than one word begins a clause of its own."""
        comma = "," if " " in words and not words.startswith(("-", "(", "in which", "for the rows")) else ""
        return f"{comma} {words} {self.where}" if self.where else ""


Sentence = Callable[[Parts], str]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


_USING = "using only the rows where"
_COUNTING = "counting only rows where"
_ROWS = "for the rows where"

SENTENCES: Mapping[str, Mapping[str, tuple[Sentence, ...]]] = {
    "imperative": {
        "rows": (
            lambda p: f"List {p.what} for every row of {p.title}{p.only('where')}. {p.notes}",
            lambda p: f"From {p.title}, show {p.what} of all rows{p.only('where')}. {p.notes}",
            lambda p: f"Return {p.what} for the rows of {p.title}{p.only('in which')}. {p.notes}",
        ),
        "groups": (
            lambda p: f"For each {p.each} in {p.title}, compute {p.what}{p.only('over the rows where')}. {p.notes}",
            lambda p: f"Group {p.title} by {p.by}{p.only('using only rows where')}, and give {p.what}. {p.notes}",
            lambda p: f"Break {p.title} down by {p.by}: report {p.what}{p.only(_USING)}. {p.notes}",
        ),
        "one": (
            lambda p: f"Compute {p.what} in {p.title}{p.only('over the rows where')}. {p.notes}",
            lambda p: f"Taking the rows of {p.title}{p.only('where')}, work out {p.what}. {p.notes}",
        ),
    },
    "question": {
        "rows": (
            lambda p: f"Which rows are there in {p.title}{p.only('where')}? Show {p.what}. {p.notes}"
            if p.where else f"What {p.verb} {p.what} in each row of {p.title}? {p.notes}",
            lambda p: f"For all rows of {p.title}{p.only('where')}: what {p.verb} {p.what}? {p.notes}",
        ),
        "groups": (
            lambda p: f"For each {p.each} in {p.title}{p.only(_COUNTING)}: what {p.verb} {p.what}? {p.notes}",
            lambda p: f"What {p.verb} {p.what} for each {p.each} in {p.title}{p.only(_COUNTING)}? {p.notes}",
        ),
        "one": (
            lambda p: f"What {p.verb} {p.what} in {p.title}{p.only(_USING)}? {p.notes}",
            lambda p: f"In {p.title}{p.only('among the rows where')}, what {p.verb} {p.what}? {p.notes}",
        ),
    },
    "terse": {
        "rows": (
            lambda p: f"{_upper(p.title)}: {p.what}{p.only('where')}. {p.notes}",
            lambda p: f"Wanted: {p.what} from {p.title}{p.only('where')}. {p.notes}",
        ),
        "groups": (
            lambda p: f"{_upper(p.title)} by {p.by}: {p.what}{p.only('- only rows where')}. {p.notes}",
            lambda p: f"Per {p.each} in {p.title}: {p.what}{p.only('- just rows where')}. {p.notes}",
        ),
        "one": (
            lambda p: f"{_upper(p.title)}: {p.what}{p.only('- only rows where')}. {p.notes}",
            lambda p: f"Wanted: {p.what} in {p.title}{p.only(_USING)}. {p.notes}",
        ),
    },
    "business": {
        "rows": (
            lambda p: f"For a review of {p.title} we need a listing with {p.what}"
            f"{p.only('limited to the rows where')}. {p.notes}",
            lambda p: f"Please extract from {p.title}{p.only('where')} the following: {p.what}. {p.notes}",
        ),
        "groups": (
            lambda p: f"For the report on {p.title}, please break the figures down by {p.by} and state {p.what}"
            f"{p.only(_USING)}. {p.notes}",
            lambda p: f"Management would like to see, by {p.by} in {p.title}, {p.what}"
            f"{p.only(_COUNTING)}. {p.notes}",
        ),
        "one": (
            lambda p: f"We need one line for the report on {p.title}: {p.what}{p.only(_USING)}. {p.notes}",
            lambda p: f"As a key figure for {p.title}, please state {p.what}{p.only(_USING)}. {p.notes}",
        ),
    },
    "casual": {
        "rows": (
            lambda p: f"Can you pull {p.what} from {p.title}{p.only(_ROWS)}? {p.notes}",
            lambda p: f"I'm looking through {p.title} and want {p.what}{p.only('but only where')}. {p.notes}",
        ),
        "groups": (
            lambda p: f"Could you split {p.title} by {p.by} and tell me {p.what}"
            f"{p.only('leaving out everything but rows where')}? {p.notes}",
            lambda p: f"I'd like to know, per {p.each} in {p.title}, {p.what}{p.only('- just rows where')}. {p.notes}",
        ),
        "one": (
            lambda p: f"Quick one about {p.title}: what {p.verb} {p.what}{p.only('just for rows where')}? {p.notes}",
            lambda p: f"I'm curious about {p.what} in {p.title}{p.only('when you only look at rows where')}. {p.notes}",
        ),
    },
}  # fmt: skip
