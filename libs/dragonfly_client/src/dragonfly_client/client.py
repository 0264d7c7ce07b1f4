"""The asyncio client.

client ──▶ _follow   a stream that outlives its connections
             │
             ▼
          _calls     one connection's stream: a session with acknowledgements, or a server stream
             │
             ▼
          _channel   address, credentials, transport options

Its methods of orders are in `_order_client`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random as random_module
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Final, Generic, Self, TypeVar, cast

from dragonfly_protos import market_data_pb2 as pb

from dragonfly_client._calls import Calls, UntilListed
from dragonfly_client._channel import Connector
from dragonfly_client._decode import (
    decode_bbo,
    decode_book,
    decode_executable,
    decode_instruments,
    decode_liquidity,
    decode_venues,
    parse,
)
from dragonfly_client._follow import FollowPolicy, follow
from dragonfly_client._freshness import Freshness
from dragonfly_client._gets import Gets
from dragonfly_client._liveness import StreamLiveness
from dragonfly_client._order_client import OrderClient
from dragonfly_client._settings import (
    check_depth,
    check_fees,
    check_instrument,
    check_seconds,
    check_side,
    check_sizes,
    check_tls,
    check_whole,
)
from dragonfly_client.errors import (
    ClientError,
    InvalidRequestError,
    SettingError,
)
from dragonfly_client.events import EventListener, Refused, log_event
from dragonfly_client.latest import Latest
from dragonfly_client.messages import (
    Bbo,
    Book,
    Executable,
    Instruments,
    Liquidity,
    TakeSide,
    Venue,
    View,
)
from dragonfly_client.tls import Tls

__all__ = ["DEFAULT_TARGET", "DEFAULT_WINDOW", "DragonflyClient"]

DEFAULT_TARGET: Final = "127.0.0.1:50051"
DEFAULT_WINDOW: Final = 1
"""Updates in flight to a bot: the one that it works on. What it gets next is the newest then."""

ASK_AGAIN_S: Final = 5.0
"""How often a stream asks for one of its instruments that no venue listed."""

Number = float | Decimal

V = TypeVar("V", bound=View)


class DragonflyClient(OrderClient):
    """A connection to a gateway, for one event loop.

        async with DragonflyClient("127.0.0.1:50051") as client:
            async for book in client.book("ETH-BTC"):
                print(book.best_bid, book.best_ask)

    Streams open themselves again when the connection is lost, and tell `on_event` (by default the
    logger `dragonfly_client`). They end when the client is closed, and raise a `RefusedError` when
    the gateway says no. Leaving an `async for` early drops the stream; to drop it at that very
    moment, hold it with `contextlib.aclosing`.

    Args:
        target: host:port of the gateway.
        tls: encrypt and verify; `Tls()` trusts the machine's own authorities.
        token: sent as `authorization: Bearer …`; anyone on the way reads it unless TLS is on.
        proxy: http://HOST:PORT to go through. By default grpc_proxy, https_proxy and http_proxy of
            the environment count, less no_grpc_proxy and no_proxy, and never for a gateway on
            this machine or in a private network.
        window: updates that may be on their way to the bot unacknowledged; the gateway replaces
            what comes beyond them by the newest state. With 1 a bot always gets the newest, once
            per round trip; more suit a distant gateway, and a slow bot is then so many states
            behind. None acknowledges nothing: the transport's read-ahead is then the only bound.
        lookahead_bytes: the transport's read-ahead; raise it on a long fast line.
        connect_timeout_s: how long a stream waits for a gateway that never answered.
        request_timeout_s: how long a get may take.
        on_event: called with each `Disconnected` and `Reconnected`, before the next message.
        random: draws from [0, 1) for the waits between attempts.
        now_ns: the clock of `ts_in`.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        proxy: str | None = None,
        window: int | None = DEFAULT_WINDOW,
        lookahead_bytes: int = 4096,
        connect_timeout_s: float = 10.0,
        request_timeout_s: float = 5.0,
        on_event: EventListener = log_event,
        random: Callable[[], float] = random_module.random,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        if window is not None:
            check_whole("window", window, at_least=1, otherwise=", or None to acknowledge nothing")
        check_whole("lookahead_bytes", lookahead_bytes, at_least=1)
        check_seconds("connect_timeout_s", connect_timeout_s)
        check_seconds("request_timeout_s", request_timeout_s)
        check_tls(tls)
        self._connector = Connector(
            target,
            tls=tls,
            token=token,
            proxy=proxy,
            lookahead_bytes=lookahead_bytes,
        )
        self.latest: Final = Latest()
        """The newest of what this client's streams brought."""
        self._window = window
        following = FollowPolicy(
            self._connector.place, connect_timeout_s, random, on_event, closed=asyncio.Event()
        )
        super().__init__(
            Calls(self._connector, now_ns),
            Gets(self._connector, request_timeout_s, random),
            following,
            now_ns,
        )

    @property
    def target(self) -> str:
        return self._connector.target

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End every stream and close every connection."""
        self._following.closed.set()
        await self._gets.aclose()
        await self._connector.aclose()

    def book(self, instrument: str, *, depth: int = 0) -> AsyncGenerator[Book, None]:
        """Stream the consolidated book; `depth` 0 means all levels that the gateway serves."""
        return self.books([instrument], depth=depth)

    def books(
        self, instruments: str | Sequence[str], *, depth: int = 0
    ) -> AsyncGenerator[Book, None]:
        """Stream the consolidated books of several instruments, in one stream.

        Where no venue lists some of them, the stream goes on with the others, tells `on_event`, and
        has them as well as soon as a venue lists them.
        """
        return self._views(_BOOK, instruments, depth)

    def bbo(self, instruments: str | Sequence[str]) -> AsyncGenerator[Bbo, None]:
        """Stream the best bid and ask across venues of several instruments, in one stream."""
        return self._views(_BBO, instruments)

    def liquidity(self, instrument: str, *, depth: int = 0) -> AsyncGenerator[Liquidity, None]:
        """Stream the book whose equal prices are merged, with each venue's share."""
        return self._views(_LIQUIDITY, [instrument], depth)

    def executable(
        self,
        instrument: str,
        side: TakeSide,
        sizes: Number | Sequence[Number],
        *,
        in_quote: bool = False,
        venues: Sequence[str] = (),
        fees: Mapping[str, Number] | None = None,
        min_interval_ms: int = 0,
    ) -> AsyncGenerator[Executable, None]:
        """Stream what it costs to buy or sell each of `sizes` now, net of fees, when it changes.

        Args:
            instrument: BASE-QUOTE, or an equivalence.
            side: "buy" or "sell".
            sizes: one or up to 16, of the base currency.
            in_quote: `sizes` are money with all fees: spent by a buy, received by a sell.
            venues: only these; all by default.
            fees: taker fees in basis points by venue, "*" for all others; by default this bot's
                table at the gateway, or the gateway's own.
            min_interval_ms: so long at least between two messages. What this bot's library reads
                ahead (`lookahead_bytes`) waits unseen: a slow bot gives what it takes for one.
        """
        request = _question(instrument, side, sizes, in_quote, venues, fees)
        check_whole("min_interval_ms", min_interval_ms, at_least=0)
        request.min_interval_ms = min_interval_ms
        liveness = StreamLiveness()

        def decode(payload: bytes) -> Executable:
            return decode_executable(parse(pb.Executable, payload), self._now_ns())

        def connect() -> AsyncGenerator[View, None]:
            return self._calls.server_stream("StreamExecutable", request, decode, liveness)

        told = follow(f"executable {request.instrument}", connect, self._following)
        return cast("AsyncGenerator[Executable, None]", _newest(told, liveness, self.latest))

    def venues(self) -> AsyncGenerator[tuple[Venue, ...], None]:
        """Stream the state of every venue, all of them at each change."""

        liveness = StreamLiveness()

        def decode(payload: bytes) -> tuple[Venue, ...]:
            venues = decode_venues(parse(pb.Venues, payload))
            for venue in venues:
                venue.follow(liveness)
            return venues

        def connect() -> AsyncGenerator[tuple[Venue, ...], None]:
            return self._calls.server_stream("StreamVenues", pb.VenuesRequest(), decode, liveness)

        return follow("venues", connect, self._following)

    async def get_book(self, instrument: str, *, depth: int = 0) -> Book:
        """Return the book of this moment."""
        request = pb.BookRequest(instrument=check_instrument(instrument), depth=check_depth(depth))
        return decode_book(parse(pb.Book, await self._get("GetBook", request)), self._now_ns())

    async def get_bbo(self, instrument: str) -> Bbo:
        """Return the best bid and ask of this moment."""
        request = pb.GetBboRequest(instrument=check_instrument(instrument))
        return decode_bbo(parse(pb.Bbo, await self._get("GetBbo", request)), self._now_ns())

    async def get_liquidity(self, instrument: str, *, depth: int = 0) -> Liquidity:
        """Return the merged book of this moment."""
        request = pb.LiquidityRequest(
            instrument=check_instrument(instrument), depth=check_depth(depth)
        )
        payload = await self._get("GetLiquidity", request)
        return decode_liquidity(parse(pb.Liquidity, payload), self._now_ns())

    async def get_executable(
        self,
        instrument: str,
        side: TakeSide,
        sizes: Number | Sequence[Number],
        *,
        in_quote: bool = False,
        venues: Sequence[str] = (),
        fees: Mapping[str, Number] | None = None,
    ) -> Executable:
        """Return what it costs to buy or sell each of `sizes` at this moment; as `executable`."""
        request = _question(instrument, side, sizes, in_quote, venues, fees)
        payload = await self._get("GetExecutable", request)
        return decode_executable(parse(pb.Executable, payload), self._now_ns())

    async def get_venues(self) -> tuple[Venue, ...]:
        """Return the state of every venue."""
        return decode_venues(parse(pb.Venues, await self._get("GetVenues", pb.VenuesRequest())))

    async def instruments(self, venue: str = "", instrument: str = "") -> Instruments:
        """Return every instrument that a venue lists, or that `venue` does, or only `instrument`.

        Where either is named, each has its `markets`: increments, minimums and trading status.
        """
        name = check_instrument(instrument) if instrument else ""
        request = pb.ListInstrumentsRequest(venue=venue, instrument=name)
        payload = await self._get("ListInstruments", request)
        return decode_instruments(parse(pb.ListInstrumentsResponse, payload))

    def _views(
        self, kind: _Kind[V], instruments: str | Sequence[str], depth: int = 0
    ) -> AsyncGenerator[V, None]:
        asked = [instruments] if isinstance(instruments, str) else instruments
        names = tuple(dict.fromkeys(map(check_instrument, asked)))
        if not names:
            raise SettingError("no instrument to stream: name at least one, for example ETH-BTC")
        depth = check_depth(depth)
        subscriptions = [
            pb.Subscription(view=kind.number, instrument=name, depth=depth) for name in names
        ]
        stream = f"{kind.word} {' '.join(names)}"

        told: set[str] = set()

        def on_refusal(instrument: str, error: ClientError) -> UntilListed | None:
            if instrument not in told:
                told.add(instrument)
                self._following.on_event(Refused(stream, instrument, str(error)))
            if isinstance(error, InvalidRequestError):
                return None
            return partial(self._listed, instrument)

        liveness = StreamLiveness()
        connect = partial(self._calls.session, subscriptions, self._window, liveness, on_refusal)
        views = follow(stream, connect, self._following)
        return cast("AsyncGenerator[V, None]", _newest(views, liveness, self.latest))

    async def _listed(self, instrument: str) -> None:
        # By a call of its own: within a session a gateway that waits for lists reads nothing else.
        request = pb.GetBboRequest(instrument=instrument)
        while True:
            await asyncio.sleep(ASK_AGAIN_S)
            with contextlib.suppress(ClientError):
                await self._get("GetBbo", request)
                return


def _question(
    instrument: str,
    side: TakeSide,
    sizes: Number | Sequence[Number],
    in_quote: bool,
    venues: Sequence[str],
    fees: Mapping[str, Number] | None,
) -> pb.ExecutableRequest:
    return pb.ExecutableRequest(
        instrument=check_instrument(instrument),
        side=pb.SIDE_BUY if check_side(side) == "buy" else pb.SIDE_SELL,
        sizes=check_sizes(sizes),
        in_quote=in_quote,
        venues=[venues] if isinstance(venues, str) else venues,
        fees=check_fees(fees),
    )


async def _newest(
    stream: AsyncGenerator[View, None], liveness: StreamLiveness, latest: Latest
) -> AsyncGenerator[View, None]:
    """Yield the views that are no older than those before, as `liveness` and `latest` know them."""
    freshness = Freshness()
    try:
        async with contextlib.aclosing(stream) as views:
            async for view in views:
                if freshness.admit(view):
                    view.follow(liveness)
                    liveness.note(view.instrument, live=view.was_live)
                    latest.take(view)
                    yield view
    finally:
        latest.forget(liveness)


@dataclass(frozen=True, slots=True)
class _Kind(Generic[V]):
    """A kind of view: its word, and its number in the contract."""

    word: str
    number: pb.View


_BOOK: Final[_Kind[Book]] = _Kind("book", pb.VIEW_BOOK)
_BBO: Final[_Kind[Bbo]] = _Kind("bbo", pb.VIEW_BBO)
_LIQUIDITY: Final[_Kind[Liquidity]] = _Kind("liquidity", pb.VIEW_LIQUIDITY)
