"""What holds for all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from interpreters.postgres_sql import PostgresSql

# The same examples in every run: a change that is tested must not fail for what another one left. To look for new
# examples: python -m pytest --hypothesis-profile=search tests/test_compare_properties.py
settings.register_profile("search", derandomize=False)
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Undo what a program called inside a test process sets: later tests send themselves signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresSql]:
    from interpreters.postgres_sql import PostgresSql

    with PostgresSql() as loaded:
        yield loaded
