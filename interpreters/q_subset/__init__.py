"""An interpreter of a subset of the language q (kdb+), in pure Python.

    from interpreters.q_subset import Workspace, evaluate

    evaluate("sum 1 2 3")[-1].text        # '6'

It refuses what it does not know (`Unsupported`) rather than guess. Errors of the language are `QError` with q's own
names. A budget of steps and a depth limit end endless programs; lists have a greatest length. Nothing here reads or
writes files, opens connections, asks the time or draws random numbers: such words are Unsupported. One evaluation at
a time in a process. It has no sandbox of its own and needs none for that, but memory is bounded only roughly: run
programs of strangers in a child with limits.
"""

from interpreters.q_subset.errors import QError, StepsExceeded, Unsupported
from interpreters.q_subset.workspace import Result, Workspace, evaluate

VERSION = "0.1"

__all__ = ["VERSION", "QError", "Result", "StepsExceeded", "Unsupported", "Workspace", "evaluate"]
