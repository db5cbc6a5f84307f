"""The engine's settings: every key says what it means, and a run's YAML may hold all of them."""

from __future__ import annotations

import ast

import yaml
from support import ROOT

from bootstrap.config import RunConfig
from bootstrap.engine_config import EngineConfig


def test_every_key_of_the_engine_is_documented() -> None:
    source = (ROOT / "bootstrap" / "engine_config.py").read_text(encoding="utf-8")
    for section in [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]:
        for field, following in zip(section.body, [*section.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign):
                documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                assert documented, ast.unparse(field)


def test_a_run_with_a_teachers_prices_survives_yaml() -> None:
    engine = EngineConfig(name="openai", prices={"gpt": {"input": 1.0, "output": 2.0}}, extra_body={"effort": "low"})
    values = {"target": "polars_expr", "base_model": "gpt", "engine": engine.model_dump(mode="json")}
    assert RunConfig.model_validate(yaml.safe_load(yaml.safe_dump(values))).engine == engine
