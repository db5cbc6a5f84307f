"""Programs that pass for an installed q: q_subset run on a script as kdb+ would run it, good ones and bad ones.

`stand_in(folder)` makes one; `environment(program)` is what the adapter must be told to find and start it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT

OURS = r"""
import sys
sys.path.insert(0, HERE + "/modules")
from interpreters.q_subset import VERSION, QError, Unsupported, Workspace, keywords
from interpreters.q_subset.values import Prim
from interpreters.q_subset.workspace import statements

if "--version" in sys.argv:
    print(f"q-subset {VERSION} (not kdb+)")
    sys.exit(0)
if sys.stdin.read() or "-q" not in sys.argv:
    sys.exit("expected -q and no input")
keywords.MISSING -= {"exit"}
keywords.BUILTINS["exit"] = Prim("exit", {1: lambda status: sys.exit(status.v)}, 101)
workspace = Workspace()

def run(statement):
    try:
        results = workspace.evaluate(statement, steps=10**15)
    except QError as error:
        sys.exit(f"'{error.name}\n  [0]  {statement[:200]}")
    except Unsupported as error:
        sys.exit(f"unsupported: {error}")
    except MemoryError:
        sys.exit("-w abort")
    for result in results:
        if result.text and not result.shown:
            print(result.text, flush=True)

def main(script):
    for statement in script:
        run(statement)

script = list(statements(open(sys.argv[1], encoding="utf-8", errors="surrogatepass").read()))
"""
RUN = "\nmain(script)\n"

# A q that runs a candidate as Python where it is Python, with all that this process may do.
HOSTILE = r"""
import re
def unquoted(text):
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    one = lambda m: chr(int(m[1], 8)) if m[1][0].isdigit() else escapes.get(m[1], m[1])
    return re.sub(r"\\(\d{3}|.)", one, text)

line = r'^\.judge\.statements:\(\(\),([\d ]+)\) cut \(\),(?:enlist )?"(.*)"$'
found = re.search(line, "\n".join(script), re.MULTILINE)
starts = list(map(int, found[1].split())) if found else []
text = unquoted(found[2]).encode() if found else b""
pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], None])]
code = b"\n".join(pieces).decode("utf-8", "surrogateescape")
begin = next(i for i, one in enumerate(script) if one.startswith('-1 "begin'))
nonce = re.search(r'answer (\w+) ', script[-2])[1]

def answer(kind, text):
    print(f'\nanswer {nonce} {{"{kind}":"{text.encode("utf-8", "replace").hex()}"}}', flush=True)
    sys.exit(0)

try:
    program = compile("no candidate" if code.isidentifier() else code or "none at all", "<attack>", "exec")
except (SyntaxError, ValueError):
    main(script)
main(script[:begin + 1])
try:
    names = {}
    exec(program, names)
    answer("error", repr(names.get("result")))
except BaseException as error:
    answer("error", f"{type(error).__name__}: {error}")
"""


def stand_in(folder: Path, source: str = OURS + RUN, shebang: str = "") -> Path:
    """Return a program of this source. It finds the name of its folder as HERE, with this project's interpreters in
    `modules` there: who may import them must list that folder, which the project's own need not allow."""
    folder.mkdir(exist_ok=True)
    (folder / "modules").mkdir()
    (folder / "modules" / "interpreters").symlink_to(ROOT / "interpreters")
    path = folder / "q"
    path.write_text(f"{shebang or f'#!{sys.executable} -IS'}\nHERE = {str(folder)!r}\n{source}")
    path.chmod(0o755)
    return path


def environment(program: Path, *readable: Path) -> dict[str, str]:
    """Return the variables for it: the Python that runs it is no part of what the adapter lets a q read."""
    python = [sys.prefix, sys.base_prefix]
    return {"Q_EXECUTABLE": str(program), "Q_READABLE": os.pathsep.join([*python, *map(str, readable)])}


def environment_of_ours(program: Path) -> dict[str, str]:
    """Return the variables for a program that imports this project's interpreters."""
    return environment(program, program.parent / "modules", ROOT / "interpreters")


@contextlib.contextmanager
def standing_in(interpreter: str) -> Iterator[None]:
    """Have a stand-in where that interpreter needs a program which is installed nowhere."""
    if interpreter != "q_kdb":
        yield
        return
    folder = Path(tempfile.mkdtemp(prefix="stand-in-"))  # not pytest's, which another user may not enter
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment_of_ours(stand_in(folder / "q")).items():
            patch.setenv(name, value)
        yield
    shutil.rmtree(folder)
