"""mmu, inv and the inner product of float vectors and matrices."""

from __future__ import annotations

from typing import Any

from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.values import FLOAT, Atom, Vec


def _rows(x: Any) -> list[list[float]]:
    if type(x) is not Vec or not x.v or x.t:
        raise QError("type")
    if any(type(v) is not Vec or v.t != FLOAT for v in x.v):
        raise QError("type")
    if len({len(v.v) for v in x.v}) != 1:
        raise QError("length")
    return [v.v for v in x.v]


def _dot(a: list[float], b: list[float]) -> float:
    return sum((x * y for x, y in zip(a, b, strict=True)), 0.0)


def matrix_product(x: Any, y: Any) -> Any:
    if type(x) is not Vec or type(y) is not Vec:
        raise QError("type")
    if x.t == FLOAT and y.t == FLOAT:
        if len(x.v) != len(y.v):
            raise QError("length")
        return Atom(-FLOAT, _dot(x.v, y.v))
    left = [x.v] if x.t == FLOAT else _rows(x)
    right = [[v] for v in y.v] if y.t == FLOAT else _rows(y)
    if len(left[0]) != len(right):
        raise QError("length")
    METER.charge(len(left) * len(right) * len(right[0]))
    columns = [list(column) for column in zip(*right, strict=True)]
    rows = [[_dot(row, column) for column in columns] for row in left]
    if x.t == FLOAT:
        return Vec(FLOAT, rows[0])
    if y.t == FLOAT:
        return Vec(FLOAT, [row[0] for row in rows])
    return Vec(0, [Vec(FLOAT, row) for row in rows])


def inverse(x: Any) -> Vec:
    """Return the inverse by elimination with pivots."""
    rows = [list(row) for row in _rows(x)]
    size = len(rows)
    if len(rows[0]) != size:
        raise QError("length")
    METER.charge(size**3)
    wide = [row + [float(i == j) for j in range(size)] for i, row in enumerate(rows)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(wide[r][i]))
        if wide[pivot][i] == 0:
            raise Unsupported("the inverse of a singular matrix")
        wide[i], wide[pivot] = wide[pivot], wide[i]
        scale = wide[i][i]
        wide[i] = [v / scale for v in wide[i]]
        for r in range(size):
            if r != i and wide[r][i]:
                factor = wide[r][i]
                wide[r] = [a - factor * b for a, b in zip(wide[r], wide[i], strict=True)]
    return Vec(0, [Vec(FLOAT, row[size:]) for row in wide])
