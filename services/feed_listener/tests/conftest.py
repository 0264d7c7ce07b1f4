"""A venue to listen to, in the test's own loop."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fake_venue import pki, server, tls_server
from feed_listener.connection import liveness

__all__ = ["pki", "server", "tls_server"]

# Tests are imported one by one (importlib), so the modules beside them have to be made findable.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test machine stand still for a while: those who mean it let the clock skip more."""
    monkeypatch.setattr(liveness, "FROZEN_S", 30.0)
