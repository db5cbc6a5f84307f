"""How values cross between the wire and q: one place for every interpreter of q and for whoever writes q source.

Arguments and answers of functions: integers are longs, text is a list of chars (of the bytes of its UTF-8), None is
`(::)`. A list of integers, booleans or floats is a vector, with 0N for None among integers; other lists are general.
A struct is a dictionary whose keys are a list of texts; a list of {"key", "value"} with other keys is a dictionary of
those. A symbol is {"$symbol": "abc"}.

Tables: text is symbols there, NULL the null of the column's type. Types without one (booleans, text that is a null
symbol as soon as it is empty) carry no NULL.

Back, widths do not count, a null is None (NaN among floats), and what is no data (functions, tables inside values)
has no form. Whatever does not fit raises WireError with one sentence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from interpreters.base import Column, ColumnType, Table, Value
from interpreters.function_cases import dict_of_pairs
from interpreters.q_atoms import ATOMS, RAW, SYMBOL_KEY, cell_of, chars_of, text_of, value_of
from interpreters.q_literals import source_text
from interpreters.q_names import MAX_PARAMETERS, column_refused, entry_refused, table_refused
from interpreters.q_subset import values as q
from interpreters.wire import MAX_DEPTH, WireError

__all__ = [
    "entry_refused", "from_q", "q_literal", "q_table", "refuses", "require_carried", "result_type", "table_from_q",
    "table_to_q", "to_q", "what_it_is",
]  # fmt: skip

STRING_KEY = "$string"
_PAIR = {"key", "value"}


def q_literal(value: Value) -> str:
    """Return q source of one value."""
    return source_text(to_q(value))


def q_table(table: Table) -> str:
    """Return q source of a table."""
    return source_text(table_to_q(table.columns, columns_of(table)))


def columns_of(table: Table) -> Sequence[Sequence[Value]]:
    return list(zip(*table.rows, strict=True)) if table.rows else [()] * len(table.columns)


# -- values to q ----------------------------------------------------------------------------------------------------


def to_q(value: Value, depth: int = 0) -> q.Value:
    """Return a function's argument as a value of q."""
    if depth > MAX_DEPTH:
        raise WireError(f"a value is nested deeper than {MAX_DEPTH}")
    if value is None:
        return q.NULL
    if isinstance(value, str):
        return q.string(chars_of(value))
    if isinstance(value, list):
        return _list_to_q(value, depth)
    if isinstance(value, dict):
        if _is_symbol(value):
            return q.symbol(RAW[q.SYMBOL](value[SYMBOL_KEY]))
        return _dict_to_q(list(value), list(value.values()), depth)
    kind = ATOMS.get(type(value))
    if kind is None:
        raise WireError(f"q has no value for a {type(value).__name__}")
    return q.Atom(-kind, RAW[kind](value))


def _list_to_q(items: list[Value], depth: int) -> q.Value:
    kind = _vector_type(items)
    if kind:
        raw = RAW[kind]
        return q.Vec(kind, [q.NULLS[kind] if item is None else raw(item) for item in items])
    if items and all(map(_is_symbol, items)):
        return q.symbols(RAW[q.SYMBOL](item[SYMBOL_KEY]) for item in items)  # type: ignore[call-overload, index]  # structs
    if _is_dict(items):
        pairs = [(item["key"], item["value"]) for item in items]  # type: ignore[call-overload, index]  # structs
        return _dict_to_q([key for key, _ in pairs], [value for _, value in pairs], depth)
    found = q.collect_rows([to_q(item, depth + 1) for item in items])
    if not isinstance(found, q.Vec):
        raise WireError("a list of dictionaries with the same symbols as keys is a table in q")
    return found


def _dict_to_q(keys: list[Any], values: list[Value], depth: int) -> q.Value:
    found = _list_to_q(keys, depth + 1), _list_to_q(values, depth + 1)
    if not all(isinstance(part, q.Vec) for part in found):
        raise WireError("the keys or values of a dictionary are themselves a dictionary in q")
    return q.Dict(*found)  # type: ignore[arg-type]  # lists, as told above


def _vector_type(items: list[Value]) -> int:
    """Return the type of a typed vector, 0 for another list. Raises WireError for floats with None."""
    classes = set(map(type, items))
    if len(classes) == 1:
        return ATOMS.get(classes.pop(), 0)
    if classes == {int, type(None)}:
        return q.LONG
    if classes == {float, type(None)}:
        raise WireError("a list of floats has None, which q does not tell from NaN")
    return 0


def _is_symbol(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {SYMBOL_KEY} and type(value[SYMBOL_KEY]) is str


def _is_dict(items: list[Value]) -> bool:
    """Whether these are the pairs of a dict: one whose keys are all text would be a struct."""
    pairs = [item for item in items if isinstance(item, dict) and item.keys() == _PAIR]
    return bool(items) and len(pairs) == len(items) and not all(isinstance(pair["key"], str) for pair in pairs)


# -- tables to q ----------------------------------------------------------------------------------------------------

_COLUMNS = {
    ColumnType.NULL: q.LONG, ColumnType.BOOL: q.BOOL, ColumnType.INT: q.LONG, ColumnType.FLOAT: q.FLOAT,
    ColumnType.DECIMAL: q.FLOAT, ColumnType.STRING: q.SYMBOL, ColumnType.DATE: q.DATE,
    ColumnType.TIMESTAMP: q.TIMESTAMP, ColumnType.TIME: q.TIME, ColumnType.INTERVAL: q.TIMESPAN,
}  # fmt: skip


def table_to_q(columns: Sequence[Column], values: Sequence[Sequence[Value]]) -> q.Table:
    """Return a table, given as one sequence of values per column."""
    if not columns:
        raise WireError("q has no table without columns")
    vectors = [_column_to_q(column, cells) for column, cells in zip(columns, values, strict=True)]
    return q.Table([column.name for column in columns], vectors)


def _column_to_q(column: Column, values: Sequence[Value]) -> q.Vec:
    kind = _COLUMNS.get(column.type)
    if kind is None:
        raise WireError(f"a column of type {column.type} is no column of a table in q")
    raw = RAW[kind]
    return q.Vec(kind, [_null(kind) if value is None else _cell(kind, raw(value)) for value in values])


def _null(kind: int) -> Any:
    if kind == q.BOOL:
        raise WireError("a column of booleans has NULL, which q's booleans have not")
    return q.NULLS[kind]


def _cell(kind: int, raw: Any) -> Any:
    if q.is_null_raw(kind, raw):
        raise WireError(f"a column of {_PLURALS[kind]}, which q does not tell from NULL")
    return raw


_PLURALS = {q.FLOAT: "floats has NaN", q.SYMBOL: "text has the empty text"}


# -- from q ---------------------------------------------------------------------------------------------------------


def from_q(noun: q.Value, depth: int = 0) -> Value:
    """Return a function's answer as a value of the wire."""
    if isinstance(noun, q.Atom):
        return value_of(-noun.t, noun.v)
    if isinstance(noun, q.Null):
        return None
    if depth >= MAX_DEPTH:
        raise WireError(f"a value is nested deeper than {MAX_DEPTH}")
    if isinstance(noun, q.Vec):
        return _list_from_q(noun, depth)
    if isinstance(noun, q.Dict) and isinstance(noun.keys, q.Vec) and isinstance(noun.values, q.Vec):
        return _dict_from_q(_list_from_q(noun.keys, depth), _items(noun.values, depth))
    return _refuse(noun)


def result_type(value: Value) -> ColumnType:
    """Return the type of a column with this one cell."""
    if isinstance(value, str):
        return ColumnType.STRING
    if isinstance(value, list | dict):
        return ColumnType.LIST if isinstance(value, list) else ColumnType.STRUCT
    return ColumnType.NULL if value is None else _TYPES[ATOMS[type(value)]]


def _list_from_q(noun: q.Vec, depth: int) -> Any:
    return text_of(noun.v) if noun.t == q.CHAR else _items(noun, depth)


def _items(noun: q.Vec, depth: int) -> list[Value]:
    if not noun.t:
        return [from_q(item, depth + 1) for item in noun.v]
    return [value_of(noun.t, raw) for raw in noun.v]


def _dict_from_q(keys: Any, values: list[Value]) -> Value:
    if not all(isinstance(key, str) for key in keys):
        return dict_of_pairs(list(zip(keys, values, strict=True)))
    if len(set(keys)) != len(keys):
        raise WireError("the result is a dictionary with a key twice")
    return dict(zip(keys, values, strict=True))


def _refuse(noun: q.Value) -> NoReturn:
    if isinstance(noun, q.Table) or q.is_keyed(noun):
        raise WireError("the result is or has a table, expected a value that a function returns")
    if isinstance(noun, q.Dict):
        raise WireError("the result has a dictionary with a table as keys or values")
    raise WireError(f"the result is or has a function ({_FUNCTIONS.get(type(noun), 'a primitive')})")


_FUNCTIONS = {q.Lambda: "a lambda", q.Projection: "a projection, as of too few arguments", q.Derived: "a derived one"}

_TYPES = {
    q.BOOL: ColumnType.BOOL, q.SHORT: ColumnType.INT, q.INT: ColumnType.INT, q.LONG: ColumnType.INT,
    q.REAL: ColumnType.FLOAT, q.FLOAT: ColumnType.FLOAT, q.SYMBOL: ColumnType.STRING, q.DATE: ColumnType.DATE,
    q.TIMESTAMP: ColumnType.TIMESTAMP, q.DATETIME: ColumnType.TIMESTAMP, q.TIMESPAN: ColumnType.INTERVAL,
    q.TIME: ColumnType.TIME, q.SECOND: ColumnType.TIME, q.MINUTE: ColumnType.TIME,
}  # fmt: skip


def table_from_q(noun: q.Value) -> tuple[list[Column], list[list[Value]]]:
    """Return the columns and one list of values per column of a table, the keys of a keyed one first."""
    if q.is_keyed(noun):
        names, vectors = [*noun.keys.names, *noun.values.names], [*noun.keys.columns, *noun.values.columns]  # type: ignore[union-attr]
    elif isinstance(noun, q.Table):
        names, vectors = noun.names, noun.columns
    else:
        raise WireError(f"the result is {what_it_is(noun)}, expected a table")
    found = [_column_from_q(vector) for vector in vectors]
    columns = [Column(name, kind) for name, (kind, _) in zip(names, found, strict=True)]
    return columns, [values for _, values in found]


def what_it_is(noun: q.Value) -> str:
    """Return what a value is, in words for a message."""
    if isinstance(noun, q.Table) or q.is_keyed(noun):
        return "a table"
    if isinstance(noun, q.Atom):
        return f"a {q.TYPE_NAMES[-noun.t]}"
    if isinstance(noun, q.Vec):
        return f"a list of type {q.TYPE_NAMES[noun.t]}" if noun.t else "a general list"
    return "a dictionary" if isinstance(noun, q.Dict) else "nothing" if isinstance(noun, q.Null) else "a function"


def _column_from_q(vector: q.Vec) -> tuple[ColumnType, list[Value]]:
    if not vector.t:
        return _general_column([_cell_of_general(item) for item in vector.v])
    if vector.t == q.CHAR:
        return ColumnType.STRUCT, [{STRING_KEY: text_of(char)} for char in vector.v]
    if vector.t == q.SYMBOL:
        return ColumnType.STRING, [text_of(name) or None for name in vector.v]
    values = [cell_of(vector.t, raw) for raw in vector.v]
    kind = _TYPES.get(vector.t, ColumnType.NULL)  # no type: an empty column of what has no form outside q
    if kind is ColumnType.FLOAT:
        values = [None if math.isnan(value) else value for value in values]  # type: ignore[arg-type]  # floats
    return kind, values


def _cell_of_general(item: q.Value) -> Value:
    """Return a cell of a column of lists; text there is no symbol and must not pass for one."""
    if abs(item.t) == q.CHAR:
        return {STRING_KEY: from_q(item)}
    return from_q(item)


def _general_column(values: list[Value]) -> tuple[ColumnType, list[Value]]:
    classes = {type(value) for value in values}
    if classes == {list}:
        return ColumnType.LIST, values
    return (ColumnType.STRUCT if classes == {dict} else ColumnType.OTHER), values


# -- admission ------------------------------------------------------------------------------------------------------


def require_carried(inputs: Sequence[Mapping[str, Table]]) -> None:
    """Raise WireError with one sentence where q cannot hold the inputs of these tests.

    Where every test has one table of one row, the table is a function's name and its arguments.
    """
    if inputs and all(map(is_call, inputs)):
        for tables in inputs:
            _require_call(tables)
        return
    for tables in inputs:
        for name, table in tables.items():
            _require_name(table_refused(name))
            for column in table.names:
                _require_name(column_refused(column))
            table_to_q(table.columns, columns_of(table))


def refuses(inputs: Sequence[Mapping[str, Table]]) -> str | None:
    """Return why q cannot hold the inputs of these tests, None where it can."""
    try:
        require_carried(inputs)
    except WireError as error:
        return str(error)
    return None


def is_call(tables: Mapping[str, Table]) -> bool:
    return len(tables) == 1 and all(len(table.rows) == 1 for table in tables.values())


def _require_call(tables: Mapping[str, Table]) -> None:
    [(entry, table)] = tables.items()
    _require_name(entry_refused(entry))
    if len(table.columns) > MAX_PARAMETERS:
        raise WireError(f"a function of q has at most {MAX_PARAMETERS} parameters, not {len(table.columns)}")
    for value in table.rows[0]:
        to_q(value)


def _require_name(refusal: str | None) -> None:
    if refusal is not None:
        raise WireError(refusal)
