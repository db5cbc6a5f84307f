"""The sections `sampling` and `sharing`: how many samples, and what prompts show of other target languages."""

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

    @model_validator(mode="after")
    def _not_empty(self) -> SamplingConfig:
        if not self.waves or min(self.waves) < 1 or not self.temperatures:
            raise ValueError("waves needs at least one positive number, temperatures at least one")
        return self
