"""What holds for every test of the repository."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# Machines that run the tests may be slow: how long an example takes says nothing about it.
settings.register_profile("dragonfly", deadline=None)
settings.load_profile("dragonfly")


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """Undo what a test made of the log: a command's goes to a stream that ends with its test."""
    yield
    structlog.reset_defaults()
