"""Interpreters: run code that a model wrote, in a process of its own, and judge what it returned.

A leaf package: it knows nothing of models, problems or training, and importing it loads no engine.
"""

from __future__ import annotations

import difflib
import importlib
from typing import cast

from interpreters.base import Interpreter, InterpreterUnavailable
from interpreters.sandbox import SandboxName, Wanted

INTERPRETERS = {
    "polars_expr": "interpreters.polars_expr:PolarsExpr",
    "duckdb_sql": "interpreters.duckdb_sql:DuckdbSql",
    "duckdb_script": "interpreters.duckdb_script:DuckdbScript",
    "ibis_duckdb": "interpreters.ibis_expr:IbisDuckdb",
    "ibis_polars": "interpreters.ibis_expr:IbisPolars",
    "postgres_sql": "interpreters.postgres_sql:PostgresSql",
    "python_function": "interpreters.python_function:PythonFunction",
    "q_subset": "interpreters.q_code:QSubset",
    "q_kdb": "interpreters.q_kdb:QKdb",
}


def load_interpreter(name: str, sandbox: SandboxName | Wanted = "required") -> Interpreter:
    """Return a new interpreter, not started yet. Raises InterpreterUnavailable for a name that is not listed.

    With `sandbox="required"` it refuses to start where the sandbox has a hole; "unsafe" goes on and says so.
    """
    if name not in INTERPRETERS:
        near = difflib.get_close_matches(name, INTERPRETERS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InterpreterUnavailable(f"no interpreter is called {name!r}{hint} Known: {', '.join(INTERPRETERS)}")
    module_name, class_name = INTERPRETERS[name].split(":")
    return cast(Interpreter, getattr(importlib.import_module(module_name), class_name)(sandbox=sandbox))
