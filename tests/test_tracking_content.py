"""What W&B gets beside the figures, read back from real offline runs: candidates, data sets, models by digest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recorded_runs import Recorded, Sampled, record_run

from bootstrap.config import WandbConfig
from bootstrap.tracking import Tracker
from bootstrap.tracking_content import candidate_rows, file_digest

HOSTILE = "df.head(2) # \x1b[2J </script> \u202e"


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty home folder and no W&B variables."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("HOME", str(folder))
        yield folder


def records(run_dir: Path, part: str) -> list[Any]:
    """Return what an offline run recorded, from W&B's log format (LevelDB's: blocks of 32 KiB, records in pieces)."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = (run_dir / "wandb").glob(f"offline-run-*-{part}/*.wandb")
    content, at, found, piece = path.read_bytes(), 7, [], b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        piece += content[at + 7 : at + 7 + length]
        if kind in (1, 4):  # whole, or its last piece
            found.append(Record.FromString(piece))
            piece = b""
        at += 7 + length
    return found


def artifacts_of(run_dir: Path, part: str) -> dict[str, Any]:
    found = [record.artifact for record in records(run_dir, part) if record.WhichOneof("record_type") == "artifact"]
    return {artifact.type: artifact for artifact in found}


def table_of(run_dir: Path, part: str) -> dict[str, Any]:
    (path,) = (run_dir / "wandb").glob(f"offline-run-*-{part}/files/media/table/*.table.json")
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table


def track(run_dir: Path, iterations: range, **wanted: Any) -> None:
    tracker = Tracker(run_dir, "demo: 1", {"wandb": WandbConfig(**wanted).model_dump(mode="json")})
    for iteration in iterations:
        tracker.log_iteration(iteration, {"diagnosis/canary_lost": iteration})
    tracker.close()


def make_run(folder: Path) -> Path:
    store, _ = record_run(folder, Recorded(lambda *_: Sampled(code=HOSTILE), [{0}, {0, 1}], train=60))
    for iteration in range(2):
        store.train_file(iteration).write_text(json.dumps({"prompt": "p", "completion": str(iteration)}) + "\n")
        store.model(iteration).mkdir()
        (store.model(iteration) / "model.safetensors").write_bytes(bytes([iteration]) * 1000)
        (store.model(iteration) / "checkpoint-2").mkdir()
        (store.model(iteration) / "checkpoint-2" / "optimizer.pt").write_bytes(b"x")
    return store.root


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = make_run(tmp_path_factory.mktemp("tracked") / "run")
    track(run_dir, range(2), candidates=50)
    return run_dir


def test_a_bounded_sample_of_the_candidates_is_in_a_table(tracked: Path) -> None:
    table = table_of(tracked, "iteration-1")
    assert table["columns"] == ["problem_id", "statement", "wave", "sample", "verdict", "message", "tokens", "code"]
    assert len(table["data"]) == 50
    row = dict(zip(table["columns"], table["data"][0], strict=True))
    assert row["statement"] == f"Do {row['problem_id']}."
    assert (row["verdict"], row["message"]) == ("WRONG_ANSWER", "row count 1, expected 2")
    assert row["code"] == "df.head(2) # \\u001b[2J </script> \\u202e"


def test_the_table_stands_in_the_row_of_the_figures(tracked: Path) -> None:
    (row,) = [r.history for r in records(tracked, "iteration-1") if r.WhichOneof("record_type") == "history"]
    keys = {item.key or "/".join(item.nested_key) for item in row.item}
    assert {"diagnosis/canary_lost", "candidates/nrows"} <= keys


def test_the_digest_draws_the_candidates_whatever_their_order_in_the_file(tracked: Path, tmp_path: Path) -> None:
    drawn = candidate_rows(tracked, 1, 20)
    copy = Path(shutil.copytree(tracked, tmp_path / "run", symlinks=True))
    path = copy / "iteration_1" / "candidates.jsonl"
    path.write_text("".join(reversed(path.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")
    assert candidate_rows(copy, 1, 20) == drawn
    assert candidate_rows(copy, 1, 0) == []
    assert len(candidate_rows(copy, 1, 1000)) == 240


def test_training_rows_are_an_artifact_that_points_to_the_file(tracked: Path) -> None:
    data = artifacts_of(tracked, "iteration-1")["dataset"]
    about, file = json.loads(data.metadata), tracked / "iteration_1" / "train.jsonl"
    assert (data.name, about) == ("demo--1-train", {"iteration": 1, "sha256": file_digest(file, whole=True)})
    assert [entry.local_path for entry in data.manifest.contents] == [str(file)]
    assert data.digest != artifacts_of(tracked, "iteration-0")["dataset"].digest


def test_a_model_is_known_by_its_fingerprint_and_stays_where_it_is(tracked: Path) -> None:
    model = artifacts_of(tracked, "iteration-1")["model"]
    about = json.loads(model.metadata)
    assert (about["path"], about["uploaded"]) == (str(tracked / "iteration_1" / "model"), False)
    (entry,) = model.manifest.contents
    weights = tracked / "iteration_1" / "model" / "model.safetensors"
    assert json.loads(Path(entry.local_path).read_text()) == {"model.safetensors": [1000, file_digest(weights)]}
    assert model.digest != artifacts_of(tracked, "iteration-0")["model"].digest


def test_models_go_along_where_the_configuration_says_so(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run")
    track(run_dir, range(1), models=True, datasets=False, candidates=0)
    found = artifacts_of(run_dir, "iteration-0")
    assert found.keys() == {"model"}
    assert [entry.path for entry in found["model"].manifest.contents] == ["model.safetensors"]  # no checkpoints


def test_nothing_is_written_to_the_home_folder(tracked: Path, home: Path) -> None:
    assert list(home.rglob("*")) == []


def test_other_wishes_are_published_when_the_run_goes_on(tracked: Path, tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(tracked, tmp_path / "run", symlinks=True))
    track(run_dir, range(1, 2), candidates=10)
    assert len(table_of(run_dir, "iteration-1")["data"]) == 10


def test_the_ends_and_the_size_tell_large_files_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootstrap.tracking_content.WHOLE_BYTES", 10)
    monkeypatch.setattr("bootstrap.tracking_content.END_BYTES", 4)
    digests = set()
    for content in (b"a" * 20, b"a" * 21, b"a" * 19 + b"b", b"b" + b"a" * 19):
        (tmp_path / "file").write_bytes(content)
        digests.add(file_digest(tmp_path / "file"))
    assert len(digests) == 4
