"""The client for code without an event loop: plain calls and plain iterators.

with Client("127.0.0.1:50051") as client:
    for book in client.book("ETH-BTC"):
        print(book.best_bid, book.best_ask)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Generic, Self, TypedDict, TypeVar, Unpack

from dragonfly_client import data
from dragonfly_client.client import DEFAULT_TARGET, DragonflyClient, Number
from dragonfly_client.errors import ClientError
from dragonfly_client.events import EventListener
from dragonfly_client.latest import Latest
from dragonfly_client.messages import (
    Bbo,
    Book,
    Executable,
    Instruments,
    Liquidity,
    TakeSide,
    Venue,
)
from dragonfly_client.orders import CostEstimate, EngineState, OrderNews, Ticket, WorkedOrder
from dragonfly_client.tls import Tls

__all__ = ["Client", "Options", "Stream"]

T = TypeVar("T")

_END: Final = object()


class Options(TypedDict, total=False):
    """What `DragonflyClient` takes besides the target. `on_event` runs in the client's thread."""

    tls: Tls | None
    token: str | None
    proxy: str | None
    window: int | None
    lookahead_bytes: int
    connect_timeout_s: float
    request_timeout_s: float
    on_event: EventListener
    random: Callable[[], float]
    now_ns: Callable[[], int]


class Client:
    """`DragonflyClient`, with each of its methods blocking. Threads may share one.

    A book is read when it is asked for: a loop that works for long gets the newest state next.
    """

    def __init__(self, target: str = DEFAULT_TARGET, **options: Unpack[Options]) -> None:
        self._client = DragonflyClient(target, **options)
        self._closed = False
        _shared_loop.borrow()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def latest(self) -> Latest:
        """The newest of what this client's streams brought."""
        return self._client.latest

    def close(self) -> None:
        """End every stream and close every connection."""
        if not self._closed:
            self._run(self._client.aclose())
            self._closed = True
            _shared_loop.give_back()

    def book(self, instrument: str, *, depth: int = 0) -> Stream[Book]:
        """Iterate over the consolidated book; `depth` 0 means all that the gateway serves."""
        return self._stream(self._client.book(instrument, depth=depth))

    def books(self, instruments: str | Sequence[str], *, depth: int = 0) -> Stream[Book]:
        """Iterate over the consolidated books of several instruments."""
        return self._stream(self._client.books(instruments, depth=depth))

    def bbo(self, instruments: str | Sequence[str]) -> Stream[Bbo]:
        """Iterate over the best bid and ask across venues of several instruments."""
        return self._stream(self._client.bbo(instruments))

    def liquidity(self, instrument: str, *, depth: int = 0) -> Stream[Liquidity]:
        """Iterate over the book whose equal prices are merged."""
        return self._stream(self._client.liquidity(instrument, depth=depth))

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
    ) -> Stream[Executable]:
        """Iterate over what it costs to buy or sell each of `sizes`, net of fees."""
        told = self._client.executable(
            instrument,
            side,
            sizes,
            in_quote=in_quote,
            venues=venues,
            fees=fees,
            min_interval_ms=min_interval_ms,
        )
        return self._stream(told)

    def venues(self) -> Stream[tuple[Venue, ...]]:
        """Iterate over the state of every venue, all of them at each change."""
        return self._stream(self._client.venues())

    def get_book(self, instrument: str, *, depth: int = 0) -> Book:
        """Return the book of this moment."""
        return self._run(self._client.get_book(instrument, depth=depth))

    def get_bbo(self, instrument: str) -> Bbo:
        """Return the best bid and ask of this moment."""
        return self._run(self._client.get_bbo(instrument))

    def get_liquidity(self, instrument: str, *, depth: int = 0) -> Liquidity:
        """Return the merged book of this moment."""
        return self._run(self._client.get_liquidity(instrument, depth=depth))

    def get_executable(
        self,
        instrument: str,
        side: TakeSide,
        sizes: Number | Sequence[Number],
        *,
        in_quote: bool = False,
        venues: Sequence[str] = (),
        fees: Mapping[str, Number] | None = None,
    ) -> Executable:
        """Return what it costs to buy or sell each of `sizes` at this moment, net of fees."""
        return self._run(
            self._client.get_executable(
                instrument, side, sizes, in_quote=in_quote, venues=venues, fees=fees
            )
        )

    def get_venues(self) -> tuple[Venue, ...]:
        """Return the state of every venue."""
        return self._run(self._client.get_venues())

    def instruments(self, venue: str = "", instrument: str = "") -> Instruments:
        """Return every instrument that a venue lists, or that `venue` does, or only `instrument`.

        Where either is named, each has its `markets`: increments, minimums and trading status.
        """
        return self._run(self._client.instruments(venue, instrument))

    def liquidate(self, ticket: Ticket) -> WorkedOrder:
        """Have an order worked; return it as it was taken."""
        return self._run(self._client.liquidate(ticket))

    def estimate(self, ticket: Ticket) -> CostEstimate:
        """Return what a ticket would do first, and what all of it would cost now."""
        return self._run(self._client.estimate(ticket))

    def cancel(self, order_id: str = "", *, client_id: str = "") -> WorkedOrder:
        """End an order: nothing more is sent."""
        return self._run(self._client.cancel(order_id, client_id=client_id))

    def pause(self, order_id: str = "", *, client_id: str = "") -> WorkedOrder:
        """Send nothing more for now."""
        return self._run(self._client.pause(order_id, client_id=client_id))

    def resume(self, order_id: str = "", *, client_id: str = "") -> WorkedOrder:
        """Go on, also after a restart of the engine."""
        return self._run(self._client.resume(order_id, client_id=client_id))

    def resolve(
        self,
        order_id: str = "",
        *,
        client_id: str = "",
        child_id: str,
        filled: Decimal,
        reason: str,
    ) -> WorkedOrder:
        """End the doubt about an order at a venue by your word."""
        return self._run(
            self._client.resolve(
                order_id, client_id=client_id, child_id=child_id, filled=filled, reason=reason
            )
        )

    def replace(
        self,
        order_id: str = "",
        *,
        client_id: str = "",
        quantity: Decimal | None = None,
        limit: Decimal | None = None,
    ) -> WorkedOrder:
        """Change an open order's total quantity, downwards, or its limit."""
        return self._run(
            self._client.replace(order_id, client_id=client_id, quantity=quantity, limit=limit)
        )

    def order(self, order_id: str = "", *, client_id: str = "") -> WorkedOrder:
        """Return an order, by the engine's id or by this bot's own."""
        return self._run(self._client.order(order_id, client_id=client_id))

    def orders(self, *, everything: bool = False) -> tuple[WorkedOrder, ...]:
        """Return this bot's open orders; with `everything`, those that are over, too."""
        return self._run(self._client.orders(everything=everything))

    def order_news(
        self, order_id: str = "", *, after: Mapping[str, int] | None = None
    ) -> Stream[OrderNews]:
        """Iterate over every fact of an order, or of all of this bot's."""
        return self._stream(self._client.order_news(order_id, after=after))

    def engine(self) -> EngineState:
        """Return what the engine says of itself."""
        return self._run(self._client.engine())

    def kill(self, reason: str = "") -> EngineState:
        """Stop everything, of every customer."""
        return self._run(self._client.kill(reason))

    def revive(self) -> EngineState:
        """Let the engine take orders again after a kill."""
        return self._run(self._client.revive())

    def _stream(self, generator: AsyncGenerator[T, None]) -> Stream[T]:
        return Stream(generator, self._run)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            coroutine.close()
            raise ClientError("this client is closed")
        return _shared_loop.run(coroutine)


class Stream(Iterator[T], Generic[T]):
    """An iterator that can be closed: by `close`, by `with`, or by dropping it."""

    def __init__(
        self, generator: AsyncGenerator[T, None], run: Callable[[Coroutine[Any, Any, Any]], Any]
    ) -> None:
        self._generator = generator
        self._run = run

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        item: T | object = self._run(self._next())
        if item is _END:
            raise StopIteration
        return item  # type: ignore[return-value]  # all but _END is a T

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def collect(self, *, seconds: float | None = None, count: int | None = None) -> list[T]:
        """Return what comes within `seconds`, or the first `count`; close the stream."""
        told: list[T] = self._run(data.collect(self._generator, seconds=seconds, count=count))
        return told

    def close(self) -> None:
        """End the stream now; the gateway sees the call cancelled."""
        self._run(self._close())

    async def _next(self) -> T | object:
        return await anext(self._generator, _END)

    async def _close(self) -> None:
        await self._generator.aclose()


class _SharedLoop:
    """The one event loop, in a thread, of all sync clients of the process.

    gRPC for asyncio polls in one place per process, and stumbles over a second loop. The thread
    lives while a client does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def borrow(self) -> None:
        with self._lock:
            self._users += 1
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="dragonfly-client", daemon=True
                )
                self._thread.start()

    def give_back(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users or self._loop is None or self._thread is None:
                return
            self.run(self._loop.shutdown_asyncgens())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what `coroutine` returns; an interrupt of the caller cancels it."""
        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


_shared_loop: Final = _SharedLoop()
