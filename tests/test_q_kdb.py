"""q by an installed program. None is on most machines, so programs of our own stand in for it: see stand_in_q.py."""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stand_in_q import HOSTILE, OURS, RUN, environment, environment_of_ours, stand_in, standing_in

from interpreters import load_interpreter, q_kdb
from interpreters.attacks.on_files import FILES
from interpreters.attacks.on_kernel import KERNEL
from interpreters.attacks.on_python import PYTHON
from interpreters.attacks.scene import Scene
from interpreters.attacks.table import attacks_on, run_attacks
from interpreters.base import Column, ColumnType, Execution, Interpreter, InterpreterError, Limits, Outcome, Table
from interpreters.q_answers import read_answer
from interpreters.q_driver import driver_of
from interpreters.q_kdb import QKdb
from interpreters.sandbox import Wanted
from interpreters.wire import WireError

LIMITS = Limits(seconds=2.0, memory_mb=256, output_bytes=2**18, cells=5_000)
T = Table((Column("a", ColumnType.INT), Column("s", ColumnType.STRING)), ((1, "x"), (2, None), (3, "é")))
PAIR = Table((Column("a", ColumnType.INT), Column("b", ColumnType.LIST)), ((1, [2, 3]),))
Use = Callable[..., QKdb]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user can get at, as an installed program's is."""
    path = Path(tempfile.mkdtemp(prefix="stand-in-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Open the adapter on a program of this source."""
    opened: list[QKdb] = []

    def open_on(source: str = OURS + RUN, sandbox: Wanted | None = None) -> QKdb:
        for name, value in environment_of_ours(stand_in(folder / str(len(opened)), source)).items():
            monkeypatch.setenv(name, value)
        opened.append(QKdb(sandbox or "required"))
        return opened[-1]

    yield open_on
    for one in opened:
        one.close()


@pytest.fixture(scope="module")
def ours() -> Iterator[Interpreter]:
    with standing_in("q_kdb"), load_interpreter("q_kdb") as interpreter:
        assert interpreter.available() is None
        yield interpreter


def run(interpreter: Interpreter, code: str, table: Table = T, name: str = "t") -> Execution:
    return interpreter.execute(code, [{name: table}], LIMITS)


# -- finding it -----------------------------------------------------------------------------------------------------


def test_without_any_q_it_says_where_it_looked_and_what_to_set(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in ("Q_EXECUTABLE", "QHOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(folder))
    with QKdb() as interpreter:
        reason = interpreter.available()
        assert reason and "no q found" in reason and "Q_EXECUTABLE" in reason and "QHOME is not set" in reason
        with pytest.raises(InterpreterError, match="no q found"):
            interpreter.version()


def test_a_program_that_is_named_is_not_replaced_by_another(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("PATH", str(stand_in(folder / "there").parent))
    monkeypatch.setenv("Q_EXECUTABLE", str(folder / "missing"))
    with QKdb() as interpreter:
        assert "there is no such file" in (interpreter.available() or "")
    (folder / "missing").write_text("q")
    with QKdb() as interpreter:
        assert "is not executable" in (interpreter.available() or "")


def test_a_32_bit_program_is_refused_with_the_reason(folder: Path) -> None:
    program = folder / "q"
    program.write_bytes(b"\x7fELF\x01" + struct.pack("<59x"))
    program.chmod(0o755)
    with QKdb(executable=str(program)) as interpreter:
        assert "32-bit" in (interpreter.available() or "")


@pytest.mark.parametrize("place", ["l64/q", "bin/q", "q"])
def test_it_is_found_under_qhome(place: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    program = stand_in(folder / "made")
    for name, value in environment_of_ours(program).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("Q_EXECUTABLE")
    target = folder / "home" / place
    target.parent.mkdir(parents=True)
    shutil.copy(program, target)
    monkeypatch.setenv("QHOME", str(folder / "home"))
    with QKdb() as interpreter:
        assert interpreter.available() is None


# -- which one it is --------------------------------------------------------------------------------------------------


def test_the_label_is_what_the_program_says_of_itself(ours: Interpreter) -> None:
    assert ours.version() == "q-subset 0.1 (not kdb+)"
    assert "seccomp but execve" in ours.sandbox()


KX = OURS.replace('f"q-subset {VERSION} (not kdb+)"', '"KDB+ 4.1 2024.05.31 Copyright (C) 1993-2024 Kx Systems"')


def test_kdb_is_labelled_with_its_release(use: Use) -> None:
    known = 'script = [one.replace(\'(".z.K";".z.k")\', \'("4.1";"2024.05.31")\') for one in script]'
    assert use(KX + known + RUN).version() == "kdb+ 4.1 2024.05.31"


START = "import os, signal, sys, time\n"
FAULTS = {
    "licence": ('print("\'licence error: k4.lic"); sys.exit(1)', ["no licence that works here", "On-Demand"]),
    "old licence": ('print("\'k4.lic"); sys.exit(1)', ["no licence that works here"]),
    "another answer": ("print('7')", ["did not begin", "Q_READABLE"]),
    "hangs": ("time.sleep(60)", ["did not begin with its script in 1 s"]),
    "crashes": ("os.kill(os.getpid(), signal.SIGSEGV)", ["did not begin"]),
    "prints much": ("print('x' * 2**21)", ["more than 65536 bytes before it began"]),
}


@pytest.mark.parametrize("kind", list(FAULTS))
def test_a_program_that_does_not_start_says_why(kind: str, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(q_kdb, "START_SECONDS", 1.0)
    code, says = FAULTS[kind]
    version = "if '--version' in sys.argv: sys.exit(print('any'))\n"
    reason = use(START + version + code).available()
    assert reason and all(words in reason for words in says), reason


def test_a_program_that_adds_otherwise_is_no_q(use: Use) -> None:
    wrong = "script = [one.replace('show 1+1', 'show 1+2') for one in script]"
    assert "expected 2 as what `show 1+1` prints" in (use(OURS + wrong + RUN).available() or "")


# -- candidates -------------------------------------------------------------------------------------------------------

ANSWERS = [
    "t", "select sum a by s from t", "1!t", "0#t", "([] x:0 0n 1.5 -0.1; b:010b; d:2000.01.01 0N 1999.12.31; n:3#0N)",
    "([] l:(1 2;();3 0N))", '([] s:("ab";"";enlist "c"))', "([] p:2000.01.01D12:00:00.000001 0N; u:12:00 0Nu)",
    "", "5", "t:", "t:t,t;", "sums each", "foo", "1+`a", "1 2+1 2 3", "{x}[1;2]", "'own", "til -1", "if[1b; t]",
    "/ a comment\nx:1\n\nf:{\n  x+y}\nselect f[a;1] from t", "t\n\\\nnonsense", ".a.b:1\nselect a:.a.b from t",
]  # fmt: skip
CALLS = [
    "{[a;b] a+b}", "{x}", "{y}", "{x,y}", "{sum y}", "{(x;y)}", '{"é"}', '{"a"}', '{enlist "a"}', '{""}', "{()}",
    "{`k}", "{`a`b}", "{(::)}", "{0N}", "{0n}", "{0w}", "{-0w}", "{1%3}", "{1.5e}", "{3h}", "{4i}", "{0W}", "{1b}",
    "{0x01}",
    "{2000.01.02}", "{0Nd}", "{2000.01m}", "{12:30}", "{12:30:01}", "{12:30:01.5}", "{2000.01.01D01}", "{0D01}",
    "{`a`b!1 2}", '{("a";"bc")!(1;"x")}', '{("ab";"bc")!(1;"x")}', "{()!()}", "{1 2!(3;4 5)}", "{([] a:1 2)}", "{{x}}",
    "{x+}", "{+}", "{(1;(2;(3;`a)))}", "{'oops}", "{x+y+z}", "{1+`a}", "{first ()}", "{0#0}", '{0#""}', "{0#`}",
    "{2#1b}",
    "{1 2 0N}", "{1 0n}", "{-1}", "{[]}", "{[a] a}", "{[a;b;c] a}", "{.z.z}", "{1e300*10}", "{-0.0}",
    "{9007199254740993}",
]  # fmt: skip


@pytest.fixture(scope="module")
def subset() -> Iterator[Interpreter]:
    with load_interpreter("q_subset") as interpreter:
        yield interpreter


@pytest.mark.parametrize("code", [*ANSWERS, *(f"f:{code}" for code in CALLS)])
def test_an_answer_crosses_as_it_does_from_q_subset(code: str, ours: Interpreter, subset: Interpreter) -> None:
    table, name = (PAIR, "f") if code.startswith("f:") else (T, "t")
    there, here = run(ours, code, table, name), run(subset, code, table, name)
    if here.outcome is Outcome.UNSUPPORTED:
        assert there.outcome is Outcome.NO_RESULT and "unsupported" in there.message
        return
    assert (there.outcome, repr(there.results)) == (here.outcome, repr(here.results)), (there, here)
    if here.outcome in (Outcome.RUNTIME_ERROR, Outcome.SYNTAX_ERROR):
        assert there.message.startswith(here.message)


def test_errors_are_told_apart(ours: Interpreter) -> None:
    messages = [run(ours, code).message for code in ("1+`a", "1 2+1 2 3", "{x}[1;2]", "nothing")]
    assert [one.partition(":")[0] for one in messages] == ["'type", "'length", "'rank", "'nothing"]
    assert [one.partition(": ")[2] for one in messages[:2]] == ["wrong type", "lists of different lengths"]


def test_each_test_has_a_fresh_workspace_and_only_its_own_inputs(ours: Interpreter) -> None:
    execution = ours.execute("t:t,t\nt", [{"t": T}, {"t": T}, {"v": T}], LIMITS)
    assert [len(table.rows) for table in execution.results] == [6, 6]
    assert (execution.outcome, execution.message.partition(":")[0]) == (Outcome.RUNTIME_ERROR, "'t")


def test_what_a_candidate_sets_does_not_change_how_it_is_read(ours: Interpreter) -> None:
    execution = run(ours, "\\P 3\nr:([] x:enlist 1%3)\n\\d .other\n.r")
    assert execution.outcome is not Outcome.PASSED
    execution = run(ours, "\\P 3\nf:{[a;b] 1%3}", PAIR, "f")
    assert execution.results[0].rows == ((1 / 3,),)


def test_what_a_candidate_prints_is_not_its_answer(ours: Interpreter) -> None:
    assert (
        run(ours, '-1 "answer 1 {}";\nshow t\n1 "no end of line";\nselect a from t').outcome is not Outcome.WRONG_ANSWER
    )
    execution = run(ours, '-1 "answer 1 {}";\nshow t\nselect a from t')
    assert execution.results == (Table(T.columns[:1], tuple((row[0],) for row in T.rows)),)


@pytest.mark.parametrize(
    ("code", "outcome", "says"),
    [
        ("while[1b;]", Outcome.TIMEOUT, "no result after 2 s"),
        ("exit 0", Outcome.NO_RESULT, "exit code 0, without a result"),
        ("exit 3", Outcome.NO_RESULT, "exit code 3"),
        ("r:()\nwhile[1b; r,:enlist til 100000]", Outcome.MEMORY_EXCEEDED, "more memory than is given"),
        ('([] a:140#enlist 1000#"x")', Outcome.OUTPUT_EXCEEDED, "262144 bytes"),
        ("([] a:til 6000)", Outcome.OUTPUT_EXCEEDED, "more than 5000 cells"),
        ("f:{", Outcome.SYNTAX_ERROR, "'"),
        ("t", Outcome.PASSED, ""),
    ],
)
def test_each_ending_has_its_outcome(code: str, outcome: Outcome, says: str, ours: Interpreter) -> None:
    execution = run(ours, code)
    assert execution.outcome is outcome
    assert says in execution.message


# -- programs that misbehave ------------------------------------------------------------------------------------------

_BEGUN = OURS + "begin = next(i for i, one in enumerate(script) if one.startswith('-1 \"begin'))\n"
_BEGUN += "if not any(one.startswith('t:') for one in script): main(script)\nmain(script[:begin + 1])\n"
_BEGUN += "import os, re, signal, time\nnonce = re.search('answer (\\\\w+)', script[-2])[1]\n"
LATER = {
    "dies": ("os.kill(os.getpid(), signal.SIGSEGV)", Outcome.RUNTIME_ERROR, "SIGSEGV"),
    "prints much": ("print('x' * 2**21, flush=True)", Outcome.OUTPUT_EXCEEDED, "were printed"),
    "answers garbage": ("print(f'\\nanswer {nonce} {{\"last\":[1]}}', flush=True)", Outcome.NO_RESULT, "not one"),
    "answers no JSON": (
        "print(f'\\nanswer {nonce} \\udc80['.encode('utf-8', 'replace'))",
        Outcome.NO_RESULT,
        "without",
    ),
    "answers another": ('print(\'\\nanswer 0 {"last":{"t":-7,"v":"1"}}\')', Outcome.NO_RESULT, "without a result"),
    "aborts": ("print('-w abort', flush=True); sys.exit(1)", Outcome.MEMORY_EXCEEDED, "more memory"),
}


@pytest.mark.parametrize("kind", list(LATER))
def test_a_program_that_fails_after_it_began_is_the_candidates_failure(kind: str, use: Use) -> None:
    code, outcome, says = LATER[kind]
    execution = run(use(_BEGUN + code), "t")
    assert (execution.outcome, execution.results) == (outcome, ())
    assert says in execution.message


def test_a_program_that_stays_after_its_answer_costs_no_time(use: Use) -> None:
    stays = "for one in script[begin + 1:-1]: run(one)\ntime.sleep(60)"
    interpreter = use(_BEGUN + stays)
    assert interpreter.available() is None
    start = time.monotonic()
    assert run(interpreter, "t").results == (T,)
    assert time.monotonic() - start < 15


# -- hostile programs -------------------------------------------------------------------------------------------------

IN_PYTHON = [row for row in (*PYTHON, *FILES, *KERNEL) if row.language == "python" and row.name != "exec of Python"]
"""All but a start of the same program anew, which is allowed, within the same walls."""
OFTEN = {
    "/etc/passwd", "the root folder", "the environment of other processes", "a new file beside others",
    "removes a file", "mode of a file", "fork", "subprocess", "exec", "TCP", "UDP", "an abstract unix socket",
    "stops another process", "reads another process as its debugger", "io_uring", "memory little by little",
}  # fmt: skip


def attack(use: Use, names: set[str] | None, sandbox: Wanted | None = None) -> list[str]:
    """Return what was not stopped of attacks in Python, by a q that runs candidates as Python."""
    rows = [row for row in IN_PYTHON if names is None or row.name in names]
    assert len(rows) >= len(names or IN_PYTHON)
    with Scene() as scene:
        results = list(run_attacks(use(OURS + HOSTILE, sandbox), scene, rows))
    return [f"{result.number} {result.name}: {result.how}" for result in results if not result.stopped]


def test_a_hostile_program_is_kept_in(use: Use) -> None:
    assert attack(use, OFTEN) == []


@pytest.mark.slow
def test_every_attack_of_a_hostile_program_is_stopped(use: Use) -> None:
    assert attack(use, None) == []


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["namespaces", "chroot"])
def test_a_hostile_program_is_kept_in_where_a_layer_is_missing(missing: str, use: Use, folder: Path) -> None:
    layers = Wanted().layers - {missing}
    interpreter = use(sandbox=Wanted(layers))
    reason = interpreter.available()
    if missing == "chroot" and os.geteuid() == 0 and reason:
        pytest.skip(f"Python lies where another user may not go: {reason}")
    assert f"{missing} no: switched off" in interpreter.sandbox()
    assert attack(use, OFTEN, Wanted(layers)) == []


@pytest.mark.slow
def test_every_attack_in_q_is_stopped(use: Use) -> None:
    with Scene() as scene:
        results = list(run_attacks(use(), scene, attacks_on("q")))
    assert [f"{result.name}: {result.how}" for result in results if not result.stopped] == []


@pytest.mark.parametrize("layers", [{"seccomp", "unprivileged"}, {"landlock", "unprivileged"}, set()])
def test_a_sandbox_with_a_hole_is_refused_unless_it_is_unsafe(layers: set[str], use: Use) -> None:
    reason = use(sandbox=Wanted(frozenset(layers))).available()
    assert reason and "the sandbox does not hold here" in reason


def test_a_program_beside_q_cannot_be_executed(use: Use, folder: Path) -> None:
    other = folder / "0" / "modules" / "other"
    code = f"import os; os.execv({str(other)!r}, ['other'])"
    interpreter = use(OURS + HOSTILE)
    other.write_text(f"#!{environment(other)['Q_READABLE'].split(os.pathsep)[0]}/bin/python\nprint('ran')")
    other.chmod(0o755)
    execution = run(interpreter, code)
    assert "PermissionError" in execution.message


# -- reading answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "", "[]", "{}", '{"last":1}', '{"last":{"t":-7,"v":"1"},"error":"00"}', '{"other":{"t":-7,"v":"1"}}',
        '{"last":{"t":-7,"v":"x"}}', '{"last":{"t":-7,"v":1}}', '{"last":{"t":true,"v":"1"}}',
        '{"last":{"t":-3,"v":"1"}}',
        '{"last":{"t":7,"v":"1"}}', '{"last":{"t":-5,"v":"32768"}}', '{"last":{"t":-9,"v":"nan"}}', '{"error":"zz"}',
        '{"last":{"t":-9,"v":"1e999"}}', '{"last":{"t":-10,"v":"6162"}}', '{"last":{"t":-1,"v":"2"}}',
        '{"last":{"t":98}}',
        '{"last":{"t":98,"v":[{"t":11,"v":["61"]},[{"t":7,"v":["1"]},{"t":7,"v":["1"]}]]}}',
        '{"last":{"t":98,"v":[{"t":11,"v":["61","62"]},[{"t":7,"v":["1"]},{"t":7,"v":["1","2"]}]]}}',
        '{"last":{"t":99,"v":[{"t":7,"v":["1"]},{"t":7,"v":[]}]}}', '{"last":{"t":99,"v":[{"t":-7,"v":"1"}]}}',
        '{"last":' + '{"t":0,"v":[' * 200 + "]}" * 200 + "}", '{"last":{"t":-9,"v":"' + "1" * 500 + '"}}',
    ],
)  # fmt: skip
def test_an_answer_in_another_format_is_none(line: str) -> None:
    with pytest.raises(WireError):
        read_answer(line.encode(), "", "", 100)


def test_expected_answers_and_other_tests_are_not_in_the_script() -> None:
    text = driver_of("f:{x}", {"f": PAIR}, "nonce").text
    assert "f:{x}" in text and "2 3" in text and "expected" not in text
