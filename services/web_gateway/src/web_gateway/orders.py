"""Orders at the execution engine, as people and programs are shown and give them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, fields
from typing import Final, TypeVar

import msgspec
from dragonfly_client.client import DragonflyClient
from dragonfly_client.errors import ClientError, NotFoundError
from dragonfly_client.orders import (
    EngineState,
    Ticket,
    VenueFill,
    VenueOrder,
    WorkedOrder,
)
from dragonfly_common.printable import printable
from dragonfly_views.refusals import invalid

__all__ = [
    "KillBody",
    "OrdersTold",
    "WorkedDetail",
    "follow_orders",
    "order_detail",
    "parse_kill",
    "parse_ticket",
]

T = TypeVar("T")

LOOK_S: Final = 1.0
"""Between two looks, while there is news."""
ANYWAY_S: Final = 5.0
"""Between two looks without news: an engine that is killed while nothing is open tells nobody."""
MOST_OVER: Final = 50
"""Orders that are over, of which is still told."""
MOST_PARTS: Final = 200
"""Orders at venues and fills of one order: the newest."""


@dataclass(frozen=True)
class OrdersTold:
    """The engine and its customer's orders, the newest first."""

    engine: EngineState
    orders: tuple[WorkedOrder, ...]


@dataclass(frozen=True)
class WorkedDetail:
    """An order with what it has at venues."""

    order: WorkedOrder
    children: tuple[VenueOrder, ...]
    fills: tuple[VenueFill, ...]


async def follow_orders(client: DragonflyClient) -> AsyncGenerator[OrdersTold, None]:
    """Yield the orders of the client's bot: when there is news of one, and every 5 s.

    Raises:
        ClientError: as of any call.
    """
    known = {one.order_id: one for one in await client.orders(everything=True)}
    news = asyncio.Event()
    hearing = asyncio.create_task(_hear(client, known, news))
    try:
        while True:
            over = [name for name, one in known.items() if one.over]
            for name in over[: max(0, len(over) - MOST_OVER)]:
                del known[name]
            yield OrdersTold(await client.engine(), tuple(reversed(known.values())))
            await asyncio.sleep(LOOK_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(ANYWAY_S - LOOK_S):
                    await news.wait()
            news.clear()
            open_now = {one.order_id: one for one in await client.orders()}
            ended = [one for one in known.values() if not one.over and one.order_id not in open_now]
            for one in ended:
                try:
                    known[one.order_id] = await client.order(one.order_id)
                except NotFoundError:  # another engine's, on another journal
                    del known[one.order_id]
            known |= open_now
    finally:
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)


async def _hear(
    client: DragonflyClient, known: Mapping[str, WorkedOrder], news: asyncio.Event
) -> None:
    """Set `news` at each fact that `known` is without; where none can be had, a look is enough."""
    after = {name: one.last_seq for name, one in known.items()}
    with suppress(ClientError):
        async with aclosing(client.order_news(after=after)) as facts:
            async for _ in facts:
                news.set()


async def order_detail(client: DragonflyClient, order_id: str) -> WorkedDetail:
    """Return an order with its newest orders at venues and fills.

    Raises:
        ClientError: as of any call.
    """
    order = await client.order(order_id)
    children: dict[str, VenueOrder] = {}
    fills: list[VenueFill] = []
    async with aclosing(client.order_news(order_id)) as facts:
        async for fact in facts:
            if fact.child is not None:
                children[fact.child.child_id] = fact.child
            if fact.fill is not None:
                fills.append(fact.fill)
            if fact.seq >= order.last_seq:
                break
    return WorkedDetail(order, tuple(children.values())[-MOST_PARTS:], tuple(fills[-MOST_PARTS:]))


def parse_ticket(body: bytes) -> Ticket:
    """Return the order that JSON describes, in the words of `Ticket`.

    Raises:
        CallRefusedError: it is none, or says what no order has.
    """
    return _parse(body, Ticket)


@dataclass(frozen=True)
class KillBody:
    """Why everything is stopped."""

    reason: str = ""


def parse_kill(body: bytes) -> str:
    """Return the reason that is given for stopping everything.

    Raises:
        CallRefusedError: the body is malformed.
    """
    return _parse(body or b"{}", KillBody).reason


def _parse(body: bytes, kind: type[T]) -> T:
    known = [one.name for one in fields(kind)]  # type: ignore[arg-type]
    try:
        # A field that is misspelt would be an order without it.
        for name in msgspec.json.decode(body, type=dict[str, msgspec.Raw]):
            if name not in known:
                raise invalid(f"{name[:60]!r} is no field here: give {', '.join(known)}")
        # Integers beyond a browser's numbers come as text.
        return msgspec.json.decode(body, type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise invalid(f"the body cannot be read: {printable(str(error), 200)}") from None
