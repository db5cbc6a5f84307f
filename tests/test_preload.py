"""What a library imports on first use is imported beforehand, and nothing that would not survive a fork."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(program: str, *path: Path) -> subprocess.CompletedProcess[str]:
    code = f"import sys\nsys.path[:0] = {[str(ROOT), *map(str, path)]!r}\n{textwrap.dedent(program)}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_modules_that_the_probe_imports_are_there_but_not_what_it_did() -> None:
    done = run("""
        from interpreters.processes.preload import preload
        done = []
        def probe():
            import wave
            done.append(wave)
        assert "wave" not in sys.modules
        assert "wave" in preload(probe)
        assert "wave" in sys.modules and done == []
    """)
    assert done.returncode == 0, done.stderr


def test_a_probe_that_fails_says_why() -> None:
    done = run("from interpreters.processes.preload import preload\npreload(lambda: 1 / 0)")
    assert "RuntimeError: the probe of what is imported on first use failed: ZeroDivisionError" in done.stderr


def test_a_probe_that_dies_is_noticed() -> None:
    done = run("import os\nfrom interpreters.processes.preload import preload\npreload(lambda: os._exit(0))")
    assert "RuntimeError: the probe of what is imported on first use gave no answer" in done.stderr


def test_a_module_that_starts_a_thread_is_refused(tmp_path: Path) -> None:
    module = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    (tmp_path / "restless.py").write_text(module)
    done = run("from interpreters.processes.preload import preload\npreload(lambda: __import__('restless'))", tmp_path)
    assert "RuntimeError: a fork would lose threads" in done.stderr


def test_the_probe_leaves_no_process() -> None:
    done = run("""
        import os
        from interpreters.processes.preload import preload
        preload(lambda: None)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            print("none left")
    """)
    assert done.stdout == "none left\n", done.stderr
