"""Import structlog without rich; to be imported before anything that logs.

structlog loads rich where it is installed, for a kind of traceback that is never printed here: a
fifth of what a service takes to start. Who needs rich still gets it.
"""

from __future__ import annotations

import sys

__all__: list[str] = []

if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # that is how an import is refused
    import structlog  # noqa: F401

    del sys.modules["rich"]
