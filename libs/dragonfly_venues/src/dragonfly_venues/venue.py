"""All that a venue must supply; connecting, acknowledging and reconnecting are generic.

Everything here is pure: bytes in, events out. A venue is one folder beside this file, with the same
file names in each, and one entry point `dragonfly.venues`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Final

import msgspec

from dragonfly_venues.events import TRADING, BookTop, Event, Trading, WholeBook

__all__ = [
    "MAX_BOOK_BYTES",
    "Ask",
    "AuditSources",
    "Decoder",
    "EndpointSource",
    "FixKey",
    "InstrumentSource",
    "Limits",
    "Liveness",
    "LogonTerms",
    "Market",
    "SeedRequest",
    "SnapshotSource",
    "Venue",
    "offered",
]

MAX_BOOK_BYTES: Final = 2**23
"""The largest book that REST may give, decompressed, where a venue says nothing else."""


def offered(depth: int, depths: Sequence[int]) -> int:
    """Return the least of the rising `depths` that holds `depth` levels; the last where none does.

    They are what a venue offers of books on one channel.
    """
    return next((one for one in depths if depth <= one), depths[-1])


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A wish of ours that becomes requests of a venue's protocol."""

    symbols: Sequence[str]
    """Whose books; as many as `Limits.symbols_per_request`."""
    request_id: int
    """For the answer to name, where the protocol has ids."""
    depth: int
    """Levels a side that will be used."""
    subscribe: bool = True
    """Otherwise what was asked for is to end."""
    handles: Mapping[str, int] = {}
    """By which subscriptions are ended, by symbol; see `Venue.ends_by_handle`."""
    bbo: bool = False
    """Also their best bids and asks, where the venue offers them on a channel of their own."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that a venue sets one client; each figure from its documentation."""

    streams_per_connection: int
    symbols_per_request: int
    """Symbols that one call of `Venue.requests` may name; it may make several frames of them."""
    requests_per_second: float
    """Frames that we send, of any kind, on one connection."""
    subscriptions_per_hour: int | None = None
    """Requests that subscribe or unsubscribe, on one connection."""
    pause_after_connect_s: float = 0.0
    """Nothing is asked on a new connection for so long."""
    connects_per_minute: float = 30.0
    """Where none is documented: half of what most allow an address, which replicas share."""
    connects_at_once: int | None = None
    """Connections opened at once after a rest; None: half a minute's worth."""
    max_frame_bytes: int = 2**18
    """The largest frame that we accept, decompressed: several times a book of 200 levels a side."""
    connection_lifetime_s: float | None = None
    """When set, a successor is opened this long after connecting, before the venue cuts us."""


class Liveness(msgspec.Struct, frozen=True, kw_only=True):
    """When silence of a whole connection means something. Quiet is not dead: books may rest.

    How soon a connection is suspected is ours to choose, and the same at all venues that need
    nothing else; the rest is by the venue's documents.
    """

    probe_after_s: float = 1.0
    """Silent this long: ask for a sign of life (`Venue.probe`, or a WebSocket ping where None)."""
    stale_after_s: float = 3.0
    """Silent this long, probe unanswered: every feed of the connection is STALE."""
    reconnect_after_s: float = 10.0
    """Silent this long: the connection is given up."""
    first_book_timeout_s: float | None = 5.0
    """The venue answers a subscription with a book, at once as a rule: one without for this long is
    asked for anew, and counted. None: it sends none before the next change, so that its silence
    means nothing; the first book is asked for over REST (`Venue.snapshots`)."""
    ack_timeout_s: float = 5.0
    keepalive_s: float | None = None
    """The venue hangs up on who sends no `Venue.keepalive` by the clock, traffic or not."""


class Market(msgspec.Struct, frozen=True, gc=False):
    """One instrument as a venue lists it.

    Increments and minimums of an order are plain decimal text ("0.01"), None where the venue does
    not tell them; see `dragonfly_venues.instruments.Markets.add`.
    """

    symbol: str
    """As the venue's streams spell it."""
    trading: Trading = TRADING
    tick: str | None = None
    """Prices are multiples of it."""
    lot: str | None = None
    """Amounts are multiples of it."""
    min_amount: str | None = None
    min_notional: str | None = None
    """Least price times amount, in the quote currency."""


class InstrumentSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a venue lists its instruments: a REST path, or a request on a WebSocket of its own."""

    parse: Callable[[bytes], dict[str, Market] | None]
    """From a reply to all spot markets by instrument, also those that are halted; None where a
    WebSocket's reply is not the list yet. Raises `FrameError` where it is none."""
    rest_path: str | None = None
    other_rest_path: str | None = None
    """Another path of the same list, asked where `rest_path` is not there or holds no list."""
    ws_request: str | None = None
    part_path: Callable[[Sequence[str]], str] | None = None
    """Where REST lists some symbols alone, from their names. Set where the whole list is too long
    to be read each minute for what is followed."""
    part_symbols: int = 100
    """How many of them one request may name."""
    changes_told: bool = False
    """Each connection is told of halts (`Venue.greeting`), so that the list is read seldom."""
    max_reply_bytes: int = 64 * 2**20
    """The largest list that we accept, decompressed; Binance's is the longest."""


class SnapshotSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a venue gives a whole book over REST, with the sequence that its stream has too.

    It serves first books and audits, out of one budget: a small part of what the venue allows an
    address, which replicas and others share, also where the process is started again and again.
    """

    path: Callable[[str], str]
    """From a symbol."""
    parse: Callable[[bytes, str, int], BookTop]
    """From a reply, its symbol and a depth; raises `FrameError` where it is no book."""
    max_reply_bytes: int = MAX_BOOK_BYTES
    levels: int | None = None
    """Levels a side that the reply is cut to, where changes go on from it: no more are proven.
    None: the reply shows as many as the stream does, or all there are."""
    per_minute: float
    """Requests on average."""
    burst: int = 1
    """Requests at once after a rest, such as the start."""
    cached_s: float | None = None
    """Set where books have no number in common with the stream: how old they may be at most. They
    answer questions of silent feeds alone then, by their prices."""

    def shared(self, replicas: int) -> SnapshotSource:
        """Return the source of one of so many replicas, which divide the budget."""
        return msgspec.structs.replace(
            self, per_minute=self.per_minute / replicas, burst=max(1, self.burst // replicas)
        )


class SeedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How a whole book is asked for on a connection that sends changes alone.

    Its answer is a frame, which the decoder joins with the changes that came (`DeltaDecoder.seed`).
    """

    write: Callable[[str, int], str]
    """From a symbol and a request's id."""
    after_s: float
    """From the acknowledgement of the subscription, and again until the book stands: an answer that
    is older than every change joins none of them."""


class EndpointSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a venue tells over REST which socket to connect to, anew for each connection."""

    rest_path: str
    """To which an empty POST is sent."""
    parse: Callable[[bytes, int], str]
    """From a reply and a number of the connection to a URL; raises `FrameError`. It leads to the
    host that answered, or to one of the same registered domain."""
    max_reply_bytes: int = 2**16


class AuditSources(msgspec.Struct, frozen=True, kw_only=True):
    """The sources that a venue's books are held against; see `feed_listener.audit.comparing`."""

    checksum: bool = False
    """Every book frame carries one, which the decoder verifies."""
    checksum_apart: bool = False
    """Checksums come in frames of their own, of which the decoder makes `Verified` or `Broken`."""
    bbo: bool = False
    """`Venue.requests` can ask for best prices too, of which the decoder makes `Bbo`."""


class FixKey:
    """The key of an account, which a Logon is signed with. It is in no representation of itself."""

    def __init__(self, api_key: bytes, sign: Callable[[bytes], bytes]) -> None:
        self.api_key = api_key
        self.sign = sign


class LogonTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How a session of FIX begins, at a venue that is listened to by it."""

    target: str
    """The venue's CompID. Ours is of chance, of eight characters, and new on each connection: a
    venue may hold the last one's to be in use for a while."""
    heartbeat_s: int
    fields: Callable[[FixKey, str, int, bytes], list[tuple[int, bytes]]]
    """Of the Logon, from a key, our CompID, its MsgSeqNum (34) and its SendingTime (52)."""


class Decoder(ABC):
    """Decodes the frames of one connection. One is made per connection and dies with it."""

    @abstractmethod
    def decode(self, frame: bytes, book: WholeBook | None = None, /) -> Sequence[Event]:
        """Return what one received frame says; `book` is what `whole_book` said of it, if asked.

        Raises:
            FrameError: it is malformed or impossible; the next good frame works.
        """

    @abstractmethod
    def forget(self, symbol: str) -> None:
        """Drop all state of `symbol`: its next book is its first.

        Of a venue that sends deltas, what still arrives of the old subscription is `Unchanged`
        until the next snapshot.
        """

    @abstractmethod
    def seq(self, symbol: str) -> int:
        """Return the `venue_seq` of the last frame of the book, also of one that changed nothing.

        -1 where there was none.
        """

    def whole_book(self, frame: bytes) -> WholeBook | None:
        """Return which book `frame` holds whole, where one of that symbol is known.

        Of such frames that are here together nobody misses those before the newest of each book.
        None, where there is any doubt: then `decode` reads it. None always where a frame changes
        the book that those before it made.
        """
        return None

    def seed(self, book: BookTop) -> Sequence[Event]:
        """Return what comes of a whole book that REST gave.

        Frames that are older than it are no news from then on. Nothing comes of it where the venue
        answers a subscription with its book.
        """
        return ()

    def seeded(self, symbol: str) -> bool:
        """Say whether the book of `symbol` stands as REST gave it: no frame has confirmed it."""
        return False


class Venue:
    """One venue's rules, declared; what a venue does not say of itself stands here."""

    name: str
    rules: object = None
    """Whose docstring holds the numbered rules by which its messages make a book, with their
    source. None: each message is the whole top of a book."""
    checked: str = ""
    """The recording that its decoder was held against, a sentence; "" where there is none."""
    ws_url: str
    """Base address of the real venue, overridable."""
    rest_url: str
    limits: Limits
    liveness: Liveness
    instruments: InstrumentSource
    compression: bool = False
    """True where permessage-deflate is offered; chosen by measurement."""
    audits: AuditSources = AuditSources()
    snapshots: SnapshotSource | None = None
    """Where whole books are had over REST."""
    seed_request: SeedRequest | None = None
    """Where the connection is asked for first books; it answers (`first_book_timeout_s`)."""
    gzip: bool = False
    """True where each frame that it sends is a gzip member."""
    best_prices: bool = False
    """True where best prices that come beside books (`Ask.bbo`) are shown while ahead: they
    are counted like the books, and come earlier."""
    best_prices_apart: str = ""
    """Why they are not, of a venue that has a channel of them that comes earlier."""
    endpoint: EndpointSource | None = None
    """Where the address of each connection is asked for; None: it is `ws_url` and `ws_path`."""
    greeting: Sequence[str] = ()
    """Frames that are sent first on each connection: what asks for more than books."""
    welcomes: bool = False
    """True where the venue speaks first (`Welcome`), and hears nothing before."""

    ends_by_handle: bool = False
    """True where the handle in its acknowledgement (`Acked.handle`) ends a subscription."""
    ends_answered: bool = True
    """True where the venue answers the end of a subscription; else it is over when it is said."""

    protocols: Mapping[str, Callable[[], Venue]] = {}
    """Other protocols than WebSocket that it can be listened to by, and the venue as it is then."""
    fix: LogonTerms | None = None
    """Of a venue as it is listened to by FIX: each frame is a message, and what is sent is its
    fields from MsgType (35) on."""

    levels: int | None = None
    """Levels a side that its books have at most, and are shown of it whatever is asked for. None:
    as many as are asked for, or as each of them says (`BookTop.depth`)."""

    deeper: Callable[[], Venue] | None = None
    """The venue as it is listened to beyond `levels`, by other channels; None: not beyond them."""

    windows: Sequence[int] = ()
    """Levels a side that its channels of one kind keep, rising: the least that holds what is asked
    for is listened to. () where there is one."""

    halts_show: bool = True
    """True where its list says of a market that it is halted; else the list leaves it out."""
    loss_shows: bool = True
    """True where later frames show that one was lost on its way, or came late: by its number, a
    checksum, or because it is a whole book. Otherwise only audits find it."""

    ws_path: str = ""
    """Of a multiplexed market data connection, below `ws_url`."""
    decoder: Callable[[int], Decoder]
    """Makes a fresh decoder that publishes so many best levels a side."""

    requests: Callable[[Ask], list[str]]
    """Writes the frames that an `Ask` takes, each within the venue's limits."""
    probe: Callable[[int], str] | None = None
    """Writes a frame that the venue answers, from a request's id; None: a WebSocket ping does."""
    keepalive: Callable[[int], str] | None = None
    """Writes what `Liveness.keepalive_s` asks for, likewise; None: `probe` does."""
    stamp: Callable[[str, int], str] | None = None
    """Writes the time (ns UTC) into a frame that is about to be sent; None: none is wanted."""

    def at(self, depth: int) -> Venue:
        """Return the venue as it is listened to for `depth` levels a side.

        It differs where a deeper book comes by other channels, from other sources.
        """
        if self.deeper is not None and self.levels is not None and depth > self.levels:
            return self.deeper()
        if not self.windows:
            return self
        venue = copy(self)
        venue.levels = offered(depth, self.windows)
        return venue

    def connect_url(self, base: str) -> str:
        """Return the URL of a market data connection below `base`, where none is asked for."""
        return f"{base.rstrip('/')}{self.ws_path}" if self.ws_path else base
