"""Templates: pairs of SQL and Ibis with axes, read from YAML and checked before anything is generated.

An axis binds both languages at once: it is a list of choices, each one text for both or `{sql: ..., ibis: ...}`; or a
column by role and class (`facts.number`) or by name (`facts.unit_price`); or constants that fit a column: `value of x`,
`values of x`, `range of x`, `fragment of x`. What is wrong in a template is said with file, template and parameter, and
the template is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bootstrap.errors import UserError, nearest
from bootstrap.generate.sql_to_ibis.domains import CLASSES, ROLES, Domain, Role
from bootstrap.generate.sql_to_ibis.scope import PLACEHOLDER, Scope, Spelling

TEMPLATES_SHIPPED = Path(__file__).with_name("templates")
DRAWS = ("value", "values", "range", "fragment")


class Template(BaseModel):
    """One template of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Name, of its own among all templates."""
    difficulty: Annotated[int, Field(ge=1, le=5)]
    """From 1, one clause, to 5."""
    features: Annotated[tuple[str, ...], Field(min_length=1)]
    """What of SQL it shows."""
    axes: dict[str, Any] = {}
    """Parameter -> axis."""
    sql: Annotated[str, Field(min_length=1)]
    """The query for DuckDB."""
    ibis: Annotated[str, Field(min_length=1)]
    """The same as an Ibis expression, or statements that assign `result`."""
    composable: bool = True
    """Whether its result may be the input of further steps."""


@dataclass(frozen=True)
class ColumnAxis:
    role: Role
    asked: str  # a class, or a column's name

    def choices(self, domain: Domain) -> list[str]:
        if self.asked in CLASSES:
            return domain.columns_of(self.role, self.asked)
        return [self.asked] if self.asked in domain.table(self.role).columns else []


@dataclass(frozen=True)
class DrawAxis:
    how: str
    of: str  # the column axis


@dataclass(frozen=True)
class ChoiceAxis:
    choices: tuple[Spelling, ...]


Axis = ColumnAxis | DrawAxis | ChoiceAxis


@dataclass(frozen=True)
class ReadyTemplate:
    """A template whose axes were understood. `theme`: the file that it is from."""

    template: Template
    theme: str
    axes: Mapping[str, Axis]
    roles: tuple[Role, ...]

    @property
    def name(self) -> str:
        return self.template.name


class TemplateFaultError(ValueError):
    """What is wrong with one template; the message names the parameter."""


def read_templates(folder: Path, domains: Sequence[Domain]) -> tuple[list[ReadyTemplate], list[str]]:
    """Return the templates of a folder's YAML files, and what is wrong with those that are left out.

    Raises UserError where none is right.
    """
    found: dict[str, ReadyTemplate] = {}
    faults: list[str] = []
    for file in sorted(folder.glob("*.yaml")):
        for number, row in enumerate(_rows(file, faults), 1):
            name = row.get("name", f"number {number}") if isinstance(row, Mapping) else f"number {number}"
            try:
                ready = _ready(row, file.stem, domains)
                if ready.name in found:
                    raise TemplateFaultError(f"there is one of this name in {found[ready.name].theme}.yaml: rename it")
                found[ready.name] = ready
            except TemplateFaultError as fault:
                faults.append(f"{file.name}: template {name} refused: {fault}")
    if not found:
        raise UserError(f"{folder}: expected YAML files with templates, found none that is right; {'; '.join(faults)}")
    return list(found.values()), faults


def _rows(file: Path, faults: list[str]) -> Sequence[Any]:
    try:
        rows = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        faults.append(f"{file.name}: not YAML: {str(error).splitlines()[0]}")
        return []
    if not isinstance(rows, list):
        faults.append(f"{file.name}: expected a list of templates, found {type(rows).__name__}")
        return []
    return rows


def _ready(row: Any, theme: str, domains: Sequence[Domain]) -> ReadyTemplate:
    try:
        template = Template.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = nearest(key, Template.model_fields) if first["type"] == "extra_forbidden" else ""
        raise TemplateFaultError(f"parameter {key}: {first['msg']}{known}") from error
    axes = {name: _axis(name, given, template.axes) for name, given in template.axes.items()}
    used = [*_placeholders(template.sql), *_placeholders(template.ibis)]
    for axis in axes.values():
        for choice in axis.choices if isinstance(axis, ChoiceAxis) else ():
            used += [*_placeholders(choice.sql), *_placeholders(choice.ibis)]
    _require_bound(used, axes, domains[0])
    for name, axis in axes.items():
        if isinstance(axis, ColumnAxis):
            _require_known(name, axis, domains)
        if name not in {one.partition(":")[0].partition(".")[0] for one in used} and not _is_drawn_from(name, axes):
            raise TemplateFaultError(f"parameter {name}: it is bound, and neither sql nor ibis has {{{name}}}")
    roles = tuple(role for role in ROLES if role in used)
    if not roles:
        raise TemplateFaultError(f"parameter sql: expected a table, one of {', '.join(f'{{{r}}}' for r in ROLES)}")
    return ReadyTemplate(template, theme, axes, roles)


def _placeholders(text: str) -> Iterator[str]:
    for found in PLACEHOLDER.finditer(text):
        if found[1] is not None:
            yield found[1]


def _axis(name: str, given: Any, axes: Mapping[str, Any]) -> Axis:
    if isinstance(given, list) and given:
        return ChoiceAxis(tuple(_choice(name, one) for one in given))
    if not isinstance(given, str):
        raise TemplateFaultError(
            f"parameter {name}: expected a list of choices, a column such as facts.number, or `value of x`; found "
            f"{type(given).__name__}"
        )
    how, middle, of = given.partition(" of ")
    if middle:
        if how not in DRAWS:
            raise TemplateFaultError(f"parameter {name}: {how!r} of a column{nearest(how, DRAWS)} is not known")
        if of not in axes:
            raise TemplateFaultError(f"parameter {name}: {of!r}{nearest(of, axes)} is no axis of this template")
        return DrawAxis(how, of)
    role, _, asked = given.partition(".")
    if role not in ROLES or not asked:
        raise TemplateFaultError(f"parameter {name}: {given!r}: expected a role and a class, such as facts.number")
    return ColumnAxis(role, asked)


def _choice(name: str, given: Any) -> Spelling:
    if isinstance(given, Mapping):
        if set(given) != {"sql", "ibis"}:
            raise TemplateFaultError(f"parameter {name}: a choice has sql and ibis; found {', '.join(map(str, given))}")
        return Spelling(str(given["sql"]), str(given["ibis"]))
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise TemplateFaultError(f"parameter {name}: the choice {given!r} is no text or number; quote it")
    return Spelling(str(given), str(given))


def _require_bound(used: Sequence[str], axes: Mapping[str, Axis], domain: Domain) -> None:
    known = set(Scope(domain).spellings)
    for name, axis in axes.items():
        known |= {f"{name}.low", f"{name}.high"} if isinstance(axis, DrawAxis) and axis.how == "range" else {name}
        if isinstance(axis, ColumnAxis):
            known |= {f"{name}:{form}" for form in "sta"}
        elif isinstance(axis, DrawAxis) and axis.how == "value":
            known.add(f"{name}:q")
    for one in used:
        if one not in known:
            raise TemplateFaultError(f"parameter {one}: nothing binds {{{one}}}{nearest(one, known)}")


def _require_known(name: str, axis: ColumnAxis, domains: Sequence[Domain]) -> None:
    if any(axis.choices(domain) for domain in domains):
        return
    known = [*CLASSES, *(column for domain in domains for column in domain.table(axis.role).columns)]
    raise TemplateFaultError(
        f"parameter {name}: {axis.role} has no column and there is no class {axis.asked!r}{nearest(axis.asked, known)}"
    )


def _is_drawn_from(name: str, axes: Mapping[str, Axis]) -> bool:
    return any(isinstance(axis, DrawAxis) and axis.of == name for axis in axes.values())
