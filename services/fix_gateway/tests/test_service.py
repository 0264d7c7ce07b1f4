"""The gateway over real sockets: what customers ask, and what they are answered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from customer_world import BOTH, Customer, Running, drawn, levels, running
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import FeedState
from dragonfly_fix.codec import FixMessage
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.relay import ViewKey
from fix_gateway.service import FixGatewayOptions
from patience import eventually
from view_world import Aggregator, make_book, until

ETH = f"{BOTH}|146=1|55=ETH-BTC"


def make_bbo(bid: float, ask: float, instrument: str = "ETH-BTC") -> pb.Bbo:
    feeds = [
        pb.VenueFeed(
            venue=venue, state=pb.STATE_LIVE, venue_seq=7, ts_recv=1_790_000_000_123_000_000
        )
        for venue in ("kraken", "bitstamp")
    ]
    return pb.Bbo(
        bid=pb.Level(venue="kraken", price=bid, amount=1e-8),
        ask=pb.Level(venue="bitstamp", price=ask, amount=2.5),
        instrument=instrument,
        venues=feeds,
        live=True,
    )


def make_liquidity() -> pb.Liquidity:
    shares = [pb.Share(venue="kraken", amount=1), pb.Share(venue="bitstamp", amount=0.5)]
    return pb.Liquidity(
        bids=[pb.MergedLevel(price=0.99, amount=1.5, shares=shares)],
        instrument="ETH-BTC",
        venues=[pb.VenueFeed(venue="kraken", state=pb.STATE_LIVE)],
        live=True,
    )


async def test_a_book_is_told_whole_with_its_venues(
    aggregator: Aggregator, customer: Customer
) -> None:
    aggregator.say(make_book(levels=2))
    answer = await customer.ask("V", f"262=m|263=1|264=0|265=0|266=N|{ETH}")
    assert answer == (
        "35=W|55=ETH-BTC|262=m|268=4"
        "|269=0|270=0.984375|271=1|272=19700101|273=00:00:00.000|276=A|282=KRAKEN|299=7"
        "|269=0|270=0.96875|271=2|272=19700101|273=00:00:00.000|276=A|282=KRAKEN|299=7"
        "|269=1|270=1.015625|271=1|272=19700101|273=00:00:00.000|276=A|282=KRAKEN|299=7"
        "|269=1|270=1.03125|271=2|272=19700101|273=00:00:00.000|276=A|282=KRAKEN|299=7"
    )
    aggregator.say(make_book(levels=1))
    assert (await customer.receive_drawn()).startswith("35=W|55=ETH-BTC|262=m|268=2|")
    aggregator.say(make_book(levels=0, live=False))
    assert await customer.receive_drawn() == "35=W|55=ETH-BTC|262=m|268=0"


async def test_best_prices_say_when_venues_cross(
    aggregator: Aggregator, customer: Customer
) -> None:
    aggregator.say(make_bbo(1.0, 1.5))
    answer = await customer.ask("V", f"262=m|263=1|264=1|{ETH}")
    when = "272=20260921|273=14:13:20.123"
    assert answer == (
        f"35=W|55=ETH-BTC|262=m|268=2|269=0|270=1|271=0.00000001|{when}|276=A|282=KRAKEN|299=7"
        f"|269=1|270=1.5|271=2.5|{when}|276=A|282=BITSTAMP|299=7"
    )
    aggregator.say(make_bbo(1.6, 1.5))
    assert {entry[276] for entry in levels(await customer.receive())} == {"A F"}


async def test_merged_liquidity_says_of_how_many_venues(
    aggregator: Aggregator, customer: Customer
) -> None:
    aggregator.say(make_liquidity())
    assert await customer.ask("V", f"262=m|263=1|264=0|266=Y|{ETH}") == (
        "35=W|55=ETH-BTC|262=m|268=1|269=0|270=0.99|271=1.5|276=A|346=2"
    )


async def test_one_side_is_told_where_one_is_asked_for(
    aggregator: Aggregator, customer: Customer
) -> None:
    aggregator.say(make_book(levels=2))
    customer.send("V", "262=m|263=0|264=0|267=1|269=1|146=1|55=ETH-BTC")
    assert {entry[269] for entry in levels(await customer.receive())} == {"1"}
    await customer.nothing_more()


async def test_differences_follow_the_first_whole_book(
    aggregator: Aggregator, customer: Customer
) -> None:
    aggregator.say(make_book(levels=2))
    customer.send("V", f"262=m|263=1|264=2|265=1|266=N|{ETH}")
    assert (await customer.receive()).type == b"W"
    changed = make_book(levels=2)
    changed.bids[0].amount = 9
    del changed.bids[1]
    changed.asks[1].price = 1.5
    changed.venues[0].venue_seq = 8
    aggregator.say(changed)
    at = "272=19700101|273=00:00:00.000|276=A|282=KRAKEN|299=8"
    assert await customer.receive_drawn() == (
        "35=X|262=m|268=4"
        "|279=2|269=0|55=ETH-BTC|270=0.96875|282=KRAKEN|299=8"
        "|279=2|269=1|55=ETH-BTC|270=1.03125|282=KRAKEN|299=8"
        f"|279=1|269=0|55=ETH-BTC|270=0.984375|271=9|{at}"
        f"|279=0|269=1|55=ETH-BTC|270=1.5|271=2|{at}"
    )
    changed.venues[0].venue_seq = 9  # nothing else: not told
    aggregator.say(changed)
    aggregator.say(make_book(levels=0, live=False))
    deleted = levels(await customer.receive())
    assert [entry[279] for entry in deleted] == ["2"] * 3


async def test_many_instruments_a_request_and_an_end(
    aggregator: Aggregator, customer: Customer
) -> None:
    for name in ("ETH-BTC", "BTC-USD"):
        aggregator.say(make_book(name))
    customer.send("V", f"262=m|263=1|264=0|{BOTH}|146=2|55=ETH-BTC|55=BTC-USD")
    assert {(await customer.receive()).get(55) for _ in "ab"} == {b"ETH-BTC", b"BTC-USD"}
    customer.send("V", f"262=m|263=2|264=0|{BOTH}|146=2|55=ETH-BTC|55=BTC-USD")
    await until(lambda: ViewKey(ViewKind.BOOK, "ETH-BTC") not in aggregator.wanted)
    await customer.nothing_more()


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (f"263=1|264=11|{ETH}", "281=5|58=MarketDepth (264) 11 is out of range"),
        (f"263=1|264=-1|{ETH}", "281=5|58=MarketDepth (264) -1 is out of range"),
        ("263=1|264=0|267=1|269=2|146=1|55=ETH-BTC", "281=8|58=MDEntryType (269) '2'"),
        (f"263=1|264=0|{BOTH}|146=1|55=DOGE-BTC", "281=0|58=no venue lists DOGE-BTC"),
        (f"263=1|264=0|{BOTH}|146=1|55=eth/btc", "281=0|58='eth/btc' is not an instrument: did"),
        (f"263=1|264=0|{BOTH}|146=1|55=ETH-BTC|207=KRAKEN", "281=0|58=SecurityExchange (207)"),
        (f"263=1|264=0|{BOTH}|146=2|55=ETH-BTC|55=ETH-BTC", "281=0|58=ETH-BTC is named twice"),
        (f"263=1|264=0|{BOTH}|146=4|55=A-B|55=B-C|55=C-D|55=D-E", "281=2|58=4 instruments"),
        (f"263=2|264=0|{ETH}", "58=no request (262) m goes on in this session"),
    ],
)
async def test_what_breaks_a_rule_is_refused_with_its_reason(
    aggregator: Aggregator, customer: Customer, asked: str, answered: str
) -> None:
    aggregator.say(make_book())
    assert "|560=0|" in await customer.ask("x", "320=l|559=0|55=LTC-BTC"), "the list is there"
    assert (await customer.ask("V", f"262=m|{asked}")).startswith(f"35=Y|262=m|{answered}")


async def test_an_id_is_used_once_at_a_time_and_requests_are_counted(
    aggregator: Aggregator, customer: Customer
) -> None:
    aggregator.say(make_book())
    request = f"263=1|264=0|{ETH}"
    assert (await customer.ask("V", f"262=m1|{request}")).startswith("35=W|")
    assert (await customer.ask("V", f"262=m1|{request}")).startswith("35=Y|262=m1|281=1|58=the id")
    for name in ("m2", "m3"):
        assert (await customer.ask("V", f"262={name}|{request}")).startswith("35=W|")
    refusal = await customer.ask("V", f"262=m4|{request}")
    assert refusal.startswith("35=Y|262=m4|281=2|58=4 instruments in one session")
    for name in ("m1", "m2"):
        customer.send("V", f"262={name}|263=2|264=0|{ETH}")
    assert (await customer.ask("V", f"262=m1|{request}")).startswith("35=W|")
    long = "x" * 65
    refusal = await customer.ask("V", f"262={long}|{request}")
    assert "380=0" in refusal
    assert long not in refusal


async def test_venues_states_are_told_with_their_reasons(
    aggregator: Aggregator, customer: Customer
) -> None:
    bbo = make_bbo(1.0, 1.5)
    aggregator.say(bbo)
    for name in ("KRAKEN", "BITSTAMP"):
        answer = await (
            customer.ask("e", "324=s|55=ETH-BTC|263=1")
            if name == "KRAKEN"
            else customer.receive_drawn()
        )
        assert answer.startswith(f"35=f|324=s|55=ETH-BTC|207={name}|325=N|326=17|60=")
    bbo.venues[0].state, bbo.venues[0].reason = pb.STATE_DOWN, "no connection"
    aggregator.say(bbo)
    answer = await customer.receive_drawn()
    assert answer.startswith("35=f|324=s|55=ETH-BTC|207=KRAKEN|325=Y|326=18|60=")
    assert answer.endswith("|58=no connection")
    answer = await customer.ask("e", "324=t|55=ETH-BTC|207=OKX|263=0")
    assert answer.startswith("35=f|324=t|55=ETH-BTC|207=OKX|325=N|326=19|60=")
    refusal = await customer.ask("e", "324=u|55=DOGE-BTC|263=1")
    assert "|58=no venue lists DOGE-BTC" in refusal
    assert refusal.endswith("|372=e|379=u|380=2")


async def test_what_venues_list_is_told_in_fragments(
    aggregator: Aggregator, customer: Customer
) -> None:
    names = [f"A{number:03}-USD" for number in range(300)]
    aggregator.say_venue("okx", FeedState.LIVE)
    aggregator.say_instruments(*names, venue="okx")
    assert "|560=0|" in await customer.ask("x", "320=a|559=0|55=A299-USD"), "its list is there"
    parts: list[FixMessage] = []
    customer.send("x", "320=l|559=4")
    while not parts or parts[-1].get(893) == b"N":
        parts.append(await customer.receive())
    assert {part.get(393) for part in parts} == {b"303"}
    listed = [value for part in parts for tag, value in part.fields if tag == 55]
    assert sorted(listed) == sorted(
        name.encode() for name in ("BTC-USD", "ETH-BTC", "LTC-BTC", *names)
    )
    one = await customer.ask("x", "320=l|559=0|55=ETH-BTC")
    assert one == (
        "35=y|320=l|322=l-1|560=0|393=1|893=Y|146=1"
        "|55=ETH-BTC|207=KRAKEN|15=BTC|58=symbol=eth-btc;tick=0.01"
    )
    assert await customer.ask("x", "320=l|559=0|55=DOGE-BTC") == (
        "35=y|320=l|322=l|560=2|393=0|893=Y"
    )
    assert "|560=1|" in await customer.ask("x", "320=l|559=1|167=FOR")
    aggregator.say_instruments("NEW-BTC", "ETH-BTC")

    async def is_listed() -> bool:
        return "58=symbol=new-btc" in await customer.ask("x", "320=l|559=0|55=NEW-BTC")

    await eventually(is_listed, "a list that replaces the first is told")


async def test_orders_and_other_messages_are_refused(
    aggregator: Aggregator, customer: Customer
) -> None:
    now = "20260921-14:13:20"
    order = f"11=c1|55=ETH-BTC|54=1|60={now}|40=2|38=1|44=1"
    refusal = await customer.ask("D", order)
    assert refusal.endswith(
        "|58=the token is not for orders: ask for the scope trade|372=D|379=c1|380=6"
    )
    refusal = await customer.ask("B", "148=x|33=1|58=x")
    assert refusal.endswith("|372=B|380=3")


async def test_an_aggregator_that_is_lost_leaves_an_empty_book(
    aggregator: Aggregator, customer: Customer
) -> None:
    aggregator.say(make_book())
    assert "268=6" in await customer.ask("V", f"262=m|263=1|264=0|{ETH}")
    await aggregator.close()
    assert await customer.receive_drawn() == "35=W|55=ETH-BTC|262=m|268=0"


async def test_customers_are_logged_out_when_the_gateway_stops(
    aggregator: Aggregator, fix_gateway: Running
) -> None:
    async with fix_gateway.customer("A") as one, fix_gateway.customer("B") as other:
        await fix_gateway.stop()
        for customer in (one, other):
            assert await customer.end() == "gateway is stopping: connect to another"


async def test_best_prices_of_one_aggregator_and_liquidity_of_another(
    fix_options: FixGatewayOptions, upstream: str
) -> None:
    first, second = Aggregator(upstream), Aggregator(f"{upstream}.2", "aggregator.2")
    for one in (first, second):
        one.say_venue()
        one.say_instruments("ETH-BTC")
    options = replace(fix_options, upstreams=(f"bbo={upstream}", f"liquidity={upstream}.2"))
    try:
        async with running(options) as gateway, gateway.customer() as customer:
            first.say(make_bbo(1.0, 1.5))
            second.say(make_liquidity())
            assert "|282=KRAKEN" in await customer.ask("V", f"262=a|263=1|264=1|{ETH}")
            merged = await customer.ask("V", f"262=b|263=1|264=0|266=Y|{ETH}")
            assert merged.endswith("|346=2")
            assert first.wanted == {ViewKey(ViewKind.BBO, "ETH-BTC")}
            assert second.wanted == {ViewKey(ViewKind.LIQUIDITY, "ETH-BTC")}
            refusal = await customer.ask("V", f"262=c|263=1|264=0|{ETH}")
            assert refusal.startswith("35=Y|262=c|281=5|58=this gateway is not told of the book")
    finally:
        await first.close()
        await second.close()


async def test_the_newest_state_waits_for_a_customer_who_reads_slowly(
    aggregator: Aggregator, fix_gateway: Running
) -> None:
    async with fix_gateway.customer("SLOW") as slow, fix_gateway.customer("FAST") as fast:
        aggregator.say(make_book(levels=10))
        for customer in (slow, fast):
            assert "268=20" in await customer.ask("V", f"262=m|263=1|264=0|{ETH}")
        slow.connection.transport.pause_reading()
        rounds = 2000
        for number in range(1, rounds + 1):
            aggregator.say(make_book(levels=10, mid=1.0 + number))
            message = await fast.receive()
        assert levels(message)[0][270] == "2000.984375"
        slow.connection.transport.resume_reading()
        numbers, count = [], 0
        while levels(message := await slow.receive())[0][270] != "2000.984375":
            numbers.append(int(message.get(34) or 0))
            count += 1
        assert numbers == list(range(numbers[0], numbers[0] + count))
        assert count < rounds, "all that it missed was kept for it"
        assert drawn(message).count("|269=") == 20
