"""Every message on the bus. `codec` turns them into bytes and back; `bus` puts them in envelopes.

Times are integer nanoseconds UTC. A message is always a whole state, never a difference:
a lost one is healed by the next.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from dragonfly_common.types import FeedState, Side

__all__ = [
    "Body",
    "Book",
    "Claim",
    "EncodedView",
    "Envelope",
    "FeedStanding",
    "Gone",
    "Heartbeat",
    "Instruments",
    "ListedMarket",
    "VenueStatus",
]


Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A time, an epoch or a sequence: what every contract downstream can carry."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


Ratio = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
"""A part of the whole."""


class Envelope(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The frame around every body on the bus; written and read by the bus alone.

    `epoch` is the publisher's start in ns; `seq` counts the messages of one topic within it.
    """

    version: int
    publisher: str
    epoch: Number
    seq: Number
    ts_pub: Number
    body: msgspec.Raw


class Book(msgspec.Struct, frozen=True, array_like=True, tag="book", gc=False):
    """One venue's top of book of one instrument, and its state.

    Levels are best first, at most the system's depth; none unless `state` is LIVE.
    `feed_epoch` rises with each new connection to the venue; `venue_seq` rises within one.
    `ts_event` is the venue's stamp, None when it sends none.
    `score` is the share of the feed's audits of the last ten minutes that agreed, `score_total`
    that of all; None where nothing could be compared.
    `depth` is how many levels a side are proven: of those none is missing, and beyond them the
    venue may have more. None is the word of a listener that does not say it.
    `book_seq` is set where the best prices came on a channel of their own, at `venue_seq`, ahead of
    the book: that of the book which the levels below them are of. It is less, and never falls
    either.
    """

    state: FeedState
    reason: str
    feed_epoch: Number
    venue_seq: Number
    ts_event: Number | None
    ts_recv: Number
    bids: Side
    asks: Side
    score: Ratio | None = None
    score_total: Ratio | None = None
    depth: Count | None = None
    book_seq: Number | None = None


class EncodedView(msgspec.Struct, frozen=True, array_like=True, tag="view", gc=False):
    """A view that an aggregator computed; `body` is a dragonfly.v1 message, relayed untouched.

    Its ages are of `ts_agg`, and are told anew where it rested since; 0 says that they may be of
    any time.
    """

    live: bool
    depth: int
    body: bytes
    ts_agg: int = 0


class FeedStanding(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A followed instrument as its listener sees it: `state` since `since`, and its last audit.

    `audited_at` is None where nothing was compared yet; `agreed` says how that ended.
    """

    instrument: str
    state: FeedState
    since: Number
    audited_at: Number | None = None
    agreed: bool = False


class VenueStatus(msgspec.Struct, frozen=True, array_like=True, tag="venue", gc=False):
    """A venue as its listener sees it: connections, and how many followed instruments are live.

    It is in its state since `since`, 0 from one that does not say it. `feeds` are told with each
    change of a state, and of audits alone at most every 10 s.
    """

    venue: str
    state: FeedState
    reason: str
    listener: str
    connections: Count
    instruments: Count
    instruments_live: Count
    since: Number = 0
    feeds: tuple[FeedStanding, ...] = ()


class Instruments(msgspec.Struct, frozen=True, array_like=True, tag="instruments", gc=False):
    """All instruments that a venue lists, sorted.

    `markets` is a `ListedMarket` for each of them in the same order, packed (`codec.pack_markets`):
    few ask for them, and all others relay bytes. Empty is the word of a listener that tells none.
    `left_out` counts the entries of the venue's list that could not be read or named.
    `ts_listed` is when the venue gave the list; 0 is the word of a listener that does not say it.
    """

    venue: str
    names: tuple[str, ...]
    markets: bytes = b""
    left_out: Count = 0
    ts_listed: Number = 0


class ListedMarket(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One instrument that a venue lists, as the venue tells of it.

    `word` is the venue's own for a halt, or for a restriction of trading; empty where there is
    none. Increments and minimums of orders are plain decimal text, None where they are not told.
    """

    symbol: str
    halted: bool
    word: str
    tick: str | None
    lot: str | None
    min_amount: str | None
    min_notional: str | None


class Gone(msgspec.Struct, frozen=True, array_like=True, tag="gone", gc=False):
    """Its publisher speaks for this topic no longer: another replica does."""


class Claim(msgspec.Struct, frozen=True, array_like=True, tag="claim", gc=False):
    """A replica's word to the others of its service: the instruments that it has ready.

    One that is `leaving` ends as soon as the others have them too.
    """

    leaving: bool
    keys: frozenset[str]


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag="heartbeat", gc=False):
    """Proof of life: the last `seq` of each topic that changed since the last one.

    With `bye` the publisher ends on purpose: what it said is void at once.
    """

    digest: dict[str, int]
    bye: bool = False


Body = Book | EncodedView | VenueStatus | Instruments | Gone | Claim | Heartbeat
"""Anything an envelope may hold."""
