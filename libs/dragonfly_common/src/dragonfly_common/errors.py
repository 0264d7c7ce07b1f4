"""The errors of the system, as one tree; each carries what its reader needs.

DragonflyError
├── UserError              a person's mistake: one sentence, no traceback
│   ├── InstrumentError    not a BASE-QUOTE name
│   ├── AddressError       not an address of the bus, or not to be had
│   └── ConfigError        options that do not fit together
└── DecodeError            bytes from outside that do not mean anything; carries a counter label
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "AddressError",
    "ConfigError",
    "DecodeError",
    "DragonflyError",
    "ExitCode",
    "InstrumentError",
    "UserError",
]


class ExitCode(IntEnum):
    """The exit codes, by which a process tells its supervisor, or a shell, why it ended.

    What runs until it is stopped (services, `up`, `demo`, `watch`) has STOPPED after a signal; a
    command that a signal ended before it had begun to run, or had its answer, has INTERRUPTED.
    """

    STOPPED = 0
    BUG = 1
    USAGE = 2
    UNFINISHED = 3
    UNAVAILABLE = 69
    WATCHDOG = 70
    CONFIG = 78
    INTERRUPTED = 130


class DragonflyError(Exception):
    """Base of every error that this system raises on purpose."""


class UserError(DragonflyError):
    """A mistake that its maker can mend: the message names the input, the rule and the remedy."""

    exit_code: ExitCode = ExitCode.CONFIG


class InstrumentError(UserError):
    """A name that is not a normalised instrument."""

    exit_code = ExitCode.USAGE


class AddressError(UserError):
    """An address that cannot be parsed, bound or reached."""


class ConfigError(UserError):
    """Options that contradict each other or name something that is not there."""


class DecodeError(DragonflyError):
    """Bytes from outside that could not be decoded.

    `reason` is a short label for a counter (`not_msgpack`, `bad_schema`, …), never free text.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
