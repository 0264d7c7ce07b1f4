"""A seeded market at 100 updates a second and venue, with faults on: never a wrong book.

Runs for a few seconds; with `--long` for the full 60.
"""

from __future__ import annotations
