"""The sections `sampling` and `sharing`: how many samples, and what prompts show beside the task."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SamplingSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SharingConfig(SamplingSection):
    """What a solution in one target language does for the same problem in the others, in runs with `other_targets`."""

    hints: bool = False
    """Show a model that tries an unsolved problem the shortest solution of it in another target language."""
    replay: bool = False
    """Train, for problems solved in two target languages, on the prompt with such a hint too."""


class AdaptiveConfig(SamplingSection):
    samples_per_problem: float = Field(16.0, gt=0)
    """Samples of an iteration, per unsolved problem on average: the budget."""
    first_wave: int = Field(4, ge=1)
    """Samples of every unsolved problem before anything is known."""
    step: int = Field(4, ge=1)
    """A problem is given further samples in portions of so many."""
    max_waves: int = Field(6, ge=2)
    """After each wave the rest of the budget is planned anew; later waves share it equally."""
    per_problem: int = Field(128, ge=1)
    """No problem gets more samples than this in one iteration."""
    stop_below: float = Field(0.0, ge=0)
    """Stop when the most promising further samples are expected to solve fewer problems than this per 1,000 of them."""
    further_worth: float = Field(0.1, ge=0, le=1)
    """What a further distinct solution is worth, up to `enough_correct`, where a newly solved problem is worth 1; 0: a
    problem is left at its first pass."""
    give_up_after: int | None = Field(None, ge=1)
    """A problem that so many samples of earlier iterations have not solved is left alone; null: never."""


class RepairConfig(SamplingSection):
    """Further waves in which a prompt shows a failed attempt and what is wrong with it: the message of a visible test.
    Attempts that fail on hidden tests alone are not shown, so problems without a visible test get no repair turn, but
    for `hidden_errors`.
    Prompts are longer by the attempt (at most `max_new_tokens`) and its message: leave room in `engine.max_model_len`.
    Meant for models that follow instructions; how much it brings has not been measured here."""

    turns: int = Field(2, ge=1)
    """Repair turns of an iteration, each a wave over the problems that are unsolved by then."""
    samples: int = Field(2, ge=1)
    """Samples of each such problem in a turn, on top of `waves` and of the budget of `adaptive`."""
    temperature: float | None = Field(None, gt=0)
    """null: as `temperatures` says, of which the last serves these waves too."""
    hidden_errors: bool = False
    """Show errors (no wrong answers) at hidden tests too, in problems over tables, their messages without what only
    hidden data hold. For questions over databases, whose only test is hidden: a column that is not there is told."""


class ReferenceHintsConfig(SamplingSection):
    """One last wave in which a prompt shows the problem's reference in another language; what it solves is trained as
    an answer to the task alone. Not `sharing.hints`, which shows in every wave what the run itself has solved in
    another target language."""

    samples: int = Field(4, ge=1)
    """Samples of each problem that nothing else in the iteration has solved, on top of all others."""
    after_iterations: int = Field(1, ge=0)
    """Only for problems that so many whole iterations before this one have left unsolved."""
    temperature: float | None = Field(None, gt=0)
    """null: as `temperatures` says, of which the last serves this wave too."""


class SamplingConfig(SamplingSection):
    waves: tuple[int, ...] = (4, 4)
    """Samples per unsolved problem in each wave of an iteration; a solved problem leaves before the next wave."""
    temperatures: tuple[float, ...] = (0.8,)
    """Temperature of each wave; the last one serves the waves that follow."""
    top_p: float = Field(0.95, gt=0, le=1)
    max_new_tokens: int = Field(512, ge=1)
    enough_correct: int = Field(1, ge=1)
    """A problem with so many distinct correct solutions in an iteration is left alone in its later waves."""
    adaptive: AdaptiveConfig | None = None
    """Spend samples where they are likely to solve something, in place of `waves` (see bootstrap.sample_budget)."""
    repair: RepairConfig | None = None
    """Then show the unsolved problems a failed attempt and its message (see bootstrap.repair); null: never."""
    reference_hints: ReferenceHintsConfig | None = None
    """At last, show what is still unsolved the reference in another language; null: never."""

    @model_validator(mode="after")
    def _not_empty(self) -> SamplingConfig:
        if not self.waves or min(self.waves) < 1 or not self.temperatures:
            raise ValueError("waves needs at least one positive number, temperatures at least one")
        return self
