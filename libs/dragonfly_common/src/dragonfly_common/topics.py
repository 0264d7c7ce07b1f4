"""The topics on the bus, built and taken apart in one place.

    book.<instrument>.<venue>.        listener → aggregator
    view.<kind>.<instrument>.         aggregator → gateway
    status.venue.<venue>.             listener → aggregator → gateway
    status.instruments.<venue>.       listener → aggregator → gateway
    relist.                           gateway → aggregator → listener, a subscription only
    share.                            replica → replicas of the same service
    hb.<publisher>                    every publisher → its subscribers

A topic closes with a dot because ZeroMQ subscribes by prefix: without it, the interest in
`view.book.ETH-USD` would also be an interest in `view.book.ETH-USDT`.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final

__all__ = [
    "HEARTBEAT_PREFIX",
    "RELIST_PREFIX",
    "SHARE_TOPIC",
    "STATUS_PREFIX",
    "ViewKind",
    "book_interest",
    "book_topic",
    "heartbeat_topic",
    "instruments_topic",
    "parse_book_interest",
    "parse_book_topic",
    "parse_view_topic",
    "venue_topic",
    "view_topic",
]

HEARTBEAT_PREFIX: Final = "hb."
STATUS_PREFIX: Final = "status."
SHARE_TOPIC: Final = "share."
RELIST_PREFIX: Final = "relist."
"""Who subscribes to it wants what no venue lists so far, and names nothing: the lists are read
again, however many ask for however many names."""


class ViewKind(StrEnum):
    """The views that an aggregator computes of an instrument."""

    BOOK = "book"
    BBO = "bbo"
    LIQUIDITY = "liquidity"
    LEVELS = "levels"
    """A book of all that each venue shows, cut nowhere: what prices after fees are made of."""


_KINDS: Final = {kind.value: kind for kind in ViewKind}


def book_interest(instrument: str) -> str:
    """Return the prefix that asks for one instrument at every venue."""
    return f"book.{instrument}."


def book_topic(instrument: str, venue: str) -> str:
    return f"book.{instrument}.{venue}."


@lru_cache(maxsize=4096)
def view_topic(kind: ViewKind, instrument: str) -> str:
    return f"view.{kind}.{instrument}."


def venue_topic(venue: str) -> str:
    return f"status.venue.{venue}."


def instruments_topic(venue: str) -> str:
    return f"status.instruments.{venue}."


def heartbeat_topic(publisher: str) -> str:
    return f"{HEARTBEAT_PREFIX}{publisher}"


def parse_book_interest(prefix: str) -> str | None:
    """Return the instrument that `book.<instrument>.` asks for, or None for any other prefix."""
    if not (prefix.startswith("book.") and prefix.endswith(".")):
        return None
    return prefix[5:-1] or None


@lru_cache(maxsize=4096)
def parse_book_topic(topic: str) -> tuple[str, str] | None:
    """Return (instrument, venue) of a book topic, or None."""
    if not (topic.startswith("book.") and topic.endswith(".")):
        return None
    instrument, dot, venue = topic[5:-1].rpartition(".")
    return (instrument, venue) if dot and instrument and venue else None


def parse_view_topic(topic: str) -> tuple[ViewKind, str] | None:
    """Return (kind, instrument) of a view topic, or None."""
    head, _, rest = topic.partition(".")
    kind, _, instrument = rest.partition(".")
    if head != "view" or kind not in _KINDS or not instrument.endswith("."):
        return None
    return (_KINDS[kind], instrument[:-1]) if len(instrument) > 1 else None
