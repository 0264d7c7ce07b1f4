"""What every DragonflyBot process shares: types, messages, codec, bus, runtime, command group."""

import sys

if "rich" not in sys.modules:
    # structlog loads rich where it is installed, for a kind of traceback that is never printed
    # here: a fifth of what a service takes to start. Who needs rich still gets it.
    sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog  # noqa: F401

    del sys.modules["rich"]
