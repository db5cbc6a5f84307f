"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# The same examples in every run: a change that is tested must not fail for what another one left. To look for new
# examples: python -m pytest --hypothesis-profile=search tests/test_compare_properties.py
settings.register_profile("search", derandomize=False)
settings.register_profile("same", derandomize=True)
settings.load_profile("same")
