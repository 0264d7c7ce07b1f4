"""What the tests that span processes share."""

from __future__ import annotations

import sys
from pathlib import Path

# The harness and the oracle stand beside the tests; with importlib mode nobody else finds them.
sys.path.insert(0, str(Path(__file__).parent))
