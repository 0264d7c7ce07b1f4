from __future__ import annotations

import gc
import threading

import pytest
from dragonfly_client import ClientError, NotFoundError, UnavailableError
from dragonfly_client.sync import Client


def loop_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "dragonfly-client"]


def test_books_come_by_a_plain_for(stub_address: str) -> None:
    seen = []
    with Client(stub_address) as client:
        for book in client.book("ETH-BTC", depth=10):
            seen.append((book.epoch, book.seq))
            if len(seen) == 3:
                break
    assert seen == sorted(set(seen))
    assert loop_threads() == []


def test_every_call_has_its_blocking_twin(stub_address: str) -> None:
    with Client(stub_address) as client:
        assert client.get_book("ETH-BTC").instrument == "ETH-BTC"
        assert client.get_bbo("BTC-USD").instrument == "BTC-USD"
        assert client.get_liquidity("ETH-BTC").live
        assert [one.venue for one in client.get_venues()] == ["binance", "bitstamp", "kraken"]
        assert len(client.instruments()) == 2
        with client.bbo(["ETH-BTC"]) as bbo:
            assert next(bbo).live
        with client.liquidity("ETH-BTC") as liquidity:
            assert next(liquidity).bids
        with client.venues() as venues:
            assert len(next(venues)) == 3
        with client.books(["ETH-BTC", "BTC-USD"]) as books:
            assert {next(books).instrument, next(books).instrument} == {"ETH-BTC", "BTC-USD"}


def test_clients_share_one_loop(stub_address: str) -> None:
    with Client(stub_address) as one, Client(stub_address) as other:
        assert one.get_book("ETH-BTC").live
        assert other.get_book("ETH-BTC").live
        assert loop_threads() == ["dragonfly-client"]
    assert loop_threads() == []


def test_a_dropped_or_closed_stream_is_gone(stub_address: str) -> None:
    with Client(stub_address) as client:
        next(client.book("ETH-BTC"))
        gc.collect()
        books = client.book("ETH-BTC")
        next(books)
        books.close()
        with pytest.raises(StopIteration):
            next(books)


def test_errors_are_those_of_the_asyncio_client(stub_address: str) -> None:
    with Client(stub_address) as client, pytest.raises(NotFoundError, match="FOO-BAR"):
        next(client.book("FOO-BAR"))
    with pytest.raises(ClientError, match="closed"):
        client.get_venues()
    nowhere = Client("127.0.0.1:1", request_timeout_s=0.1)
    with nowhere, pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1"):
        nowhere.get_venues()
