"""All that a fake venue must supply; sockets, timers and faults are generic.

Everything here is pure: frames in, actions out; states in, frames out. A venue is one folder under
`venues/`, with the same file names in each, and one entry point `dragonfly.simulated_venues`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path
from typing import Protocol, TypeAlias

from venue_simulator.book import BookState, Levels, Listing
from venue_simulator.catalogue import Asset
from venue_simulator.decimals import list_as_recorded
from venue_simulator.rebuilding import Recording
from venue_simulator.trading.desk import MatchingDesk, TradingRules
from venue_simulator.trading.orders import OrderEvent
from venue_simulator.trading.requests import SignedRequest

__all__ = [
    "Action",
    "Address",
    "AskDesk",
    "BookStream",
    "Books",
    "FakeVenue",
    "FirstFrame",
    "Frame",
    "HangUp",
    "KeepaliveRules",
    "KeptAlive",
    "Later",
    "Question",
    "RestReply",
    "RestRequest",
    "Send",
    "Subscribe",
    "Unsubscribe",
    "VenueSession",
    "trading_rules",
]


Frame: TypeAlias = str | bytes
"""A frame that is sent: text, or binary."""


class Books(Protocol):
    """The market of a venue, as its protocol may know it."""

    @property
    def halted(self) -> bool:
        """Nobody can trade anything."""
        ...

    @property
    def post_only(self) -> bool:
        """Only orders that rest are taken, in every market."""
        ...

    @property
    def desk(self) -> MatchingDesk:
        """Where orders are placed.

        Raises:
            LookupError: the venue's private side is not simulated.
        """
        ...

    def listings(self) -> list[Listing]: ...

    def listing(self, symbol: str) -> Listing | None:
        """Return what the venue lists under its own name `symbol`, or None."""
        ...

    def state(self, symbol: str) -> BookState | None:
        """Return the book of `symbol` as it stands, or None where it is not traded."""
        ...


@dataclass(frozen=True, slots=True)
class BookStream:
    """One feed of one book. Subscribers of equal streams get equal bytes."""

    name: str
    """As the venue spells it."""
    symbol: str
    kind: str
    depth: int
    wrapped: bool = False
    """Binance: in a `{"stream":…,"data":…}` around the payload."""
    best_only: bool = False
    """The best prices, beside the book: what spoils frames of books leaves them alone."""
    interval_s: float = 0.0
    """By the venue's own clock the newest state is sent this often; 0: each at once."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this to the client that asked."""

    frame: Frame


class FirstFrame(Enum):
    """How a stream begins."""

    AT_ONCE = auto()
    """With the whole book as it stands."""
    ON_CHANGE = auto()
    """With the book's next change, whenever that comes."""


Address = Callable[[Frame], Sequence[Frame]]
"""Makes of what all subscribers of a stream get the frames of one of them, in order."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Broadcast the stream to this client; a symbol that nobody trades stays silent."""

    stream: BookStream
    first_frame: FirstFrame
    address: Address | None = None
    """Where clients get frames of their own: named as each of them was told, or numbered."""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    stream: BookStream


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close this client's connection with a WebSocket close code."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class KeptAlive:
    """The client said by the clock that it is there; see `KeepaliveRules.keepalive_limit_s`."""


@dataclass(frozen=True, slots=True)
class Question:
    """Ask this client by the clock from now on whether it is there; `KeptAlive` is its answer."""

    write: Callable[[int], Frame]
    """From the time, ns UTC."""
    every_s: float
    limit_s: float
    """A client that has not answered for this long is hung up on."""
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """Do what `actions` returns, from ns since the epoch, once `delay_s` is over."""

    delay_s: float
    actions: Callable[[int], Sequence[Action]]


@dataclass(frozen=True, slots=True)
class AskDesk:
    """Bring a signed request to the venue's desk; its reply is what the client then gets."""

    request: SignedRequest[Sequence[Action]]


Action = Send | Subscribe | Unsubscribe | HangUp | KeptAlive | Question | Later | AskDesk


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A request to REST."""

    path: str
    query: Mapping[str, str]
    method: str = "GET"
    ws_base: str = ""
    """The URL below which the venue's WebSockets are, for whoever came by this way."""
    raw_query: str = ""
    """As it was sent."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Their names in lower case."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class RestReply:
    """The reply to a REST request."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeepaliveRules:
    """The pings, heartbeats and limits of silence by which a venue keeps a connection alive."""

    ping_interval_s: float | None = None
    """WebSocket ping frames to the client; their payload is the time in ms."""
    pong_timeout_s: float = 60.0
    """A client that answers no ping for this long is cut."""
    heartbeat_interval_s: float | None = None
    """`heartbeat` after so long without any frame, once something is subscribed."""
    heartbeat: Frame = ""
    idle_limit_s: float | None = None
    """A client that subscribes to nothing for this long is cut."""
    silence_limit_s: float | None = None
    """A connection on which neither side says anything for this long is closed."""
    silence_code: int = 1000
    """With this code."""
    keepalive_limit_s: float | None = None
    """A client that sends no `KeptAlive` for this long is cut, also while data flows."""

    def faster(self, factor: float) -> KeepaliveRules:
        """Return what is done where time runs `factor` times faster; who comes has as long."""

        def shorter(span: float | None) -> float | None:
            return None if span is None else span / factor

        return replace(
            self,
            ping_interval_s=shorter(self.ping_interval_s),
            pong_timeout_s=self.pong_timeout_s / factor,
            heartbeat_interval_s=shorter(self.heartbeat_interval_s),
            silence_limit_s=shorter(self.silence_limit_s),
            keepalive_limit_s=shorter(self.keepalive_limit_s),
        )


class VenueSession(Protocol):
    """One client's conversation with the venue; what a venue does not do stands here."""

    faster: float = 1.0
    """How many times faster the venue's own clock runs, by which it counts messages."""

    def open(self, now_ns: int) -> Sequence[Action]:
        """Return what happens upon connecting."""
        return ()

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        """Return what a frame of the client leads to, be it nonsense or not."""
        ...

    def receive_control(self, now_ns: int) -> Sequence[Action]:
        """Return what a ping or pong frame leads to; its pong is sent anyway."""
        return ()

    def announce_close(self, now_ns: int) -> Frame:
        """Return the frame by which the venue says that it will close this connection.

        Empty where it says nothing.
        """
        return ""

    def announce_trading(self, symbol: str | None, now_ns: int) -> Sequence[Action]:
        """Return what is sent when a market, or the venue (None), is halted or traded again.

        Nothing where only the list of instruments says it.
        """
        return ()

    def describe_order(self, event: OrderEvent, now_ns: int) -> Sequence[Action]:
        """Return what tells the client of an event of an order; nothing to who does not follow."""
        return ()


class FakeVenue(Protocol):
    """One venue's protocol; what a venue does not do stands here."""

    @property
    def name(self) -> str: ...

    @property
    def liveness(self) -> KeepaliveRules: ...

    @property
    def trading(self) -> TradingRules | None:
        """How the venue takes orders, None where its private side is not simulated."""
        return None

    @property
    def rate_limited(self) -> RestReply:
        """REST's answer to a client that asks too often."""
        ...

    @property
    def fix(self) -> str:
        """The `FixDesk` of a venue that speaks FIX too, as `module:class`: it needs an extra."""
        return ""

    def list_asset(self, asset: Asset) -> Listing:
        """Return how the venue lists an asset of the seeded market."""
        ...

    def list_recorded(self, instrument: str, symbol: str, levels: Levels) -> Listing:
        """Return how the venue lists a recorded book, of which `levels` are an example."""
        return list_as_recorded(instrument, symbol, levels)

    def rebuild(self, folder: Path) -> Sequence[Recording]:
        """Rebuild the books that are recorded in `folder`; none where it is not there.

        Nor of a venue of which nothing was recorded.

        Raises:
            ConfigError: a recording contradicts itself.
        """
        return ()

    def next_seq(self, previous: int, now_ns: int) -> int:
        """Return the `venue_seq` of a book's next state; `previous` is 0 at first."""
        ...

    def accepts(self, path: str) -> bool:
        """Say whether there is a WebSocket at `path`, query included."""
        ...

    def session(self, path: str, books: Books, connection_id: int) -> VenueSession:
        """Return a client's conversation; it connected to `path`, query included."""
        ...

    def first_frame(self, stream: BookStream, state: BookState) -> Frame | None:
        """Return what a new subscriber gets, or None where the stream begins with a change."""
        ...

    def frame(self, stream: BookStream, before: BookState, after: BookState) -> Frame | None:
        """Return what joined subscribers get, or None where the stream does not show the change."""
        ...

    def spoil_checksum(self, frame: str) -> str:
        """Return a text with a checksum that does not hold; as it is where there is none."""
        return frame

    def rest(self, request: RestRequest, books: Books, now_ns: int) -> RestReply:
        """Answer a request that anybody may make."""
        ...

    def signed(self, request: RestRequest, books: Books) -> SignedRequest[RestReply] | None:
        """Return what the venue's desk is to answer, None where anybody may ask it."""
        return None


def trading_rules(venue: FakeVenue) -> TradingRules | None:
    """Return how a venue takes orders; a fake from outside may be older than that question."""
    return getattr(venue, "trading", None)
