"""What surrounds a gateway of any kind in the tests: an aggregator on the real bus, its views."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from dragonfly_common.bus import Publisher, drive
from dragonfly_common.clock import Clock, ManualClock, SystemClock
from dragonfly_common.codec import pack_markets
from dragonfly_common.messages import EncodedView, Instruments, ListedMarket, VenueStatus
from dragonfly_common.topics import (
    RELIST_PREFIX,
    ViewKind,
    instruments_topic,
    parse_view_topic,
    venue_topic,
    view_topic,
)
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.accounts import Account, Caller, Denials
from dragonfly_views.relay import ViewKey
from dragonfly_views.tokens import Quota, hash_token
from dragonfly_views.views import Views
from dragonfly_views.wire import SharedView
from google.protobuf.message import Message
from patience import PATIENCE_S, patiently

AnyView = pb.Book | pb.Bbo | pb.Liquidity

SETTLES_AFTER_S: Final = 0.1

_KINDS: Final[dict[type[Message], ViewKind]] = {
    pb.Book: ViewKind.BOOK,
    pb.Bbo: ViewKind.BBO,
    pb.Liquidity: ViewKind.LIQUIDITY,
}


def make_caller(name: str = "", quota: Quota = Quota(), clock: Clock | None = None) -> Caller:  # noqa: B008 - it is frozen
    """Return who makes a call."""
    clock = clock or ManualClock()
    return Caller(Account(name, quota, Denials(clock), clock), "ipv4:127.0.0.1:1")


def make_views(clock: Clock, *upstreams: str) -> Views:
    """Return the bus half of a gateway, patient for as long as a test."""
    return Views(
        upstreams,
        clock,
        always=(),
        linger_s=0.1,
        patience_s=PATIENCE_S,
        settles_after_s=SETTLES_AFTER_S,
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    async with patiently():
        while not condition():  # noqa: ASYNC110 - what it waits for is in another process or socket
            await asyncio.sleep(0.002)


def make_book(
    instrument: str = "ETH-BTC", *, levels: int = 3, live: bool = True, mid: float = 1.0
) -> pb.Book:
    """Return a book of one venue, `levels` a side."""
    bids = [pb.Level(venue="kraken", price=mid - i / 64, amount=i) for i in range(1, levels + 1)]
    asks = [pb.Level(venue="kraken", price=mid + i / 64, amount=i) for i in range(1, levels + 1)]
    feed = pb.VenueFeed(venue="kraken", state=pb.STATE_LIVE, venue_seq=7, ts_recv=5)
    return pb.Book(
        spread=1 / 32, bids=bids, asks=asks, instrument=instrument, venues=[feed], live=live
    )


def a_view(body: bytes, *, depth: int = 1) -> SharedView:
    """Return a live book's bytes as bots share them, with ages of time 0."""
    return SharedView(ViewKind.BOOK, body, depth, 0, live=True)


class Aggregator:
    """Publishes what a test says, and knows what the gateway asked for."""

    def __init__(self, address: str, name: str = "aggregator.1") -> None:
        self.wanted: set[ViewKey] = set()
        self.relists = 0
        """How often the venues' lists were asked for again."""
        self.on_relist: Callable[[], None] = lambda: None
        self._seq = 0
        self._publisher = Publisher(address, name, SystemClock())
        self.epoch = self._publisher.epoch
        self._pumping = asyncio.create_task(drive((self._publisher,), self._drain))

    async def close(self) -> None:
        """Say bye and be gone; a second time it is gone already."""
        if self._pumping.cancelled():
            return
        self._pumping.cancel()
        with suppress(asyncio.CancelledError):
            await self._pumping
        self._publisher.close()

    def say_venue(self, venue: str = "kraken", state: FeedState = FeedState.LIVE) -> None:
        reason = "" if state is FeedState.LIVE else "because"
        body = VenueStatus(venue, state, reason, f"listener.{venue}", 1, 2, 1)
        self._publisher.publish(venue_topic(venue), body)

    def say_instruments(self, *names: str, venue: str = "kraken") -> None:
        markets = pack_markets(
            ListedMarket(name.lower(), False, "", "0.01", None, None, None) for name in names
        )
        self._publisher.publish(instruments_topic(venue), Instruments(venue, names, markets))

    def say(
        self, view: AnyView, depth: int = 10, ts_agg: int = 0, kind: ViewKind | None = None
    ) -> AnyView:
        """Publish a view under this aggregator's epoch and the next seq."""
        self._seq += 1
        view.epoch, view.seq = self.epoch, self._seq
        key = ViewKey(kind or _KINDS[type(view)], view.instrument)
        body = EncodedView(view.live, depth, view.SerializeToString(), ts_agg)
        self._publisher.publish(view_topic(*key), body)
        return view

    def say_bytes(self, key: ViewKey, body: bytes, *, live: bool = True, depth: int = 10) -> None:
        self._publisher.publish(view_topic(*key), EncodedView(live, depth, body))

    def _drain(self) -> None:
        for interest in self._publisher.drain():
            if interest.prefix == RELIST_PREFIX and interest.wanted:
                self.relists += 1
                self.on_relist()
            if key := parse_view_topic(interest.prefix):
                (self.wanted.add if interest.wanted else self.wanted.discard)(ViewKey(*key))


def write_tokens(file: Path, tokens: Mapping[str, list[str]], **quota: float) -> None:
    """Write a tokens file in which all bots have the same quota."""
    quotas = "".join(f"{key} = {value}\n" for key, value in quota.items())
    entries = (
        f"[bots.{name}]\ntoken_sha256 = {[hash_token(one) for one in held]}\n{quotas}"
        for name, held in tokens.items()
    )
    replace_file(file, "\n".join(entries).encode())


def replace_file(file: Path, content: bytes) -> None:
    """Replace a file as a careful administrator does: at once."""
    new = file.with_suffix(".new")
    new.write_bytes(content)
    new.chmod(0o600)
    new.replace(file)
