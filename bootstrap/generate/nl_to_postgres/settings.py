"""The settings of nl_to_postgres: databases, phases, masking, and how a model is asked where there is one."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bootstrap.engine_config import EngineConfig

PHASES = (
    "builtins", "schema_docs", "sample_data", "schema_relationship", "single_table", "joins", "complex_sqls",
)  # fmt: skip


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseConfig(Section):
    """One database, given in exactly one of four ways. Nothing is ever written to a database given by URL."""

    name: str = ""
    """What to call it; left out: from the file, or "demo"."""
    demo: bool = False
    """The demo database, which is made on the spot."""
    path: str | None = None
    """A file of SQL text, a folder of such files (each one a database), or one of parquet files (each one a table)."""
    url: str | None = None
    """postgresql://user@host/database?sslmode=...; settings are written down, so it may hold no password."""
    url_env: str | None = None
    """Environment variable that holds the URL, password included."""
    schemas: tuple[str, ...] = ()
    """Schemas to read; none: all but the server's own."""
    licence: str = "unknown"
    """Of the database's content."""

    @model_validator(mode="after")
    def _one_way(self) -> DatabaseConfig:
        if [self.demo, bool(self.path), bool(self.url), bool(self.url_env)].count(True) != 1:
            raise ValueError("give one of demo: true, path, url and url_env")
        parts = urlsplit(self.url or "")
        if self.url and (parts.password or "password" in parse_qs(parts.query)):
            raise ValueError("a URL with a password would be written down: put it into a variable and give url_env")
        if self.name and not re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", self.name):
            raise ValueError(f"name {self.name!r}: expected letters, digits, '_', '.' and '-'")
        return self


class PhaseConfig(Section):
    count: int = Field(0, ge=0)
    """Pairs wanted of each database without a model; 0: none."""
    model_count: int = Field(0, ge=0)
    """Pairs asked of a model for each database; needs `model`."""
    api_answer_count: int = Field(5, ge=1)
    """Pairs that one request asks for."""
    use_sample_rows: bool = True
    """Show the model some (masked) rows of each table."""
    prompt_template: str | None = None
    """File of a Jinja template in place of the shipped one of the phase."""


class MaskingConfig(Section):
    personal: tuple[str, ...] = ()
    """Columns that hold personal data, as table.column or schema.table.column; `*` stands for any text."""
    not_personal: tuple[str, ...] = ()
    """Columns that do not, whatever they look like."""
    detect: bool = True
    """Look for personal columns by name and by content, too."""
    key_env: str | None = None
    """Environment variable with the secret key of the masks. null: a key made of the seed, with which anybody who knows
    the seed can test guesses."""


class ModelConfig(Section):
    model: str
    """Name of the model at its server, or its folder."""
    engine: EngineConfig = EngineConfig()
    """How to reach it, with its prices, its budget and the store that makes a killed generation ask nothing twice."""
    solver: str | None = None
    """Another model that solves each question again; null: the same model, which sees the question and schema alone."""
    solver_engine: EngineConfig | None = None
    """How to reach the solver; null: as the model."""
    critic: bool = True
    """Let the model score each pair, and drop those below `threshold`."""
    threshold: float = Field(0.7, ge=0, le=1)
    """The lowest score of the critic that is good enough."""
    max_new_tokens: int = Field(2048, ge=1)
    """Tokens of one answer."""
    temperature: float = Field(0.8, ge=0)
    """Of the requests for pairs; solver and critic answer greedily."""


class Settings(Section):
    seed: int = 1
    """Draws everything."""
    count: int | None = Field(None, ge=1)
    """Pairs wanted in all; null: what the phases give."""
    databases: tuple[DatabaseConfig, ...] = (DatabaseConfig(demo=True),)
    """Where the tables come from."""
    phases: dict[Literal[PHASES], PhaseConfig] = {name: PhaseConfig(count=60) for name in PHASES}  # type: ignore[valid-type]  # a tuple of names
    """What to make, phase by phase."""
    masking: MaskingConfig = MaskingConfig()
    """What is personal, and how it is hidden."""
    model: ModelConfig | None = None
    """Who writes free text; null: nobody, and everything comes from the grammar."""
    sessions: int = Field(4, ge=1)
    """Sessions that all processes together may have on a server given by URL."""
    statement_seconds: float = Field(20.0, gt=0)
    """Time limit of one statement on a database."""
    max_rows: int = Field(600, ge=20)
    """Rows of one table in the masked copy; of larger tables a sample is taken that keeps referenced rows together."""
    max_tables: int = Field(60, ge=1)
    """Tables of one database that are copied, the largest left out last."""
    discovery_rows: int = Field(100_000, ge=100)
    """Rows of one table that the search for relationships reads."""
    problem_rows: int = Field(24, ge=4)
    """Rows of one table in a problem's data set."""
    data_sets: int = Field(4, ge=2)
    """Data sets of a problem; the second half is hidden."""
    answer_rows: int = Field(50, ge=1)
    """Rows of an answer in triples.jsonl; `rows` says how many there are."""

    @model_validator(mode="after")
    def _model_where_needed(self) -> Settings:
        if self.model is None and any(phase.model_count for phase in self.phases.values()):
            raise ValueError("phases: model_count needs the section `model`")
        return self
