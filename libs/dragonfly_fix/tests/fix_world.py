"""What the tests of FIX share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["SCRIPTS", "SPECIFICATION"]

SCRIPTS: Final = Path(__file__).parents[4] / "shared" / "fix44"
"""QuickFIX's acceptance scripts for FIX 4.4."""
SPECIFICATION: Final = SCRIPTS / "FIX44.xml"
