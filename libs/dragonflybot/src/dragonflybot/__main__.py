"""`python -m dragonflybot` is the command `dragonfly`, also where scripts are not on the path."""

from __future__ import annotations

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command; a Ctrl-C while its modules are imported ends it without a traceback."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:  # not where it is ignored, as in a script's background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from dragonfly_common.cli import main as dragonfly  # noqa: PLC0415 - what takes the time

    signal.signal(signal.SIGINT, usual)
    dragonfly()


if __name__ == "__main__":
    main()
