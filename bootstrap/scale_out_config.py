"""The section `ray` of a run's configuration: the cluster whose actors sample and check."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator


class RayConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str | None = None
    """Address of a running cluster (`auto`, `host:6379`), of which this machine is a node; null: one is started on this
    machine and ended with the stage."""
    checker_actors: int = Field(0, ge=0)
    """Actors that check, per target language, each with `checking.workers` interpreter processes (0: one per processor
    that its node lends to Ray); 0: one per node."""
    answer_seconds: float = Field(600.0, gt=0)
    """An actor that gives no sign of life for so long while it has work is ended and replaced."""
    replacements: int = Field(20, ge=0)
    """Lost actors that are replaced, in one stage, before the stage gives up."""

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and value.startswith("ray://"):
            raise ValueError(
                "ray:// is for clients outside of a cluster; the loop's machine must be a node of it: run `ray start "
                "--address=HOST:PORT` there and set ray.address to auto"
            )
        if value is not None and value != "auto" and not re.fullmatch(r"\S+:\d+", value):
            raise ValueError("expected auto, HOST:PORT or null")
        return value
