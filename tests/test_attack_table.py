"""The attack table on every interpreter, as whoever runs the tests, as root in a container, and as a plain user."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from users import CURRENT, USERS, run_as, why_not

from interpreters import INTERPRETERS, load_interpreter
from interpreters.attacks.grounds import GROUNDS
from interpreters.attacks.scene import Scene
from interpreters.attacks.table import attacks_on, run_attacks
from interpreters.sandbox import Wanted

OPEN = Wanted(layers=frozenset(), required=False)
QUICK = [(CURRENT, "polars_expr")]
EVERYBODY = [
    pytest.param(user, name, marks=() if (user, name) in QUICK else pytest.mark.slow, id=f"{user}, {name}")
    for user in USERS
    for name in INTERPRETERS
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user can get at; those above pytest's own are closed whenever another pytest starts."""
    path = Path(tempfile.mkdtemp(prefix="attack-table-"))
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize(("user", "name"), EVERYBODY)
def test_every_attack_is_stopped(user: str, name: str, folder: Path) -> None:
    reason = why_not(user, folder)
    if reason:
        pytest.skip(reason)
    ended = run_as(user, ["-m", "interpreters.doctor", "--attacks", "--json", "--interpreter", name], folder)
    assert ended.stdout, ended.stderr
    [found] = json.loads(ended.stdout)["interpreters"]
    if not found["available"]:
        pytest.skip(found["problem"])
    assert found["problem"] == ""
    assert [f"{row['number']} {row['name']}: {row['how']}" for row in found["attacks"] if not row["stopped"]] == []
    assert len(found["attacks"]) == len(attacks_on(found["language"])) > 40
    assert ended.returncode == 0
    assert [path.name for path in folder.iterdir() if path.name != ".cache"] == []  # it is their home, too


@pytest.mark.parametrize("name", INTERPRETERS)
def test_the_table_has_rows_for_every_interpreter(name: str) -> None:
    language = load_interpreter(name).language
    assert language in GROUNDS
    assert attacks_on(language)


SEEN = {
    "fork": "started",
    "subprocess": "ran another program",
    "a file": "the secret file came home",
    "the root folder": "was listed",
    "the environment of other processes": "the secret environment came home",
    "a new file beside others": "files were made",
    "shared memory that stays": "left behind",
    "removes a file": "a file outside was changed",
    "mode of a file": "a file outside was changed",
    "TCP": "reached a TCP socket",
    "UDP": "reached a UDP socket",
    "an abstract unix socket": "reached a abstract unix socket",
    "listens": "could be reached",
    "stops another process": "another process was changed",
    "signals as the owner of a pipe": "another process got: signal",
    "reads another process as its debugger": "the secret memory came home",
    "io_uring": "io_uring",
    "text on another process's standard output": "another process got: hello",
}


def test_the_table_sees_the_attacks_that_an_open_door_lets_in() -> None:
    with Scene() as scene, load_interpreter("polars_expr", sandbox=OPEN) as polars:
        rows = [attack for attack in attacks_on("polars") if attack.name in SEEN]
        results = {result.name: result for result in run_attacks(polars, scene, rows)}
    assert results.keys() == SEEN.keys()
    assert [name for name, result in results.items() if result.stopped] == []
    assert [(name, results[name].how) for name in SEEN if SEEN[name] not in results[name].how] == []


@pytest.mark.slow
@pytest.mark.parametrize("layers", [{"landlock", "seccomp"}, {"unprivileged", "landlock", "seccomp"}])
def test_every_attack_is_stopped_where_there_are_no_namespaces(layers: set[str]) -> None:
    with Scene() as scene, load_interpreter("polars_expr", sandbox=Wanted(layers=frozenset(layers))) as polars:
        assert "namespaces no" in polars.sandbox()
        results = list(run_attacks(polars, scene))
    assert [f"{result.number} {result.name}: {result.how}" for result in results if not result.stopped] == []
