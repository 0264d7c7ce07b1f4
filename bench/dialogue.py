"""A decoder of ours and the simulated venue that it is made for, joined without a socket.

The decoder's venue writes its requests, the simulated one answers, and what it sends is decoded:
from then on `frames` makes of each change of a book what the subscription shows of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from dragonfly_common.clock import SystemClock
from dragonfly_venues.decoding.frames import gunzip
from dragonfly_venues.events import BookTop, Event, SeedWanted
from dragonfly_venues.registry import find_venue
from dragonfly_venues.venue import Ask, Decoder
from venue_simulator.book import BookState, Levels, Listing, lie
from venue_simulator.catalogue import Asset
from venue_simulator.changes import changed_levels
from venue_simulator.exchange import Exchange
from venue_simulator.market import BookWalk
from venue_simulator.truth import Truth
from venue_simulator.venue import (
    Action,
    BookStream,
    Frame,
    RestRequest,
    Send,
    Subscribe,
    VenueSession,
)
from venue_simulator.venues import VENUES

__all__ = ["DEPTH", "Dialogue", "Walk"]

DEPTH: Final = 10
DEEPER: Final = 10
"""Levels below those that are shown, in which frames change that are no news."""
INSTRUMENT: Final = "ETH-BTC"
PRICE: Final = 0.0702
ATTEMPTS: Final = 10
"""Changes within which every venue's book stands."""


class Walk:
    """A market that moves the same way at every venue: its numbers are Binance's."""

    def __init__(self, instrument: str) -> None:
        asset = Asset(instrument, PRICE)
        self._walk = BookWalk(asset, VENUES["binance"].list_asset(asset), "", 0)
        self._moves = 0
        self._sides = self._walk.step()

    def move(self, *, news: bool) -> tuple[Levels, Levels]:
        """Return the book's next state: one whose best levels differ, or only those below them."""
        before = self._sides
        if news:
            while self._best(self._sides) == self._best(before):
                self._sides = self._walk.step()
        else:
            self._moves += 1
            at = DEPTH + self._moves % DEEPER
            bids, asks = before
            self._sides = (*bids[:at], *lie(BookState(0, 0, bids[at:], asks)).bids), asks
        return self._sides

    def _best(self, sides: tuple[Levels, Levels]) -> list[Levels]:
        return [side[:DEPTH] for side in sides]


class _Client:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def push(self, frame: Frame) -> None:
        self.frames.append(frame.encode() if isinstance(frame, str) else frame)

    def announce_close(self) -> None: ...

    def announce_trading(self, symbol: str | None) -> None: ...

    def hang_up(self, code: int, reason: str) -> None:
        raise RuntimeError(f"the simulated venue hung up: {code} {reason}")

    def reset(self) -> None: ...


class Dialogue:
    """One subscription to one book, which stands."""

    def __init__(self, name: str) -> None:
        self.venue = find_venue(name).at(DEPTH)
        fake = VENUES[name]
        self._clock = SystemClock()
        self._client = _Client()
        self._exchange = Exchange(fake, self._clock, Truth())
        listing: Listing = fake.list_asset(Asset(INSTRUMENT, PRICE))
        self._book = self._exchange.add(listing)
        self.symbol = self._streamed_as(listing)
        self._walk = Walk(INSTRUMENT)
        self._streams: list[BookStream] = []
        self._move(news=True)
        self.decoder: Decoder = self.venue.decoder(DEPTH)
        self.first: list[bytes] = []
        """The frames that made the book stand, seeds over REST left out."""
        self._subscribe()

    def frames(self, count: int, *, news: bool) -> tuple[list[bytes], int]:
        """Return the frames of so many changes, and how many levels of the channel changed."""
        self._client.frames.clear()
        levels = 0
        (depth,) = {stream.depth or None for stream in self._streams}
        for _ in range(count):
            before = self._book.state
            self._move(news=news)
            after = self._book.state
            assert before is not None
            assert after is not None
            levels += sum(
                len(changed_levels(was[:depth], now[:depth], "0"))
                for was, now in ((before.bids, after.bids), (before.asks, after.asks))
            )
        return self._received(), levels

    def _move(self, *, news: bool) -> None:
        self._exchange.advance(self._book, *self._walk.move(news=news))

    def _subscribe(self) -> None:
        session = self._exchange.venue.session(self._path(), self._exchange, 1)
        self._perform(session.open(self._clock.now_ns()))
        ask = Ask(symbols=[self.symbol], request_id=1, depth=DEPTH)
        for text in (*self.venue.greeting, *self.venue.requests(ask)):
            self._tell(session, text)
        for attempt in range(ATTEMPTS):
            self._move(news=True)
            if self.venue.seed_request:
                self._tell(session, self.venue.seed_request.write(self.symbol, attempt + 2))
            events = list(self._events())
            if any(isinstance(event, BookTop) for event in events):
                return
        raise RuntimeError(f"the decoder of {self.venue.name} has no book: {events}")

    def _streamed_as(self, listing: Listing) -> str:
        source = self.venue.instruments
        if source.rest_path is None:
            return listing.symbol
        markets = source.parse(self._rest(source.rest_path))
        assert markets is not None
        return markets[INSTRUMENT].symbol

    def _path(self) -> str:
        if self.venue.endpoint is None:
            return self.venue.ws_path
        reply = self._rest(self.venue.endpoint.rest_path, "POST")
        url = urlsplit(self.venue.endpoint.parse(reply, 1))
        return f"{url.path}?{url.query}"

    def _rest(self, path: str, method: str = "GET") -> bytes:
        parts = urlsplit(path)
        asked = RestRequest(parts.path, dict(parse_qsl(parts.query)), method, "ws://127.0.0.1")
        return self._exchange.venue.rest(asked, self._exchange, self._clock.now_ns()).body

    def _tell(self, session: VenueSession, text: str) -> None:
        now_ns = self._clock.now_ns()
        frame = text if self.venue.stamp is None else self.venue.stamp(text, now_ns)
        self._perform(session.receive(frame.encode(), now_ns))

    def _perform(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Send(frame):
                    self._client.push(frame)
                case Subscribe(stream):
                    self._streams.append(stream)
                    self._exchange.subscribe(self._client, action)

    def _events(self) -> Iterator[Event]:
        """Yield what the frames that came say, seeds included."""
        for frame in self._received():
            self.first.append(frame)
            for event in self.decoder.decode(frame):
                yield event
                if isinstance(event, SeedWanted) and (source := self.venue.snapshots):
                    reply = self._rest(source.path(event.symbol))
                    yield from self.decoder.seed(source.parse(reply, event.symbol, DEPTH))

    def _received(self) -> list[bytes]:
        frames, self._client.frames = self._client.frames, []
        most = self.venue.limits.max_frame_bytes
        return [gunzip(frame, most) for frame in frames] if self.venue.gzip else frames
