"""Structured logging: one event a line, noun first, facts as keys; JSON or for people."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

import structlog

from dragonfly_common.printable import LONGEST_SENTENCE, printable

__all__ = ["LOG_FORMATS", "LOG_LEVELS", "LogFormat", "configure", "line"]

LogFormat = Literal["auto", "console", "json"]
LOG_FORMATS: Final = ("auto", "console", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


def configure(level: str, log_format: LogFormat, service: str, instance: str) -> None:
    """Send every log line of this process, of whichever thread, to standard error.

    `auto` is for people where standard error is a terminal, and JSON elsewhere.
    """

    def sign(
        logger: structlog.typing.WrappedLogger, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event.setdefault("service", service)
        event.setdefault("instance", instance)
        return event

    for_people = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    renderers: list[structlog.typing.Processor] = (
        [
            _make_printable,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
        if for_people
        else [structlog.processors.JSONRenderer()]  # which escapes all but ASCII by itself
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            sign,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=lambda *_: _Log(sys.stderr),
        # Not cached: a test that configures the log of a process must not leave it to the next one.
        cache_logger_on_first_use=False,
    )


def _make_printable(
    logger: structlog.typing.WrappedLogger, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Write out what would move a reader's cursor; a traceback keeps its lines."""
    return {
        key: "\n".join(printable(line, LONGEST_SENTENCE) for line in value.splitlines())
        if key == "exception"
        else printable(value, LONGEST_SENTENCE)
        if isinstance(value, str)
        else value
        for key, value in event.items()
    }


def line(level: str, event: str, service: str, **facts: object) -> str:
    """Return one event as `configure` would write it in JSON, for who has no logger of its own."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    signed = {"service": service, "instance": service, "level": level, "timestamp": now}
    return json.dumps({**facts, "event": event, **signed})


class _Log(structlog.WriteLogger):
    """Writes lines as long as somebody reads them: when the reader is gone, work goes on."""

    def __init__(self, file: TextIO) -> None:
        super().__init__(file)

    def msg(self, message: str) -> None:
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg
