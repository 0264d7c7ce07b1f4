"""The events that a decoder makes of a venue's frames. Pure."""

from __future__ import annotations

from typing import Final

import msgspec
from dragonfly_common.printable import printable
from dragonfly_common.types import Level, Side

__all__ = [
    "FRAME_ERROR_REASONS",
    "TRADING",
    "Acked",
    "Bbo",
    "BookTop",
    "Broken",
    "Closing",
    "Event",
    "FrameError",
    "Heard",
    "Lost",
    "Reply",
    "RequestRefused",
    "SeedWanted",
    "Trading",
    "TradingChange",
    "Unchanged",
    "Verified",
    "Welcome",
    "WholeBook",
]


class Trading(msgspec.Struct, frozen=True):
    """The state of trading at a venue, or in a market of it."""

    halted: bool = False
    """Nobody can trade: no level of it may be shown."""
    word: str = ""
    """The venue's own word for what is not as usual: a halt, or a restriction of trading."""

    def said(self, venue: str, what: str) -> str:
        """Return why `what` of a venue is halted, or how it is restricted; "" where it is not."""
        if self.halted:
            return f"{venue} has halted {what}: {printable(self.word)}"
        return f"{venue} restricts {what}: {printable(self.word)}" if self.word else ""


TRADING: Final = Trading()
"""As usual."""


class BookTop(msgspec.Struct, frozen=True, gc=False):
    """A changed top of book: levels best first, at most the decoder's depth."""

    symbol: str
    venue_seq: int
    ts_event: int | None
    bids: Side
    asks: Side
    depth: int | None = None
    """Levels a side to which it is proven that none is missing. None: to the decoder's depth."""
    book_seq: int | None = None
    """Of the levels below the best ones, where those are newer; see `decoding.composed_tops`."""


class Unchanged(msgspec.Struct, frozen=True, gc=False):
    """A book frame of `symbol` that changes nothing in its top levels, or is not newer."""

    symbol: str


class Verified(msgspec.Struct, frozen=True, gc=False):
    """A checksum that came by itself holds for the book of `symbol`."""

    symbol: str


class Bbo(msgspec.Struct, frozen=True, gc=False):
    """The venue's best bid and ask at `venue_seq`, of a channel of its own; None: an empty side."""

    symbol: str
    venue_seq: int
    bid: Level | None
    ask: Level | None
    ts_event: int | None = None


class Acked(msgspec.Struct, frozen=True):
    """The venue accepted (un)subscriptions: of all `request_id`, or of the `symbols` it names."""

    request_id: int | None
    symbols: tuple[str, ...] = ()
    subscribed: bool = True
    complete: bool = False
    """`symbols` are all that the connection has subscribed: what they leave out was left."""
    others: str = ""
    """Why what `symbols` leave out of the request is refused; "" where that says nothing."""
    handle: int | None = None
    """By which the venue knows the subscription of the one symbol; see `Venue.ends_by_handle`."""


class RequestRefused(msgspec.Struct, frozen=True):
    """The venue refused a request, or one symbol of it."""

    request_id: int | None
    symbols: tuple[str, ...]
    reason: str


class Heard(msgspec.Struct, frozen=True):
    """A frame that proves life and says nothing else: heartbeat, pong."""


class Welcome(msgspec.Struct, frozen=True):
    """The venue is ready for requests; see `Venue.welcomes`."""


class Reply(msgspec.Struct, frozen=True):
    """The venue asked for a sign of life that its protocol answers with `text`."""

    text: str


class TradingChange(msgspec.Struct, frozen=True):
    """The venue says whether it, or one market of it, can be traded; `symbol` None: all of it."""

    symbol: str | None
    trading: Trading


class SeedWanted(msgspec.Struct, frozen=True):
    """The book of `symbol` needs a whole one from elsewhere (`Venue.snapshots`) to go on from."""

    symbol: str


class Closing(msgspec.Struct, frozen=True):
    """The venue announces that it will close this connection: open a successor first."""

    reason: str


class Broken(msgspec.Struct, frozen=True):
    """The book of `symbol` can no longer be trusted until it is subscribed anew.

    `cause` is a counter label: `checksum`, `gap` (a message between was lost), `no_snapshot`,
    `malformed` (one of its changes could not be read), `reset` (its sequence or time went back for
    good), `spent` (the price left all levels that a seed had), `crossed` (a bid is no lower than an
    ask), `audit` (what the venue says elsewhere is another book), `silent` (so it is while its
    stream says nothing).
    """

    symbol: str
    cause: str
    detail: str


class Lost(msgspec.Struct, frozen=True):
    """Something was lost on this connection, of which book is unknown: all of them are broken."""

    detail: str


FRAME_ERROR_REASONS: Final = frozenset(
    {
        "not_json",
        "not_gzip",  # where the venue compresses each frame; or more than we accept
        "bad_shape",  # JSON, but not of a shape that the venue documents
        "unknown_channel",
        "bad_level",  # not finite, or a negative amount
        "unsorted",
        "bad_sequence",  # a stamp or counter that cannot be one
        "out_of_order",  # a different book, not newer than the last
        "not_instruments",
    }
)
"""Why a frame can be refused: the labels of one counter."""


Event = (
    BookTop
    | Unchanged
    | Verified
    | Bbo
    | Acked
    | RequestRefused
    | Heard
    | Welcome
    | Reply
    | TradingChange
    | SeedWanted
    | Closing
    | Broken
    | Lost
)


class FrameError(Exception):
    """A frame that means nothing; `reason` is one of `FRAME_ERROR_REASONS`, never free text.

    `symbol` is given where the frame still shows whose it was.
    """

    def __init__(self, reason: str, detail: str = "", symbol: str | None = None) -> None:
        super().__init__(f"{reason}: {printable(detail)}" if detail else reason)
        self.reason = reason
        self.symbol = symbol


class WholeBook(msgspec.Struct, frozen=True, gc=False):
    """Which book a frame holds whole, and where in it."""

    symbol: str
    seq: int
    """Its `venue_seq`."""
    channel: bytes
    bids_at: int
    asks_at: int
