"""Problems on matrices: lists of rows of one length."""

from __future__ import annotations

from bootstrap.sources.function_basics.drafts import draft, grid, ints, list_of, text, whole

NUMBERS = grid(whole(-5, 9))
SQUARE = grid(whole(-5, 9), square=True)
BITS = grid(whole(0, 1))


@draft(1, NUMBERS, q="flip cells", edges=[([[1]],), ([[1, 2]],), ([[1], [2]],)])
def transpose(cells: list[list[int]]) -> list[list[int]]:
    """Return the columns of a matrix as rows. The matrix has at least one row and one column."""
    return [list(column) for column in zip(*cells, strict=True)]


@draft(1, NUMBERS, q="sum each cells", edges=[([[1]],), ([[1, 2]],)])
def row_sums(cells: list[list[int]]) -> list[int]:
    """Return the sum of each row of a matrix, which has at least one row and one column."""
    return [sum(row) for row in cells]


@draft(1, NUMBERS, q="max each flip cells", edges=[([[1]],), ([[1, 2]],), ([[-1], [-2]],)])
def column_maxima(cells: list[list[int]]) -> list[int]:
    """Return the greatest number of each column of a matrix, which has at least one row and one column."""
    return [max(column) for column in zip(*cells, strict=True)]


@draft(1, SQUARE, q="sum cells@'til count cells", edges=[([[1]],), ([[1, 2], [3, 4]],)])
def trace(cells: list[list[int]]) -> int:
    """Add up the numbers of a square matrix on the diagonal from the upper left to the lower right."""
    return sum(cells[i][i] for i in range(len(cells)))


@draft(2, SQUARE, q="cells@'reverse til count cells", edges=[([[1]],), ([[1, 2], [3, 4]],)])
def other_diagonal(cells: list[list[int]]) -> list[int]:
    """Return the numbers of a square matrix on the diagonal from the upper right to the lower left, in that order."""
    return [row[len(cells) - 1 - i] for i, row in enumerate(cells)]


@draft(2, NUMBERS, q="reverse each flip cells", edges=[([[1]],), ([[1, 2]],), ([[1, 2], [3, 4]],)])
def turn_right(cells: list[list[int]]) -> list[list[int]]:
    """Turn a matrix by a quarter clockwise: its first row becomes the last column. It has at least one row and one
    column."""
    return [list(column)[::-1] for column in zip(*cells, strict=True)]


@draft(1, NUMBERS, q="reverse each cells", edges=[([[1]],), ([[1, 2]],)])
def mirror(cells: list[list[int]]) -> list[list[int]]:
    """Return a matrix with every row in reverse order."""
    return [row[::-1] for row in cells]


@draft(
    2,
    grid(whole(0, 1), 1, 3, square=True),
    q="cells~flip cells",
    edges=[
        ([[1]],),
        ([[1, 2], [2, 1]],),
        ([[1, 2], [3, 1]],),
        ([[0, 1, 2], [1, 5, 3], [2, 3, 4]],),
        ([[0, 1, 2], [1, 5, 3], [2, 7, 4]],),
    ],
)
def is_symmetric(cells: list[list[int]]) -> bool:
    """Say whether a square matrix is the same with its rows and columns exchanged."""
    return cells == [list(column) for column in zip(*cells, strict=True)]


@draft(1, whole(1, 12), q='"j"$i=/:i:til n', edges=[(1,), (2,), (6,)])
def identity_matrix(n: int) -> list[list[int]]:
    """Return the square matrix of n rows with 1 on the diagonal from the upper left to the lower right and 0 elsewhere;
    n is at least 1."""
    return [[int(i == j) for j in range(n)] for i in range(n)]


@draft(1, whole(1, 12), q="i*/:i:1+til n", edges=[(1,), (2,)])
def times_table(n: int) -> list[list[int]]:
    """Return the multiplication table of the numbers 1 to n as a matrix of n rows; n is at least 1."""
    return [[i * j for j in range(1, n + 1)] for i in range(1, n + 1)]


@draft(
    3,
    lambda rng: (
        lambda size: (
            [[rng.randint(-3, 5) for _ in range(size[1])] for _ in range(size[0])],
            [[rng.randint(-3, 5) for _ in range(size[2])] for _ in range(size[1])],
        )
    )([rng.randint(1, 3) for _ in range(3)]),
    q="{[b;row] sum each row*/:flip b}[b] each a",
    edges=[([[2]], [[3]]), ([[1, 2], [3, 4]], [[0, 1], [1, 0]])],
)
def matrix_product(a: list[list[int]], b: list[list[int]]) -> list[list[int]]:
    """Multiply two matrices: the number in row i and column j is the sum of the products of row i of the first with
    column j of the second. The first has as many columns as the second has rows."""
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*b, strict=True)] for row in a]


@draft(
    2,
    grid(whole(0, 3)),
    q="""
    low:where raze cells=min raze cells;
    width:count first cells;
    (first[low] div width),first[low] mod width
    """,
    edges=[([[1]],), ([[1, 1]],), ([[2], [1]],), ([[3, 2], [1, 0]],)],
)
def place_of_least(cells: list[list[int]]) -> list[int]:
    """Return the row and the column, counted from 0, of the least number of a matrix: of several the one in the
    uppermost row, and there the leftmost."""
    least = min(min(row) for row in cells)
    return next([i, row.index(least)] for i, row in enumerate(cells) if least in row)


@draft(
    3,
    BITS,
    q="""
    beside:{(1_x,0)+0,-1_x} each cells;
    above:enlist[count[first cells]#0],-1_cells;
    below:(1_cells),enlist count[first cells]#0;
    beside+above+below
    """,
    edges=[([[1]],), ([[1, 1, 1]],), ([[0, 1], [1, 1]],)],
)
def neighbour_counts(cells: list[list[int]]) -> list[list[int]]:
    """Return for each cell of a matrix of zeros and ones the sum of the cells directly left, right, above and below it;
    what lies outside counts as 0."""
    height, width = len(cells), len(cells[0])
    found = []
    for i in range(height):
        row = []
        for j in range(width):
            near = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
            row.append(sum(cells[a][b] for a, b in near if 0 <= a < height and 0 <= b < width))
        found.append(row)
    return found


@draft(
    2,
    ints(-9, 9, 1, 8),
    whole(1, 4),
    q="(ceiling[count[nums]%width];width)#nums,width#0",
    edges=[([1], 1), ([1, 2, 3], 2), ([1, 2, 3, 4], 2), ([5], 3)],
)
def into_rows(nums: list[int], width: int) -> list[list[int]]:
    """Write a list, which is not empty, into rows of width numbers, from left to right and from top to bottom; zeros
    fill the last row."""
    filled = nums + [0] * (-len(nums) % width)
    return [filled[i : i + width] for i in range(0, len(filled), width)]


@draft(
    2,
    grid(whole(0, 3)),
    q="where (all each cells=first each cells)",
    edges=[([[1]],), ([[1, 2], [0, 0]],), ([[1, 2]],)],
)
def even_rows(cells: list[list[int]]) -> list[int]:
    """Return the places, counted from 0, of the rows of a matrix that hold one number only, as often as there are
    columns."""
    return [i for i, row in enumerate(cells) if len(set(row)) == 1]


@draft(2, list_of(text(".#", 3, 3), 1, 5), q='sum each "#"=flip plan', edges=[(["#.#"],), (["...", "###"],)])
def marks_by_column(plan: list[str]) -> list[int]:
    """Count the marks # in each column of a plan: texts of three characters, at least one of them, one below the
    other."""
    return [sum(row[j] == "#" for row in plan) for j in range(3)]


@draft(2, NUMBERS, q="asc distinct raze cells", edges=[([[1]],), ([[2, 1], [1, 2]],)])
def different_cells(cells: list[list[int]]) -> list[int]:
    """Return the different numbers of a matrix in ascending order."""
    return sorted({n for row in cells for n in row})


@draft(2, SQUARE, q="sum raze cells*i<=\\:i:til count cells", edges=[([[4]],), ([[1, 2], [3, 4]],)])
def upper_sum(cells: list[list[int]]) -> int:
    """Add up the numbers of a square matrix that are on or above the diagonal from the upper left to the lower
    right."""
    return sum(n for i, row in enumerate(cells) for n in row[i:])
