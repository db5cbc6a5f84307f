"""The settings of the route with a model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from bootstrap.engine_config import EngineConfig


class ModelSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Name of the model at its server, or its folder."""
    engine: EngineConfig = EngineConfig()
    """How it is reached. With `batch: true` all requests of a kind go to the provider's batch service at once."""
    turns: int = Field(5, ge=1)
    """How often each table is asked about, each time in another style and about another subject."""
    questions: int = Field(10, ge=1)
    """Questions per table and turn."""
    rows: int = Field(2_000, ge=5)
    """Rows of a table on which the answers must agree: the first ones."""
    temperature: float = Field(0.7, ge=0)
    """For questions; code and SQL are asked for greedily."""
    max_new_tokens: int = Field(1024, ge=16)
