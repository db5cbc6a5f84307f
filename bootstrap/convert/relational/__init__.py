"""One relational model between SQL and code: read_*.py read SQL into it, to_*.py render a target from it."""
