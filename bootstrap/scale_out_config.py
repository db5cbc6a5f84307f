"""The section `ray` of a run's configuration: the cluster whose actors sample and check."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RayConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str | None = None
    """Address of a running cluster (`auto`, `host:6379`, `ray://host:10001`); null: one is started on this machine and
    ended with the stage."""
    checker_actors: int = Field(0, ge=0)
    """Actors that check, each with `checking.workers` interpreter processes per target language; 0: one per node."""
    answer_seconds: float = Field(600.0, gt=0)
    """An actor that gives no sign of life for so long while it has work is ended and replaced."""
    replacements: int = Field(20, ge=0)
    """Lost actors that are replaced, in one stage, before the stage gives up."""
