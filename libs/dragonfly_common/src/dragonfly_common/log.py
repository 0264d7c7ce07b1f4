"""Structured logging: one event a line, noun first, facts as keys; JSON or for people."""

from __future__ import annotations

import logging
import sys
from typing import Final, Literal

import structlog

__all__ = ["LOG_FORMATS", "LOG_LEVELS", "LogFormat", "configure"]

LogFormat = Literal["auto", "console", "json"]
LOG_FORMATS: Final = ("auto", "console", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


def configure(level: str, log_format: LogFormat, service: str, instance: str) -> None:
    """Send every log line of this process to standard error.

    `auto` is for people where standard error is a terminal, and JSON elsewhere.
    """
    for_people = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if for_people
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        # Not cached: a test that configures the log of a process must not leave it to the next one.
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service, instance=instance)
