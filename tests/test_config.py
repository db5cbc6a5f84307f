"""Configurations: every file parses, every mistake is named with its nearest valid name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support import ROOT

from bootstrap.config import changed_keys, debug_overrides, load_config, parse_overrides
from bootstrap.errors import UserError

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_file_in_configs_parses_and_says_how_to_launch_it(path: Path) -> None:
    load_config(path, {})
    first = path.read_text(encoding="utf-8")
    assert first.startswith("#")
    assert f"--config configs/{path.name}" in first


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_debug_fits_every_configuration(path: Path) -> None:
    config = load_config(path, {})
    assert load_config(path, debug_overrides(config)).max_iterations == 1


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("max_iteration", "max_iterations"), ("train.learning_rat", "learning_rate"), ("sampling.wave", "waves")],
)
def test_an_unknown_key_names_the_nearest_valid_one(key: str, nearest: str) -> None:
    with pytest.raises(UserError, match=f"did you mean '{nearest}'"):
        load_config(CONFIGS[0], {key: 1})


def test_a_bad_value_says_what_was_found() -> None:
    with pytest.raises(UserError, match=r"train.learning_rate.*greater than 0.*found -1"):
        load_config(CONFIGS[0], {"train.learning_rate": -1})


def test_a_missing_file_names_those_that_are_there() -> None:
    with pytest.raises(UserError, match=r"no configuration file .*did you mean .*demo\.yaml"):
        load_config(ROOT / "configs" / "dmo.yaml", {})


def test_a_file_that_is_not_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("train: [1,")
    with pytest.raises(UserError, match="is not YAML"):
        load_config(path, {})


def test_overrides_are_read_as_yaml_and_floats_without_a_dot_are_numbers() -> None:
    overrides = parse_overrides(["sampling.waves=[2,3]", "train.learning_rate=2e-5", "target_problems=null"])
    config = load_config(CONFIGS[0], overrides)
    assert config.sampling.waves == (2, 3)
    assert config.train.learning_rate == pytest.approx(2e-5)
    with pytest.raises(UserError, match="expected key=value"):
        parse_overrides(["--oops"])


def test_a_base_model_given_by_hand_replaces_the_one_from_random_weights() -> None:
    config = load_config(ROOT / "configs" / "demo.yaml", {"base_model": "owner/model"})
    assert config.from_scratch is None
    assert config.base_model == "owner/model"


def test_only_settings_that_finished_stages_rest_on_count_as_changed() -> None:
    old = load_config(ROOT / "configs" / "demo.yaml", {})
    free = load_config(ROOT / "configs" / "demo.yaml", {"max_iterations": 9, "wandb.mode": "disabled"})
    assert changed_keys(old, free) == {}
    new = load_config(ROOT / "configs" / "demo.yaml", {"train.steps": 7})
    assert changed_keys(old, new) == {"train.steps": (old.train.steps, 7)}


def test_every_key_is_documented_or_names_a_standard_term() -> None:
    standard = {
        "seed", "max_iterations", "top_p", "max_new_tokens", "temperature", "project", "rounds",
    }  # fmt: skip
    files = [ROOT / "bootstrap" / f"{name}.py" for name in ("config", "train_config", "engine_config")]
    source = "\n".join(file.read_text(encoding="utf-8").replace("from __future__", "# from") for file in files)
    for section in [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]:
        for field, following in zip(section.body, [*section.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                sections = section.name == "RunConfig" and "Config" in ast.unparse(field.annotation)
                assert documented or sections or field.target.id in standard, f"{section.name}.{field.target.id}"


@pytest.mark.parametrize("name", ["demo", "demo_duckdb", "lora"])
def test_the_small_demonstrations_audit_a_sample(name: str) -> None:
    config = load_config(ROOT / "configs" / f"{name}.yaml", {})
    assert (config.audit.problems, config.admission.languages) == (40, "sample")


def test_by_default_every_problem_is_audited_and_proved_in_every_language() -> None:
    config = load_config(None, {"target": "polars_expr", "base_model": "owner/model"})
    assert (config.audit.problems, config.admission.languages, config.admission.repeats) == ("all", "all", "all")


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("audit.problems", "some", r"audit\.problems.*'all'.*found 'some'"),
        ("audit.problems", -1, "audit.problems.*greater than or equal to 0"),
        ("audit.min_kill_rate", 2, "audit.min_kill_rate.*less than or equal to 1"),
        ("admission.languages", "both", "admission.languages.*'sample'.*found 'both'"),
        ("audit.mutant", 3, "did you mean 'mutants'"),
    ],
)
def test_a_wrong_setting_of_admission_and_audit_is_named(key: str, value: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        load_config(ROOT / "configs" / "demo.yaml", {key: value})
