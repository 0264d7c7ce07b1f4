"""What holds for every test of the repository."""

from __future__ import annotations

from hypothesis import settings

# Machines that run the tests may be slow: how long an example takes says nothing about it.
settings.register_profile("dragonfly", deadline=None)
settings.load_profile("dragonfly")
