"""What a bot writer passes or prints in the first hour: it works, or one sentence says why not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from dragonfly_client import (
    ClientError,
    DragonflyClient,
    Event,
    InvalidRequestError,
    NotFoundError,
    Refused,
    SettingError,
    Tls,
)
from dragonfly_client import client as client_module
from dragonfly_client._decode import decode_bbo, decode_book, decode_liquidity
from dragonfly_protos import market_data_pb2 as pb
from stub_gateway import StubGateway, make_bbo, make_book, make_liquidity

DEAD = dict.fromkeys(("binance", "bitstamp", "kraken"), (pb.STATE_DOWN, "no listener"))


async def test_one_name_need_not_be_a_list(gateway: StubGateway) -> None:
    book = make_book()
    for message in (book, make_bbo(book)):
        gateway.publish(message)
    async with DragonflyClient(gateway.address) as client:
        assert (await anext(client.bbo("ETH-BTC"))).instrument == "ETH-BTC"
        assert (await anext(client.books("ETH-BTC"))).instrument == "ETH-BTC"


@pytest.mark.parametrize("name", ["eth-btc", " ETH-BTC ", "Eth-Btc"])
async def test_a_name_may_be_in_lower_case(gateway: StubGateway, name: str) -> None:
    book = make_book()
    for message in (book, make_bbo(book), make_liquidity(book)):
        gateway.publish(message)
    async with DragonflyClient(gateway.address) as client:
        for stream in (
            client.book(name),
            client.books([name, "ETH-BTC"]),
            client.bbo([name]),
            client.liquidity(name),
        ):
            assert (await anext(stream)).instrument == "ETH-BTC"
        assert (await client.get_book(name)).live
        assert (await client.get_bbo(name)).live
        assert (await client.get_liquidity(name)).live


async def test_an_unlisted_name_does_not_end_a_stream_of_many(gateway: StubGateway) -> None:
    gateway.publish(make_book())
    events: list[Event] = []
    client = DragonflyClient(gateway.address, on_event=events.append)
    names = ["FOO-BAR", "ETH-BTC", "BAR-FOO"]
    async with client, contextlib.aclosing(client.books(names)) as books:
        assert (await anext(books)).instrument == "ETH-BTC"
        gateway.publish(make_book(seq=2))
        assert (await anext(books)).seq == 2
        assert {event.instrument for event in events if isinstance(event, Refused)} == {
            "FOO-BAR",
            "BAR-FOO",
        }
        assert len(events) == 2
        assert events[0].reason.startswith("no venue lists")  # type: ignore[union-attr]


@pytest.mark.parametrize("doubted", [True, False])
async def test_a_name_that_is_listed_later_comes_to_a_stream_of_many(
    gateway: StubGateway, monkeypatch: pytest.MonkeyPatch, *, doubted: bool
) -> None:
    """Also where the gateway cannot say no, because a venue's list never comes."""
    monkeypatch.setattr(client_module, "ASK_AGAIN_S", 0.01)
    gateway.publish(make_book())
    gateway.doubted = {"NEW-BTC"} if doubted else set()
    events: list[Event] = []
    client = DragonflyClient(gateway.address, on_event=events.append)
    async with client, contextlib.aclosing(client.books(["NEW-BTC", "ETH-BTC"])) as books:
        assert (await anext(books)).instrument == "ETH-BTC"
        waiting = asyncio.ensure_future(anext(books))
        await gateway.until(lambda: gateway.calls["refused"] >= 3)
        book = make_book("NEW-BTC")
        gateway.publish(book)
        gateway.publish(make_bbo(book))
        gateway.known.append("NEW-BTC")
        gateway.doubted.clear()
        assert (await waiting).instrument == "NEW-BTC"
        assert gateway.calls["opened"] == 1
    assert [type(event) for event in events] == [Refused]


@pytest.mark.parametrize(
    ("names", "depth", "kind"),
    [(["FOO-BAR", "BAR-FOO"], 0, NotFoundError), (["ETH-BTC", "FOO-BAR"], 99, InvalidRequestError)],
)
async def test_a_stream_of_which_all_is_refused_ends(
    gateway: StubGateway, names: list[str], depth: int, kind: type[ClientError]
) -> None:
    events: list[Event] = []
    async with DragonflyClient(gateway.address, on_event=events.append) as client:
        with pytest.raises(kind):
            await anext(client.books(names, depth=depth))
    assert events == []


# Those who do not run mypy.
UNTYPED: Any = DragonflyClient
UNTYPED_TLS: Any = Tls
CLIENT: Any = DragonflyClient()
NOT_WHOLE: list[Any] = [-1, True, 1.5, "5", None, 2**32]
NO_NAMES: list[Any] = [None, 5, ["ETH-BTC"]]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        *(
            (
                lambda depth=depth: CLIENT.book("ETH-BTC", depth=depth),
                f"depth {depth!r}: give a whole",
            )
            for depth in NOT_WHOLE
        ),
        *(
            (lambda depth=depth: CLIENT.liquidity("ETH-BTC", depth=depth), f"depth {depth!r}: give")
            for depth in NOT_WHOLE
        ),
        *(
            (lambda name=name: CLIENT.book(name), "is not an instrument: write 'ETH-BTC'")
            for name in NO_NAMES
        ),
        (lambda: CLIENT.bbo([None]), "None is not an instrument"),
        (lambda: CLIENT.books([]), "no instrument to stream"),
        (lambda: UNTYPED(tls=True), "tls True: give Tls()"),
        (lambda: UNTYPED(tls="ca.pem"), "tls 'ca.pem': give Tls()"),
        (lambda: UNTYPED(None), "'None' is no gateway's address: write HOST:PORT"),
        (lambda: UNTYPED(50051), "'50051' is no gateway's address"),
        *(
            (
                lambda window=window: UNTYPED(window=window),
                f"window {window!r}: give a whole",
            )
            for window in (0, -1, True, 1.5, "1")
        ),
        *(
            (lambda token=token: UNTYPED(token=token), "the token is not one line")
            for token in (3, b"secret", "a b")
        ),
        *(
            (lambda proxy=proxy: UNTYPED(proxy=proxy), f"proxy '{proxy}' cannot be used")
            for proxy in (3, True, "x")
        ),
        (lambda: UNTYPED_TLS(ca_file=3), "ca_file 3: give the path of a PEM file"),
        (lambda: UNTYPED_TLS(server_name=b"x"), "server_name b'x': give a host's name"),
        (lambda: UNTYPED(lookahead_bytes=-1), "lookahead_bytes -1: give a whole number"),
        (lambda: UNTYPED(connect_timeout_s=-1), "connect_timeout_s -1: give seconds"),
        (lambda: UNTYPED(connect_timeout_s="9"), "connect_timeout_s '9': give seconds"),
        (lambda: UNTYPED(request_timeout_s=float("nan")), "request_timeout_s nan: give"),
        (lambda: UNTYPED(request_timeout_s=None), "request_timeout_s None: give seconds"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(wrong: Callable[[], object], sentence: str) -> None:
    with pytest.raises(SettingError) as error:
        wrong()
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("depth", NOT_WHOLE)
async def test_a_get_says_the_same(depth: Any) -> None:
    async with DragonflyClient() as client:
        with pytest.raises(SettingError, match="give a whole number"):
            await client.get_book("ETH-BTC", depth=depth)
        with pytest.raises(SettingError, match="give a whole number"):
            await client.get_liquidity("ETH-BTC", depth=depth)
        with pytest.raises(SettingError, match="is not an instrument"):
            await client.get_bbo(NO_NAMES[0])


def test_every_view_prints_as_one_short_line() -> None:
    sent = make_book(depth=20)
    book = decode_book(sent, sent.ts_agg)
    best = f"{sent.bids[0].amount:g} @ {sent.bids[0].price!r} {sent.bids[0].venue}"
    for view in (
        book,
        decode_bbo(make_bbo(sent), sent.ts_agg),
        decode_liquidity(make_liquidity(sent), sent.ts_agg),
    ):
        assert str(view).startswith(f"ETH-BTC: {best} | ")
        assert str(view).endswith("3 of 3 venues live")
        assert len(str(view)) < 140
    assert str(book.best_bid) == best
    empty = make_book(states=DEAD)
    assert str(decode_book(empty, 0)) == (
        "ETH-BTC: no venue is live (binance DOWN: no listener; bitstamp DOWN: no listener;"
        " kraken DOWN: no listener)"
    )
    assert str(decode_book(pb.Book(instrument="ETH-BTC"), 0)).endswith("(none is known)")
    del sent.bids[:]
    one_sided = str(decode_book(sent, sent.ts_agg))
    assert one_sided.startswith("ETH-BTC: no bid | ")
    assert ", spread -, " in one_sided
    assert str(decode_book(sent, 0)).endswith("3 of 3 venues live, no longer so")


def test_liquidity_has_what_a_book_has() -> None:
    sent = make_book()
    book = decode_book(sent, 0)
    liquidity = decode_liquidity(make_liquidity(sent), 0)
    assert book.best_bid is not None
    assert book.best_ask is not None
    assert liquidity.best_bid is not None
    assert liquidity.best_ask is not None
    assert liquidity.best_bid.price == book.best_bid.price
    assert liquidity.best_ask.price == book.best_ask.price
    assert (liquidity.mid, liquidity.crossed) == (book.mid, False)
    empty = decode_liquidity(pb.Liquidity(instrument="ETH-BTC"), 0)
    assert (empty.best_bid, empty.best_ask, empty.mid, empty.crossed) == (None, None, None, False)
