"""The configuration of a run: one YAML per experiment, unknown keys refused, `key=value` overrides on top.

Floats in YAML need a dot (`2.0e-5`): YAML reads `2e-5` as a string, which is coerced here all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bootstrap.base_model import FromScratch
from bootstrap.engine_config import EngineConfig
from bootstrap.errors import UserError, nearest
from bootstrap.sampling_config import SamplingConfig, SharingConfig
from bootstrap.scale_out_config import RayConfig
from bootstrap.train_config import TrainConfig


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(Section):
    name: str = "table_pipelines"
    """Name in `bootstrap.sources.SOURCES`."""
    options: dict[str, Any] = {}
    """Options of that source; unknown ones are refused by it."""
    limit: int | None = Field(None, ge=1)
    """Take only so many of its problems."""


class AdmissionConfig(Section):
    languages: Literal["all", "sample", "target"] = "all"
    """Whose references must prove a problem. all: every language that it has a reference in, which shows too that the
    languages agree. target: the target language's alone; where a problem has none, all of its own. sample: as target,
    but every language for the problems of `audit.problems`; with four languages that is a quarter of the work."""
    repeats: Literal["all", "audited"] = "all"
    """Whose references run twice more, the second time with the input rows shuffled, so that results that change are
    found: those of all problems, or of the problems of `audit.problems`. A function's reference runs once more: it has
    one row of arguments, which nothing can shuffle."""


class AuditConfig(Section):
    problems: Annotated[int, Field(ge=0)] | Literal["all"] = "all"
    """How many problems are audited by mutants: wrong code next to the reference, which their data sets must refuse."""
    mutants: int = Field(24, ge=1)
    """Mutants per problem."""
    min_kill_rate: float = Field(0.8, ge=0, le=1)
    """A problem of whose mutants a smaller share fails is quarantined."""
    max_added: int = Field(4, ge=0)
    """Hidden data sets that may be added to a problem where mutants pass those that it has."""


class SplitConfig(Section):
    dev: int = Field(300, ge=0)
    """Held-out problems that pick the best model, evaluated in every iteration."""
    test: int = Field(400, ge=0)
    """Held-out problems touched once, at the end."""
    seeds: int = Field(200, ge=0)
    """Train problems for which a solution in the target language is there at the start: given by the source, or
    converted as `convert` says."""
    near_duplicates: Literal["merge", "keep"] = "merge"
    """merge: families with problems that are near-duplicates (statement or code) go to the same part of the split.
    keep: families as the source names them, for sources that draw their problems from a grammar."""


class PromptConfig(Section):
    style: Literal["plain", "instruct"] = "instruct"
    """plain: the statement alone, answer is bare code. instruct: task, tables and rules, answer in a fenced block."""
    chat: bool = False
    """Send the prompt as a chat message through the tokenizer's chat template."""
    reference: bool = True
    """Carry the short reference of the target language, where there is one (bootstrap.prompt_references), in instruct
    prompts."""


class TeacherConfig(Section):
    model: str
    """Name of the teacher's model at its server, or its folder."""
    engine: EngineConfig = EngineConfig()
    """How to reach it, with its prices and its budget."""
    retries: int = Field(2, ge=0)
    """Rounds after the first one, each with the verdict told and another way of asking."""
    max_new_tokens: int = Field(1024, ge=1)

    @model_validator(mode="after")
    def _one_copy(self) -> TeacherConfig:
        if self.engine.replicas > 1:
            raise ValueError("engine.replicas: a teacher is one copy; for more put a server before it (engine openai)")
        return self


class ConvertConfig(Section):
    """How train problems without a solution in the target language become seeds, up to `split.seeds`."""

    rules: bool = True
    """Translate references between languages, where rules exist: SQL to DuckDB, PostgreSQL, Ibis and Polars."""
    teacher: TeacherConfig | None = None
    """Then ask this model, problem after problem, until there are seeds enough; null: nobody is asked."""


class CheckingConfig(Section):
    workers: int = Field(0, ge=0)
    """Interpreter processes that check at the same time; 0: one per core."""
    seconds: float = Field(5.0, gt=0)
    """Wall time of one candidate over all its tests, until it is killed."""
    memory_mb: int = Field(2048, ge=64)
    """Memory one candidate may add to the libraries'."""
    sandbox: Literal["required", "unsafe"] = "required"
    """required: refuse to start where a candidate could read files, reach a network or start processes. unsafe: go on
    with the layers that there are."""


class DatasetConfig(Section):
    keep_per_problem: int = Field(4, ge=1)
    """Solutions kept per problem: distinct by syntax tree, shortest first."""
    near_duplicates: float = Field(1.0, gt=0, le=1)
    """A further solution of a problem is dropped from this similarity to a kept one on (Jaccard, n-grams of the syntax
    tree without the names of variables: bootstrap.similarity). 1.0: only equal syntax trees are."""
    hinted_share: float = Field(0.25, ge=0, le=1)
    """At most this share of the rows comes from solutions whose prompt showed one in another language; a problem with
    any other solution is trained on without them."""
    balance: bool = False
    """Repeat rows until every problem has as many solutions as the one with most, so that all weigh the same; hinted
    ones are not repeated."""
    tasks: tuple[str, ...] = ("statement_to_code",)
    """What a solution is trained as, names in `bootstrap.tasks.TASKS`."""


class EvaluationConfig(Section):
    samples: int = Field(0, ge=0)
    """Samples per held-out problem for pass@k beside the greedy answer; 0: greedy only."""
    ks: tuple[int, ...] = (1,)
    """The k of pass@k, where samples are drawn."""
    temperature: float = Field(0.8, gt=0)


class ControlsConfig(Section):
    seed_only: bool = True
    """Train a twin on the seeds alone, for the same steps along the same line of models."""
    sample_only_problems: int = Field(150, ge=0)
    """Train problems on which the untrained base model goes on sampling, with the loop's budget; 0: off."""
    parallel: bool = False
    """Train the twin at the same time as the loop's model: for two cores or two GPUs."""


class PlateauConfig(Section):
    rounds: int = Field(2, ge=1)
    """Stop after so many iterations without a better dev score ..."""
    min_newly_solved: float = Field(0.01, ge=0, le=1)
    """... in which also less than this share of the unsolved problems was solved."""


class WandbConfig(Section):
    mode: Literal["offline", "online", "disabled", "environment"] = "environment"
    """environment: as WANDB_MODE says, offline where it says nothing."""
    project: str = "bootstrap-loop"
    candidates: int = Field(100, ge=0)
    """Candidates of each iteration that are shown in a table, drawn by digest; 0: none."""
    datasets: bool = True
    """Keep the training rows of each iteration as an artifact, versioned by content; they are sent in online mode and
    by `wandb sync`."""
    models: bool = False
    """Send each iteration's model too: its full size, every time. False: its fingerprint and where it lies."""


class RunConfig(Section):
    target: str
    """Interpreter of the target language, a name in `interpreters.INTERPRETERS`."""
    other_targets: tuple[str, ...] = ()
    """Further interpreters: each problem is to be solved for every one of them, in one run by one model."""
    sharing: SharingConfig = SharingConfig()
    base_model: str | None = None
    """Path or hub name of the model to start from; or give `from_scratch`."""
    from_scratch: FromScratch | None = None
    """Make the base model from random weights, with a tokenizer trained on the train split."""
    seed: int = 1
    max_iterations: int = Field(4, ge=0)
    target_problems: int | None = Field(None, ge=1)
    """Stop when so many train problems are solved; null: go on to the last iteration or a plateau."""
    plateau: PlateauConfig = PlateauConfig()
    source: SourceConfig = SourceConfig()
    admission: AdmissionConfig = AdmissionConfig()
    audit: AuditConfig = AuditConfig()
    convert: ConvertConfig = ConvertConfig()
    split: SplitConfig = SplitConfig()
    prompt: PromptConfig = PromptConfig()
    engine: EngineConfig = EngineConfig()
    sampling: SamplingConfig = SamplingConfig()
    checking: CheckingConfig = CheckingConfig()
    dataset: DatasetConfig = DatasetConfig()
    train: TrainConfig = TrainConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    controls: ControlsConfig = ControlsConfig()
    wandb: WandbConfig = WandbConfig()
    memory_check: Literal["required", "warn"] = "required"
    """required: refuse to start where the estimate (bootstrap.memory) says that a GPU has too little memory."""
    executor: Literal["local", "ray"] = "local"
    """Where candidates are sampled and checked. local: on this machine. ray: by actors of a Ray cluster (see `ray`)."""
    ray: RayConfig = RayConfig()

    @model_validator(mode="after")
    def _one_base_model(self) -> RunConfig:
        if (self.base_model is None) == (self.from_scratch is None):
            raise ValueError("give exactly one of base_model (path or hub name) and from_scratch")
        return self

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.target, *self.other_targets)

    @model_validator(mode="after")
    def _different_targets(self) -> RunConfig:
        if len(set(self.targets)) != len(self.targets):
            raise ValueError(f"target and other_targets name an interpreter twice: {', '.join(self.targets)}")
        if not self.other_targets and (self.sharing.hints or self.sharing.replay):
            raise ValueError("sharing.hints and sharing.replay need other_targets: there is one target language only")
        return self

    @model_validator(mode="after")
    def _seeds_where_needed(self) -> RunConfig:
        needs = self.controls.seed_only or self.train.seed_steps > 0
        if self.train.program and needs and not self.split.seeds:
            raise ValueError("controls.seed_only and train.seed_steps need seeds: set split.seeds above 0")
        return self


FREE_KEYS = (
    "max_iterations", "target_problems", "plateau", "wandb", "checking.workers", "checking.sandbox", "engine.device",
    "controls.parallel", "engine.concurrency", "engine.timeout_seconds", "engine.retries", "engine.backoff_seconds",
    "engine.budget_usd", "engine.budget_tokens", "engine.prices", "engine.store", "engine.batch_poll_seconds",
    "engine.start_seconds",
    "engine.python", "memory_check", "executor", "ray", "engine.replicas", "engine.answer_seconds",
)  # fmt: skip
"""Settings that a resumed run may change: they decide how long and where it runs, not what its finished stages hold."""


def valid_keys(section: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Return the names allowed at `path` in the configuration."""
    for part in path:
        field = section.model_fields.get(str(part))
        inner = next((t for t in _types(field.annotation) if issubclass(t, BaseModel)), None) if field else None
        if inner is None:
            return []
        section = inner
    return list(section.model_fields)


def _types(annotation: Any) -> list[type]:
    members = getattr(annotation, "__args__", ()) or (annotation,)
    return [member for member in members if isinstance(member, type)]


def explain(error: ValidationError, origin: str, section: type[BaseModel]) -> UserError:
    """Return the error of reading a section in sentences: key, what was expected, what was found, the nearest valid
    name."""
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "(top level)"
        if item["type"] == "extra_forbidden":
            valid = valid_keys(section, item["loc"][:-1])
            lines.append(f"unknown key {key!r}{nearest(str(item['loc'][-1]), valid)} valid here: {', '.join(valid)}")
        else:
            lines.append(f"{key}: {item['msg']}, found {item.get('input')!r}"[:400])
    return UserError(f"{origin}: " + "; ".join(lines))


def set_key(values: dict[str, Any], dotted: str, value: Any) -> None:
    """Set one dotted key in nested dictionaries, making sections on the way."""
    *sections, last = dotted.split(".")
    for section in sections:
        inner = values.get(section)
        values[section] = inner = dict(inner) if isinstance(inner, dict) else {}
        values = inner
    values[last] = value


def parse_overrides(words: Iterable[str]) -> dict[str, Any]:
    """Return dotted key -> value from `key=value` words; values are read as YAML."""
    overrides: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise UserError(f"override {word!r}: expected key=value, e.g. train.learning_rate=1.0e-4")
        try:
            overrides[key] = yaml.safe_load(text)
        except yaml.YAMLError as e:
            raise UserError(f"override {word!r}: the value is not YAML: {e}") from e
    return overrides


def load_config(path: Path | None, overrides: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> RunConfig:
    """Return the configuration of a YAML file (or of `base`) with dotted overrides on top.

    Raises UserError for a missing file, broken YAML, an unknown key (with the nearest valid name) or a bad value.
    """
    values: dict[str, Any] = dict(base or {})
    if path is not None:
        values = read_yaml(path)
    for key, value in overrides.items():
        set_key(values, key, value)
    if overrides.get("base_model"):
        values["from_scratch"] = None  # a base model given by hand replaces the one from random weights
    try:
        return RunConfig.model_validate(values)
    except ValidationError as e:
        raise explain(e, str(path) if path else "configuration", RunConfig) from e


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file, or raise UserError."""
    if not path.is_file():
        valid = [str(p) for p in sorted(path.parent.glob("*.yaml"))]
        raise UserError(f"no configuration file {path}{nearest(str(path), valid)} found: {', '.join(valid) or 'none'}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as e:
        raise UserError(f"{path} is not YAML: {e}") from e
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of keys, found {type(values).__name__}")
    return values


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested dictionaries as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def changed_keys(old: RunConfig, new: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Return the dotted keys that differ and may not, with both values."""
    left, right = flatten(old.model_dump(mode="json")), flatten(new.model_dump(mode="json"))
    keys = sorted(left.keys() | right.keys())
    free = tuple(f"{key}." for key in FREE_KEYS)
    return {
        key: (left.get(key), right.get(key))
        for key in keys
        if left.get(key) != right.get(key) and not f"{key}.".startswith(free)
    }


def debug_overrides(config: RunConfig) -> dict[str, Any]:
    """Return the overrides of `--debug`: one iteration over a handful of problems, to see every stage run."""
    return {
        "max_iterations": 1, "source.limit": 32, "audit.problems": 4, "split.dev": 4, "split.test": 4,
        "split.seeds": 8, "train.steps": 2, "train.seed_steps": min(config.train.seed_steps, 2), "sampling.waves": [2],
        "sampling.max_new_tokens": min(config.sampling.max_new_tokens, 64), "evaluation.samples": 0,
        "controls.sample_only_problems": 1, "wandb.mode": "disabled",
    }  # fmt: skip
