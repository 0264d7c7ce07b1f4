"""What the tests that span processes share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# With importlib mode nobody else finds the targets of fuzzing.
sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

from forked import launch_forked
from system import Process, System

Process.launch = staticmethod(launch_forked)


@pytest.fixture
def system(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[System]:
    """Processes that end with the test; pytest shows their logs where it fails."""
    with System(tmp_path) as running:
        yield running
    request.node.add_report_section("teardown", "logs of the processes", running.logs())
