"""Launch the bootstrap loop: `python bootstrap_loop.py --config configs/demo.yaml` (see --help)."""

import sys

from bootstrap.cli import main

if __name__ == "__main__":
    sys.exit(main())
