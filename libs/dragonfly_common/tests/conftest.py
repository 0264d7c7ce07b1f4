"""What the tests of the common library share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tests are imported one by one (importlib): what they share must be made findable.
sys.path.insert(0, str(Path(__file__).parent))

from bus_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ends of the bus, closed after the test."""
    world = World(tmp_path)
    yield world
    world.close_all()
