"""A console for the q subset.

python -m interpreters.q_subset
"""

from __future__ import annotations

import sys

from interpreters.q_subset import VERSION, StepsExceeded, Unsupported, Workspace


def main() -> int:
    print(f"q-subset {VERSION} (not kdb+); end with \\\\")
    workspace = Workspace()
    while True:
        try:
            line = input("q)")
        except EOFError:
            return 0
        if line.strip() == "\\\\":
            return 0
        try:
            text = workspace.console(line)
        except (Unsupported, StepsExceeded) as error:
            text = f"{type(error).__name__}: {error}"
        if text:
            print(text)


if __name__ == "__main__":
    sys.exit(main())
