"""A gateway to talk to: in the test's own loop, or in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Tests are imported one by one (importlib), so the stub beside them has to be made findable.
sys.path.insert(0, str(HERE))

from stub_gateway import StubGateway  # noqa: E402  (needs the line above)


@pytest.fixture
async def gateway() -> AsyncIterator[StubGateway]:
    async with StubGateway() as stub:
        yield stub


@pytest.fixture(scope="session")
def stub_address() -> Iterator[str]:
    """A stub with a moving market in a process of its own: for tests that have their own loop."""
    command = [sys.executable, str(HERE / "stub_gateway.py")]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # what is beside all tests, too
    with subprocess.Popen(command, env=found, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
