"""CSV files of every kind become tables without help; what is wrong with one is told, and ends nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from csv_folders import dirty_folder
from support import ROOT

from bootstrap.errors import UserError
from bootstrap.generate.nl_to_polars.csv_records import read_records
from bootstrap.generate.nl_to_polars.csv_tables import CsvTable, read_tables, schema_of
from bootstrap.generate.nl_to_polars.decoding import decode
from bootstrap.generate.nl_to_polars.profiles import MOST_COLUMNS, profile_of
from interpreters.base import ColumnType, Value

REAL = ROOT.parent / "shared" / "data" / "csv"
INT, FLOAT, STRING, DATE = ColumnType.INT, ColumnType.FLOAT, ColumnType.STRING, ColumnType.DATE


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CsvTable]:
    folder = dirty_folder(tmp_path_factory.mktemp("csv"))
    return {table.file: table for table in read_tables(folder, 64 * 2**20, 50_000)}


def column(table: CsvTable, position: int) -> list[Value]:
    return [row[position] for row in table.table.rows]


def types(table: CsvTable) -> list[ColumnType]:
    return [one.type for one in table.columns]


def names(table: CsvTable) -> list[str]:
    return [one.name for one in table.columns]


def test_ragged_rows_blank_lines_and_repeated_headers_are_told(dirty: dict[str, CsvTable]) -> None:
    table = dirty["ragged.csv"]
    assert types(table) == [INT, STRING, FLOAT] and len(table.table.rows) == 63
    assert table.table.rows[1] == (101, "bob", None) and 102 not in column(table, 0)
    told = " ".join(table.notes)
    assert "too few fields" in told and "too many fields" in told and "repeat the header" in told


def test_windows_code_page_semicolons_decimal_commas_and_german_dates(dirty: dict[str, CsvTable]) -> None:
    table = dirty["cp1252.csv"]
    assert (table.encoding, table.separator, table.decimal_comma) == ("cp1252", ";", True)
    assert names(table)[2] == "Fläche km²" and types(table) == [STRING, INT, FLOAT, DATE]
    assert table.table.rows[3] == ("Köln3", 1003, 3.35, dt.date(2020, 3, 4))


@pytest.mark.parametrize(
    ("file", "encoding", "separator"), [("utf16.csv", "utf-16", "\t"), ("utf16_bare.csv", "utf-16-le", "|")]
)
def test_utf16_with_and_without_its_mark(
    dirty: dict[str, CsvTable], file: str, encoding: str, separator: str
) -> None:  # fmt: skip
    assert (dirty[file].encoding, dirty[file].separator, len(dirty[file].table.rows)) == (encoding, separator, 60)


def test_a_file_of_two_encodings_keeps_the_letters_of_both(dirty: dict[str, CsvTable]) -> None:
    cities = column(dirty["mixed.csv"], 1)
    assert set(cities) == {"Zürich", "Besançon"} and any("mixed encodings" in note for note in dirty["mixed.csv"].notes)


def test_headers_that_are_keywords_empty_or_there_twice_get_names_of_their_own(dirty: dict[str, CsvTable]) -> None:
    assert names(dirty["emoji.csv"]) == ["😀 mood", "order", "select", "group by", "Order_2", "column_6", "class"]
    assert dirty["emoji.csv"].encoding == "utf-8-sig"


@pytest.mark.parametrize(
    ("file", "reason"),
    [("empty.csv", "empty"), ("blank.csv", "empty"), ("header_only.csv", "no rows")],
)
def test_a_file_without_rows_is_named_with_the_reason(dirty: dict[str, CsvTable], file: str, reason: str) -> None:
    assert reason in dirty[file].refused and profile_of(dirty[file]) is None
    assert schema_of(dirty[file])["problem"] == dirty[file].refused


def test_one_column_of_text_with_commas_stays_one_column(dirty: dict[str, CsvTable]) -> None:
    assert names(dirty["one_column.csv"]) == ["word"] and "w4, and more" in column(dirty["one_column.csv"], 0)


def test_a_file_without_header_and_one_with_years_as_names(dirty: dict[str, CsvTable]) -> None:
    assert names(dirty["no_header.csv"]) == ["column_1", "column_2", "column_3"]
    assert types(dirty["no_header.csv"]) == [INT, FLOAT, STRING] and len(dirty["no_header.csv"].table.rows) == 60
    assert names(dirty["years.csv"]) == ["country", "1990", "1991"]


def test_a_quotation_mark_that_is_never_closed_loses_no_rows(dirty: dict[str, CsvTable]) -> None:
    assert len(dirty["unclosed.csv"].table.rows) == 201
    assert any("never closed" in note for note in dirty["unclosed.csv"].notes)


def test_quoted_line_ends_titles_excel_marks_and_zero_bytes(dirty: dict[str, CsvTable]) -> None:
    assert column(dirty["quoted.csv"], 1)[0] == 'line 0\nnext "q" 0'
    assert names(dirty["title.csv"]) == ["city", "pop", "area"] and column(dirty["title.csv"], 1)[:2] == [1000, 1001]
    assert types(dirty["excel.csv"]) == [INT, FLOAT]
    assert column(dirty["zero_bytes.csv"], 1)[5] == "x5"


def test_words_for_nothing_are_missing_but_a_country_code_is_none(dirty: dict[str, CsvTable]) -> None:
    table = dirty["words.csv"]
    assert types(table) == [STRING, INT, FLOAT] and table.table.rows[0] == ("NA", None, None)


def test_zones_become_utc_and_leading_zeros_stay_text(dirty: dict[str, CsvTable]) -> None:
    assert column(dirty["moments.csv"], 0)[1] == dt.datetime(2020, 1, 2, 8, 1)
    assert types(dirty["codes.csv"]) == [STRING, INT]


def test_names_that_are_patterns_to_polars_and_columns_without_end_are_in_no_question(
    dirty: dict[str, CsvTable],
) -> None:
    patterns, wide = profile_of(dirty["patterns.csv"]), profile_of(dirty["wide.csv"])
    assert patterns is not None and [one.column.name for one in patterns.facts] == ["df"]
    assert wide is not None and len(wide.facts) == MOST_COLUMNS and len(dirty["wide.csv"].columns) == 1500


def test_an_enormous_file_is_its_first_rows(tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_text("a,b\n" + "".join(f"{i},{i % 5}\n" for i in range(50_000)), encoding="utf-8")
    [by_rows] = read_tables(tmp_path, 2**30, 1_000)
    [by_bytes] = read_tables(tmp_path, 10_000, 50_000)
    assert len(by_rows.table.rows) == 1_000 and not by_rows.whole and any("large" in note for note in by_rows.notes)
    assert 500 < len(by_bytes.table.rows) < 2_000 and by_bytes.table.rows[-1][0] == len(by_bytes.table.rows) - 1


def test_a_folder_that_is_none_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a folder"):
        read_tables(tmp_path / "nowhere", 1000, 1000)
    with pytest.raises(UserError, match="no CSV files"):
        read_tables(tmp_path, 1000, 1000)


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"\xef\xbb\xbf\xe9,a\n", b"\x00", b"\x81\x8d\n", b"\xff" * 9, b'"'])
def test_no_bytes_are_too_broken_to_be_read(raw: bytes) -> None:
    read_records(decode(raw).text)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("a;b\n1,5;x\n2,25;y\n", 1.5, FLOAT),
        ('a,b\n"1,234",x\n"2,500,000",y\n', 1234, INT), ("a;b\n1.234,5;x\n7,25;y\n", 1234.5, FLOAT),
        ("a,b\n1e3,x\n-.5,y\n", 1000.0, FLOAT), ("a,b\n007,x\n010,y\n", "007", STRING),
        ("a,b\n12/31/2020,x\n01/02/2020,y\n", dt.date(2020, 12, 31), DATE),
        ("a,b\n5 Jan 2020,x\n", dt.date(2020, 1, 5), DATE),
        ("a,b\nTRUE,x\nfalse,y\n", True, ColumnType.BOOL), ("a,b\n99999999999999999999,x\n", 1e20, FLOAT),
    ],
)  # fmt: skip
def test_what_a_cell_means(tmp_path: Path, text: str, value: Value, kind: ColumnType) -> None:
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    [table] = read_tables(tmp_path, 10_000, 100)
    assert table.table.rows[0][0] == value and table.columns[0].type is kind


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared CSV files are not here")
def test_the_real_files_are_read_without_help() -> None:
    found = {table.file: table for table in read_tables(REAL, 64 * 2**20, 50_000)}
    rows = {name: len(table.table.rows) for name, table in found.items() if not table.refused}
    assert len(rows) >= 12 and rows["seaborn_titanic.csv"] == 891 and rows["vega_seattle-weather.csv"] == 1461
    weather = schema_of(found["vega_seattle-weather.csv"])["columns"]
    assert [one["dtype"] for one in weather] == ["Date", "Float64", "Float64", "Float64", "Float64", "String"]
    deck = next(one for one in schema_of(found["seaborn_titanic.csv"])["columns"] if one["name"] == "deck")
    assert deck == {
        "name": "deck", "dtype": "String", "samples": ["C", "E", "G"], "range": ["A", "G"], "nulls": 688, "distinct": 7,
    }  # fmt: skip
