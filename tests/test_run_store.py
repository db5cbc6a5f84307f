"""The run folder's files: atomic, append-only, tolerant of a torn last line and of nothing else."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from bootstrap.errors import UserError
from bootstrap.files import append_jsonl, each_jsonl, read_jsonl, write_json, write_jsonl
from bootstrap.run_store import RunStore


def test_every_cut_of_a_jsonl_file_reads_as_its_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [{"a": 1}, {"b": "é\u2028"}, {"c": [1, None]}])
    content = path.read_bytes()
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        assert len(read_jsonl(path)) == content[:cut].count(b"\n")


def test_what_is_appended_while_rows_are_read_one_by_one_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [{"a": 1}, {"a": 2}])
    rows = each_jsonl(path)
    assert next(rows) == {"a": 1}
    append_jsonl(path, [{"a": 3}])
    assert list(rows) == [{"a": 2}]


def test_after_mending_a_torn_line_appending_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "rows.jsonl"
    append_jsonl(path, [{"a": 1}])
    with open(path, "ab") as file:
        file.write(b'{"a": ')
    with caplog.at_level(logging.WARNING):
        assert read_jsonl(path, mend=True) == [{"a": 1}]
    assert "line 2 is torn" in caplog.text
    append_jsonl(path, [{"a": 2}])
    assert read_jsonl(path) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("line", [b"[1, 2]", b"hello", b"\xff\xfe", b'{"a": 1'])
def test_a_foreign_line_in_the_middle_is_refused_with_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(UserError, match=r"rows\.jsonl, line 2"):
        read_jsonl(path, mend=True)
    assert path.read_bytes().count(b"\n") == 3


def test_a_failed_write_keeps_the_old_content_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, {"old": True})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"new": float("nan")})
    assert json.loads(path.read_text()) == {"old": True}
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


def test_a_write_to_a_full_device_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"cannot write /dev/full: No space left on device.*--resume"):
        append_jsonl(Path("/dev/full"), [{"a": 1}])


def test_a_stage_is_finished_when_its_record_is_there(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "run")
    folder = store.iteration(1)
    assert store.stage(folder, "SOLVE") is None
    store.finish_stage(folder, "SOLVE", {"seconds": 1.0}, iteration=1, parent=0)
    store.finish_stage(folder, "BUILD", {"seconds": 2.0})
    assert store.stage(folder, "SOLVE") == {"seconds": 1.0}
    assert store.metadata(folder)["parent"] == 0
    assert [p.name for p in folder.iterdir()] == ["metadata.json"]


def test_moving_aside_keeps_everything_and_never_overwrites(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "run")
    for round_number in (1, 2):
        for number in (0, 1, 2):
            write_json(store.iteration(number) / "metadata.json", {"round": round_number})
        write_json(store.final / "metadata.json", {})
        store.move_aside(1)
        assert [p.name for p in store.iterations()] == ["iteration_0"]
        moved = store.root / "aside" / str(round_number)
        assert json.loads((moved / "iteration_2" / "metadata.json").read_text()) == {"round": round_number}
        assert (moved / "final").is_dir()


def test_a_broken_metadata_file_is_named(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.iteration(1).mkdir()
    (store.iteration(1) / "metadata.json").write_text("{")
    with pytest.raises(UserError, match=r"metadata\.json is not JSON"):
        store.metadata(store.iteration(1))
