"""Best prices that are ahead of their book, through a whole listener."""

from __future__ import annotations

from pathlib import Path

from dragonfly_common.messages import Book
from dragonfly_common.types import FeedState
from fake_venue import FakeServer, FakeVenue, eventually
from listening import Consumer, listening

Place = tuple[int, int | None]


def best(seq: int, bid: float, ask: float) -> dict[str, object]:
    return {"t": "bbo", "s": "ethbtc", "seq": seq, "b": [bid, 1.0], "a": [ask, 1.0]}


def places(consumer: Consumer) -> list[Place]:
    """Return the numbers of each LIVE book that was published."""
    said = (book for book in consumer.said("ETH-BTC") if book.state is FeedState.LIVE)
    return [(book.venue_seq, book.book_seq) for book in said]


async def shown(consumer: Consumer, place: Place) -> Book:
    return await consumer.book(
        "ETH-BTC", lambda book: (book.venue_seq, book.book_seq) == place, f"at {place}"
    )


async def test_they_are_shown_until_a_book_has_come_as_far(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue(best_prices=True)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await server.book("ethbtc", 5, 10.0)
        await consumer.live("ETH-BTC", 5)
        assert server.requests[0]["bbo"] is True
        await server.send(best(6, 9.5, 11.0), "ethbtc")
        ahead = await shown(consumer, (6, 5))
        assert (ahead.bids, ahead.asks) == (
            ((9.5, 1.0), (9.0, 1.0), (8.0, 2.0)),
            ((11.0, 1.0), (12.0, 2.0)),
        )
        await server.send(best(4, 1.0, 99.0), "ethbtc")  # late
        await server.book("ethbtc", 7, 10.0)  # the book is as it was: it stands for itself again
        again = await shown(consumer, (7, None))
        assert again.bids == ((9.0, 1.0), (8.0, 2.0))
        await server.send(best(8, 10.0, 10.5), "ethbtc")
        await shown(consumer, (8, 7))
        assert places(consumer) == [(5, None), (6, 5), (7, None), (8, 7)]


async def test_a_price_that_moves_through_levels_leaves_as_many_as_before(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue(best_prices=True)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await server.book("ethbtc", 4, 50.0)
        await consumer.live("ETH-BTC", 4)
        bids, asks = ([[at + way * n, 1.0] for n in range(20)] for at, way in ((50, -1), (51, 1)))
        book = {"t": "book", "s": "ethbtc", "ts": None, "b": bids, "a": asks}
        await server.send(book | {"seq": 5}, "ethbtc")
        first = await consumer.live("ETH-BTC", 5)
        assert (len(first.bids), len(first.asks), first.depth) == (10, 10, 10)
        await server.send(best(6, 47.0, 51.0), "ethbtc")
        ahead = await shown(consumer, (6, 5))
        assert ahead.bids == tuple((price, 1.0) for price in range(47, 37, -1))
        assert ahead.depth == 10
        await server.send(best(7, 46.0, 51.0), "ethbtc")
        assert len((await shown(consumer, (7, 5))).bids) == 9  # more is not read


async def test_nothing_of_them_is_left_when_the_book_is_asked_for_anew(
    server: FakeServer, tmp_path: Path
) -> None:
    venue = FakeVenue(best_prices=True)
    async with listening(server, tmp_path, venue=venue, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await server.book("ethbtc", 5, 10.0)
        await consumer.live("ETH-BTC", 5)
        await server.send(best(9, 9.5, 11.0), "ethbtc")
        await shown(consumer, (9, 5))
        server.send_at_once({"t": "broken", "s": "ethbtc"}, best(10, 9.6, 11.0))
        again = [(5, None), (9, 5), (5, None)]
        await eventually(lambda: places(consumer) == again, "the book as it is sent again")


async def test_a_venue_that_does_not_declare_them_is_not_asked(
    server: FakeServer, tmp_path: Path
) -> None:
    async with listening(server, tmp_path, instruments=["ETH-BTC"]) as consumer:
        consumer.want("ETH-BTC")
        await server.book("ethbtc", 5, 10.0)
        await consumer.live("ETH-BTC", 5)
        assert server.requests[0]["bbo"] is False
        await server.send(best(6, 9.5, 11.0), "ethbtc")
        await server.book("ethbtc", 7, 10.5)
        await consumer.live("ETH-BTC", 7)
        assert places(consumer) == [(5, None), (7, None)]
