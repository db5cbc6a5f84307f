"""What every rule conversion takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from interpreters.base import ColumnType

Schema = Mapping[str, Mapping[str, ColumnType]]
"""Table -> column -> class of its values, with the names as the problem's tables have them."""


class UnsupportedSqlError(ValueError):
    """A query that no rule translates. The message is one line that names what is not translated."""


@dataclass(frozen=True)
class Conversion:
    """One attempt. `rule` names the route and the fixes that made it, for statistics."""

    code: str
    rule: str
