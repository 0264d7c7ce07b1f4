"""The gateway as bots see it: real connections, the real bus."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import grpc
import pytest
from dragonfly_common.topics import ViewKind
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_protos import orderbook_pb2
from dragonfly_views import views
from dragonfly_views.relay import ViewKey
from gateway_world import IMPATIENT, READ_LITTLE_AHEAD, Bot, RunningGateway, running
from google.protobuf.message import Message
from grpc import StatusCode
from grpc_gateway.service import GatewayOptions
from patience import PATIENCE_S
from proxy import Proxy
from view_world import Aggregator, AnyView, make_book, until

ETH_BOOK = ViewKey(ViewKind.BOOK, "ETH-BTC")
LTC_BOOK = ViewKey(ViewKind.BOOK, "LTC-BTC")
ETH = pb.BookRequest(instrument="ETH-BTC")
MORE_THAN_A_LINE_HOLDS = 3000


def make_bbo(instrument: str) -> pb.Bbo:
    return pb.Bbo(instrument=instrument, live=True, bid=pb.Level(venue="kraken", price=1, amount=2))


async def test_a_book_reaches_a_bot_as_it_is_but_for_its_trailer(
    aggregator: Aggregator, bot: Bot
) -> None:
    said = aggregator.say(make_book())
    before = time.time_ns()
    book = await bot.stream("StreamBook", ETH).read(pb.Book)
    assert before <= book.ts_out <= time.time_ns()
    assert book.replaced == 0
    assert isinstance(said, pb.Book)
    said.venues[0].age_ns = book.ts_out - said.venues[0].ts_recv
    book.ClearField("ts_out")
    assert book == said


async def test_updates_follow_in_order(aggregator: Aggregator, bot: Bot) -> None:
    stream = bot.stream("StreamBook", ETH)
    for amount in range(1, 20):
        said = aggregator.say(make_book(levels=amount))
        book = await stream.read(pb.Book)
        assert book.seq == said.seq


@pytest.mark.parametrize(("asked", "got"), [(0, 10), (1, 1), (4, 4), (10, 10)])
async def test_a_book_is_cut_to_the_depth_that_a_bot_asks_for(
    aggregator: Aggregator, bot: Bot, asked: int, got: int
) -> None:
    said = aggregator.say(make_book(levels=10))
    assert isinstance(said, pb.Book)
    request = pb.BookRequest(instrument="ETH-BTC", depth=asked)
    book = await bot.stream("StreamBook", request).read(pb.Book)
    assert list(book.bids) == list(said.bids)[:got]
    assert list(book.asks) == list(said.asks)[:got]
    said.venues[0].age_ns = book.ts_out - said.venues[0].ts_recv
    assert book.venues == said.venues


async def test_bbos_of_many_instruments_share_a_stream(aggregator: Aggregator, bot: Bot) -> None:
    stream = bot.stream("StreamBbo", pb.BboRequest(instruments=["ETH-BTC", "LTC-BTC"]))
    for instrument in ("ETH-BTC", "LTC-BTC", "ETH-BTC"):
        aggregator.say(make_bbo(instrument))
        assert (await stream.read(pb.Bbo)).instrument == instrument


async def test_liquidity_is_cut_like_a_book(aggregator: Aggregator, bot: Bot) -> None:
    levels = [pb.MergedLevel(price=price) for price in (3.0, 2.0, 1.0)]
    aggregator.say(pb.Liquidity(instrument="ETH-BTC", live=True, bids=levels))
    request = pb.LiquidityRequest(instrument="ETH-BTC", depth=2)
    liquidity = await bot.stream("StreamLiquidity", request).read(pb.Liquidity)
    assert [level.price for level in liquidity.bids] == [3.0, 2.0]


async def test_the_first_generations_client_gets_its_ten_levels(
    upstream: str, options: GatewayOptions, aggregator: Aggregator
) -> None:
    deeper = replace(options, limits=replace(options.limits, depth=20))
    said = aggregator.say(make_book(levels=20), depth=20)
    async with running(deeper) as gateway, gateway.bot() as bot:
        stream = bot.stream("BookSummary", orderbook_pb2.Empty())
        summary = await stream.read(orderbook_pb2.Summary)
        assert isinstance(said, pb.Book)
        assert summary.spread == said.spread
        for ours, theirs in ((said.bids, summary.bids), (said.asks, summary.asks)):
            assert [(level.venue, level.price, level.amount) for level in ours[:10]] == [
                (level.exchange, level.price, level.amount) for level in theirs
            ]


async def test_the_first_generations_client_names_another_instrument_by_metadata(
    aggregator: Aggregator, bot: Bot
) -> None:
    aggregator.say(make_book("LTC-BTC", mid=5.0))
    stream = bot.stream("BookSummary", metadata=[("instrument", "LTC-BTC")])
    assert (await stream.read(orderbook_pb2.Summary)).bids[0].price == 5.0 - 1 / 64


async def test_an_instrument_nobody_asked_for_is_asked_for_and_dropped_after_the_linger(
    aggregator: Aggregator, bot: Bot
) -> None:
    await until(lambda: aggregator.wanted == {ETH_BOOK})
    stream = bot.stream("StreamBook", pb.BookRequest(instrument="LTC-BTC"))
    await until(lambda: LTC_BOOK in aggregator.wanted)
    aggregator.say(make_book("LTC-BTC"))
    await stream.read(pb.Book)
    stream.cancel()
    await until(lambda: aggregator.wanted == {ETH_BOOK})


async def test_who_joins_a_quiet_market_has_its_book(aggregator: Aggregator, bot: Bot) -> None:
    aggregator.say(make_book())
    await bot.stream("StreamBook", ETH).read(pb.Book)
    await bot.stream("StreamBook", ETH).read(pb.Book)


async def test_gets(aggregator: Aggregator, bot: Bot) -> None:
    aggregator.say(make_book(levels=3))
    aggregator.say(make_bbo("LTC-BTC"))
    levels = [pb.MergedLevel(price=price) for price in (2.0, 1.0)]
    aggregator.say(pb.Liquidity(instrument="ETH-BTC", live=True, bids=levels))
    book = await bot.get("GetBook", pb.BookRequest(instrument="ETH-BTC", depth=2))
    assert isinstance(book, pb.Book)
    assert len(book.bids) == 2
    assert book.ts_out > 0
    bbo = await bot.get("GetBbo", pb.GetBboRequest(instrument="LTC-BTC"))
    assert isinstance(bbo, pb.Bbo)
    assert bbo.bid.amount == 2
    liquidity = await bot.get("GetLiquidity", pb.LiquidityRequest(instrument="ETH-BTC", depth=1))
    assert isinstance(liquidity, pb.Liquidity)
    assert len(liquidity.bids) == 1


async def test_a_get_waits_for_the_first_view(aggregator: Aggregator, bot: Bot) -> None:
    getting = asyncio.create_task(bot.get("GetBook", pb.BookRequest(instrument="LTC-BTC")))
    await until(lambda: LTC_BOOK in aggregator.wanted)
    aggregator.say(make_book("LTC-BTC"))
    book = await getting
    assert isinstance(book, pb.Book)
    assert book.live


async def test_a_get_waits_for_the_first_live_view(aggregator: Aggregator, bot: Bot) -> None:
    request = pb.BookRequest(instrument="LTC-BTC")
    getting = asyncio.create_task(bot.get("GetBook", request))
    await until(lambda: LTC_BOOK in aggregator.wanted)
    stream = bot.stream("StreamBook", request)
    aggregator.say(make_book("LTC-BTC", live=False))
    assert not (await stream.read(pb.Book)).live
    said = aggregator.say(make_book("LTC-BTC"))
    book = await getting
    assert isinstance(book, pb.Book)
    assert (book.live, book.seq) == (True, said.seq)


@pytest.mark.parametrize("deadline_s", [None, 3.0])
async def test_a_get_of_what_does_not_go_live_says_so_in_the_end_and_within_its_deadline(
    aggregator: Aggregator, options: GatewayOptions, deadline_s: float | None
) -> None:
    patience_s = 0.1 if deadline_s is None else PATIENCE_S
    limits = replace(options.limits, patience_s=patience_s)
    aggregator.say(make_book(live=False))
    async with running(replace(options, limits=limits)) as gateway, gateway.bot() as bot:
        await bot.stream("StreamBook", ETH).read(pb.Book)
        book = await bot.get("GetBook", ETH, timeout_s=deadline_s)
    assert isinstance(book, pb.Book)
    assert (book.live, book.epoch) == (False, aggregator.epoch)


@pytest.mark.parametrize("way", ["GetBook", "StreamBook", "Session"])
async def test_a_book_that_rested_says_its_age_as_of_the_answer(
    aggregator: Aggregator, bot: Bot, way: str
) -> None:
    resting = make_book()
    resting.venues[0].ts_recv = time.time_ns() - 20_000_000_000
    resting.venues[0].age_ns = 100_000_000  # as when it was computed, 19.9 s ago
    aggregator.say(resting, ts_agg=resting.venues[0].ts_recv + 100_000_000)
    if way == "GetBook":
        book = await bot.get("GetBook", ETH)
    elif way == "StreamBook":
        book = await bot.stream("StreamBook", ETH).read(pb.Book)
    else:
        session = bot.session()
        asked = pb.Subscription(view=pb.VIEW_BOOK, instrument="ETH-BTC")
        await session.send(pb.SessionRequest(subscribe=asked))
        book = (await session.read(pb.SessionUpdate)).book
    assert isinstance(book, pb.Book)
    (feed,) = book.venues
    assert feed.age_ns == book.ts_out - feed.ts_recv > 20_000_000_000


@IMPATIENT
async def test_a_get_that_no_aggregator_answers_says_so(aggregator: Aggregator, bot: Bot) -> None:
    await bot.listed("kraken")
    assert await bot.refusal("GetBook", pb.BookRequest(instrument="LTC-BTC")) == (
        StatusCode.UNAVAILABLE,
        "no aggregator answered for LTC-BTC within 0.4 s: try later",
    )


async def test_a_get_respects_its_deadline(aggregator: Aggregator, bot: Bot) -> None:
    request = pb.BookRequest(instrument="LTC-BTC")
    code, _ = await bot.refusal("GetBook", request, timeout_s=0.2)
    assert code is StatusCode.DEADLINE_EXCEEDED


async def test_venues(aggregator: Aggregator, bot: Bot) -> None:
    stream = bot.stream("StreamVenues", pb.VenuesRequest())
    while not (venues := await stream.read(pb.Venues)).venues:
        pass
    assert [(venue.venue, venue.state) for venue in venues.venues] == [("kraken", pb.STATE_LIVE)]
    assert venues.ts_out > 0
    aggregator.say_venue(state=FeedState.STALE)
    venue = (await stream.read(pb.Venues)).venues[0]
    assert (venue.state, venue.reason) == (pb.STATE_STALE, "because")
    got = await bot.get("GetVenues", pb.VenuesRequest())
    assert isinstance(got, pb.Venues)
    assert got.venues[0] == venue


async def test_instruments(aggregator: Aggregator, bot: Bot) -> None:
    aggregator.say_instruments("ETH-BTC", venue="binance")
    aggregator.say_venue("binance")

    async def listed(venue: str) -> list[tuple[str, list[str]]]:
        request = pb.ListInstrumentsRequest(venue=venue)
        reply = await bot.get("ListInstruments", request)
        assert isinstance(reply, pb.ListInstrumentsResponse)
        return [(one.instrument, list(one.venues)) for one in reply.instruments]

    assert await listed("binance") == [("ETH-BTC", ["binance"])]
    assert ("ETH-BTC", ["binance", "kraken"]) in await listed("")
    code, sentence = await bot.refusal("ListInstruments", pb.ListInstrumentsRequest(venue="mtgox"))
    assert (code, sentence) == (
        StatusCode.NOT_FOUND,
        "no venue 'mtgox': there are binance, kraken",
    )


async def test_one_instrument_is_told_with_what_its_venues_tell_of_it(
    aggregator: Aggregator, bot: Bot
) -> None:
    aggregator.say_instruments("LTC-BTC", venue="binance")
    aggregator.say_venue("binance")
    reply = await bot.get("ListInstruments", pb.ListInstrumentsRequest(instrument="LTC-BTC"))
    assert isinstance(reply, pb.ListInstrumentsResponse)
    (listed,) = reply.instruments
    assert listed.instrument == "LTC-BTC"
    assert [(one.venue, one.symbol, one.tick) for one in listed.markets] == [
        ("binance", "ltc-btc", "0.01"),
        ("kraken", "ltc-btc", "0.01"),
    ]
    request = pb.ListInstrumentsRequest(venue="kraken", instrument="LTC-BTC")
    reply = await bot.get("ListInstruments", request)
    assert isinstance(reply, pb.ListInstrumentsResponse)
    assert [[*one.venues] for one in reply.instruments] == [["kraken"]]


@pytest.mark.parametrize(
    ("venue", "instrument", "code", "sentence"),
    [
        ("", "ltcbtc", StatusCode.INVALID_ARGUMENT, "'ltcbtc' is not an instrument: did you mean"),
        ("", "ABC-XYZ", StatusCode.NOT_FOUND, "no venue lists ABC-XYZ: ListInstruments says"),
        ("kraken", "BNB-BTC", StatusCode.NOT_FOUND, "kraken does not list BNB-BTC: binance does"),
        ("mtgox", "LTC-BTC", StatusCode.NOT_FOUND, "no venue 'mtgox': there are binance, kraken"),
    ],
)
async def test_what_is_not_listed_is_refused_in_a_sentence(
    aggregator: Aggregator, bot: Bot, venue: str, instrument: str, code: StatusCode, sentence: str
) -> None:
    aggregator.say_instruments("BNB-BTC", venue="binance")
    aggregator.say_venue("binance")
    for lister in ("binance", "kraken"):
        await bot.listed(lister)
    request = pb.ListInstrumentsRequest(venue=venue, instrument=instrument)
    refused, said = await bot.refusal("ListInstruments", request)
    assert refused is code
    assert said.startswith(sentence)


INVALID = StatusCode.INVALID_ARGUMENT
NOT_INSTRUMENT = "'x' is not an instrument: write BASE-QUOTE"
OUT_OF_RANGE = "depth 11 is out of range: give 1 to 10"
UNLISTED = "no venue lists ABC-XYZ: ListInstruments says what there is"


@pytest.mark.parametrize(
    ("method", "request_", "code", "words"),
    [
        ("StreamBook", pb.BookRequest(), INVALID, "no instrument: write BASE-QUOTE"),
        ("StreamBook", pb.BookRequest(instrument="x"), INVALID, NOT_INSTRUMENT),
        ("StreamBook", pb.BookRequest(instrument="ETH-BTC", depth=11), INVALID, OUT_OF_RANGE),
        ("StreamBook", pb.BookRequest(instrument="ABC-XYZ"), StatusCode.NOT_FOUND, UNLISTED),
        (
            "StreamBook",
            pb.BookRequest(instrument="ETH-BTC", min_interval_ms=60_001),
            INVALID,
            "min_interval_ms 60001 is out of range: give 1 to 60000, or 0 for every change",
        ),
        (
            "GetBook",
            pb.BookRequest(instrument="ETH-BTC", min_interval_ms=5),
            INVALID,
            "min_interval_ms 5 of a get, which is one message: leave it out",
        ),
        (
            "GetLiquidity",
            pb.LiquidityRequest(instrument="ETH-BTC", min_interval_ms=5),
            INVALID,
            "min_interval_ms 5 of a get",
        ),
        ("StreamBook", b"\xff", INVALID, "1 bytes that are no dragonfly.v1.BookRequest"),
        ("StreamLiquidity", pb.LiquidityRequest(instrument="x"), INVALID, NOT_INSTRUMENT),
        (
            "StreamLiquidity",
            pb.LiquidityRequest(instrument="ETH-BTC", depth=11),
            INVALID,
            OUT_OF_RANGE,
        ),
        ("StreamBbo", pb.BboRequest(), INVALID, "no instruments: name at least one"),
        ("StreamBbo", pb.BboRequest(instruments=["x"]), INVALID, NOT_INSTRUMENT),
        ("StreamBbo", pb.BboRequest(instruments=["A-B", "A-B"]), INVALID, "A-B is named twice"),
        (
            "StreamBbo",
            pb.BboRequest(instruments=["A-B", "A-C", "A-D", "A-E"]),
            StatusCode.RESOURCE_EXHAUSTED,
            "4 instruments in one stream: at most 3",
        ),
        (
            "StreamBbo",
            pb.BboRequest(instruments=["ETH-BTC", "ABC-XYZ"]),
            StatusCode.NOT_FOUND,
            UNLISTED,
        ),
        ("StreamVenues", b"\xff", INVALID, "dragonfly.v1.VenuesRequest"),
        ("BookSummary", b"\xff", INVALID, "orderbook.Empty"),
        ("GetBook", pb.BookRequest(instrument="x"), INVALID, NOT_INSTRUMENT),
        ("GetBook", pb.BookRequest(instrument="ETH-BTC", depth=11), INVALID, OUT_OF_RANGE),
        ("GetBook", pb.BookRequest(instrument="ABC-XYZ"), StatusCode.NOT_FOUND, UNLISTED),
        ("GetBbo", pb.GetBboRequest(instrument="x"), INVALID, NOT_INSTRUMENT),
        ("GetLiquidity", pb.LiquidityRequest(depth=1), INVALID, "no instrument"),
        ("ListInstruments", b"\xff", INVALID, "dragonfly.v1.ListInstrumentsRequest"),
    ],
)
@pytest.mark.usefixtures("aggregator")
async def test_what_is_wrong_with_a_request_is_said_in_a_sentence(
    bot: Bot, method: str, request_: Message | bytes, code: StatusCode, words: str
) -> None:
    got, sentence = await bot.refusal(method, request_)
    assert got is code
    assert words in sentence


async def test_bad_metadata_of_the_first_generation_is_refused(
    aggregator: Aggregator, bot: Bot
) -> None:
    stream = bot.stream("BookSummary", metadata=[("instrument", "ltc")])
    assert await stream.end() == (
        INVALID,
        "'ltc' is not an instrument: write BASE-QUOTE in upper case, for example ETH-BTC",
    )


async def test_without_a_default_instrument_the_first_generation_must_name_one(
    options: GatewayOptions,
) -> None:
    async with running(replace(options, instruments=())) as gateway, gateway.bot() as bot:
        code, sentence = await bot.refusal("BookSummary")
        assert code is INVALID
        assert "no default instrument: send one as request metadata 'instrument'" in sentence


async def test_before_any_list_an_unconfigured_instrument_is_waited_for(
    gateway: RunningGateway, upstream: str
) -> None:
    async with gateway.bot() as bot:
        stream = bot.stream("StreamBook", pb.BookRequest(instrument="LTC-BTC"))
        late = Aggregator(upstream)
        late.say_venue()
        late.say_instruments("LTC-BTC")
        late.say(make_book("LTC-BTC"))
        assert (await stream.read(pb.Book)).instrument == "LTC-BTC"
        await late.close()


async def test_what_only_a_venue_lists_that_appears_later_is_waited_for(
    options: GatewayOptions, aggregator: Aggregator
) -> None:
    patient = replace(options.limits, settles_after_s=10.0)
    async with running(replace(options, limits=patient)) as gateway, gateway.bot() as bot:
        await bot.get("GetVenues")
        stream = bot.stream("StreamBook", pb.BookRequest(instrument="XRP-EUR"))
        aggregator.say(make_book("XRP-EUR"))
        aggregator.say_venue("binance")
        aggregator.say_instruments("XRP-EUR", venue="binance")
        assert (await stream.read(pb.Book)).instrument == "XRP-EUR"


@pytest.mark.parametrize("method", ["GetBook", "StreamBook"])
async def test_a_coin_that_is_listed_meanwhile_is_found_by_a_new_look_at_the_lists(
    options: GatewayOptions, aggregator: Aggregator, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "LIST_AGE_NS", 0)
    aggregator.on_relist = lambda: aggregator.say_instruments("ETH-BTC", "NEW-USD")
    patient = replace(options.limits, settles_after_s=0.0)
    async with running(replace(options, limits=patient)) as gateway, gateway.bot() as bot:
        aggregator.say(make_book("NEW-USD"))
        request = pb.BookRequest(instrument="NEW-USD")
        if method == "GetBook":
            book = await bot.get(method, request)
        else:
            book = await bot.stream(method, request).read(pb.Book)
        assert isinstance(book, pb.Book)
        assert book.instrument == "NEW-USD"


async def test_lists_that_are_new_are_not_waited_for_again(
    options: GatewayOptions, aggregator: Aggregator
) -> None:
    patient = replace(options.limits, settles_after_s=0.0)
    async with running(replace(options, limits=patient)) as gateway, gateway.bot() as bot:
        refusals = [
            bot.refusal("GetBook", pb.BookRequest(instrument=f"NEW{number}-USD"))
            for number in range(50)
        ]
        codes = {code for code, _ in await asyncio.gather(*refusals)}
        assert codes == {StatusCode.NOT_FOUND}
        # Whoever asks, and for whatever: one subscription, which names nothing.
        await until(lambda: aggregator.relists > 0)
        assert aggregator.relists == 1
        assert aggregator.wanted == {ETH_BOOK}


async def test_a_new_look_that_finds_nothing_is_a_refusal_with_the_name_that_was_meant(
    options: GatewayOptions, aggregator: Aggregator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "LIST_AGE_NS", 0)
    aggregator.on_relist = lambda: aggregator.say_instruments("ETH-BTC", "DOGE-USD")
    patient = replace(options.limits, settles_after_s=0.0)
    async with running(replace(options, limits=patient)) as gateway, gateway.bot() as bot:
        assert await bot.refusal("GetBook", pb.BookRequest(instrument="XDG-USD")) == (
            StatusCode.NOT_FOUND,
            "no venue lists XDG-USD: did you mean DOGE-USD?",
        )


async def test_a_configured_instrument_that_no_venue_lists_is_refused_too(
    options: GatewayOptions, aggregator: Aggregator, capsys: pytest.CaptureFixture[str]
) -> None:
    settled = replace(options.limits, settles_after_s=0.0)
    mistyped = replace(options, instruments=("ETH-BTC", "ETH-XBT"), limits=settled)
    async with running(mistyped, log_level="warning") as gateway, gateway.bot() as bot:
        await bot.get("ListInstruments")
        refusal = "no venue lists ETH-XBT: did you mean ETH-BTC?"
        assert await bot.refusal("StreamBook", pb.BookRequest(instrument="ETH-XBT")) == (
            StatusCode.NOT_FOUND,
            refusal,
        )
        said = ""

        def told() -> bool:
            nonlocal said
            said += capsys.readouterr().err
            return refusal in said

        await until(told)
        assert said.count(refusal) == 1


@IMPATIENT
async def test_without_any_list_it_is_said_what_is_missing(bot: Bot) -> None:
    request = pb.BookRequest(instrument="LTC-BTC")
    refusals = await asyncio.gather(
        bot.refusal("StreamBook", request),
        bot.refusal("GetVenues"),
        bot.refusal("ListInstruments"),
        bot.refusal("ListInstruments", pb.ListInstrumentsRequest(venue="kraken")),
    )
    assert {code for code, _ in refusals} == {StatusCode.UNAVAILABLE}
    assert [sentence for _, sentence in refusals] == [
        "LTC-BTC is not listed so far, but the list of any venue is not there yet: try later",
        "no venue has been reported: is an aggregator running?",
        "the instrument list of any venue is not there yet: try later",
        "the instrument list of kraken is not there yet: try later",
    ]


@IMPATIENT
async def test_venues_that_have_sent_no_list_yet_are_named(upstream: str, bot: Bot) -> None:
    aggregator = Aggregator(upstream)
    aggregator.say_venue("kraken")
    aggregator.say_venue("binance")
    aggregator.say_instruments("ETH-BTC", venue="binance")
    await bot.listed("binance")
    request = pb.BookRequest(instrument="LTC-BTC")
    assert await bot.refusal("StreamBook", request) == (
        StatusCode.UNAVAILABLE,
        "LTC-BTC is not listed so far, but the list of kraken is not there yet: try later",
    )
    code, _ = await bot.refusal("ListInstruments", pb.ListInstrumentsRequest(venue="kraken"))
    assert code is StatusCode.UNAVAILABLE
    await aggregator.close()


@IMPATIENT
async def test_no_list_at_all_is_not_an_unknown_venue(upstream: str, bot: Bot) -> None:
    aggregator = Aggregator(upstream)
    aggregator.say_venue("kraken")
    assert await bot.refusal("ListInstruments") == (
        StatusCode.UNAVAILABLE,
        "the instrument list of any venue is not there yet: try later",
    )
    await aggregator.close()


async def test_a_bot_that_stops_reading_gets_the_newest_and_harms_nobody(
    aggregator: Aggregator, gateway: RunningGateway
) -> None:
    async with gateway.bot(READ_LITTLE_AHEAD) as stalled, gateway.bot() as reader:
        aggregator.say(make_book())
        asleep = stalled.stream("StreamBook", ETH)
        await asleep.read(pb.Book)
        awake = reader.stream("StreamBook", ETH)
        await awake.read(pb.Book)
        for _ in range(300):
            said = aggregator.say(make_book(levels=10))
            book = await awake.read(pb.Book)
            assert (book.seq, book.replaced) == (said.seq, 0)
        replaced = received = 0
        while (book := await asleep.read(pb.Book)).seq < said.seq:
            received += 1
            replaced += book.replaced
        replaced += book.replaced
        assert replaced > 200
        assert received + 1 + replaced == 300


@pytest.mark.parametrize(
    ("method", "view", "paced", "metadata"),
    [
        ("StreamBook", make_book(), pb.BookRequest(min_interval_ms=60), ()),
        ("StreamLiquidity", pb.Liquidity(live=True), pb.LiquidityRequest(min_interval_ms=60), ()),
        ("StreamBbo", pb.Bbo(live=True), pb.BboRequest(min_interval_ms=60), ()),
        ("BookSummary", make_book(), orderbook_pb2.Empty(), [("min-interval-ms", "60")]),
    ],
)
async def test_a_bot_that_says_how_long_it_takes_is_sent_the_newest_no_sooner(
    aggregator: Aggregator,
    gateway: RunningGateway,
    method: str,
    view: AnyView,
    paced: Message,
    metadata: list[tuple[str, str]],
) -> None:
    view.instrument = "ETH-BTC"
    fast = type(paced)()
    for request in (fast, paced):
        if isinstance(request, pb.BboRequest):
            request.instruments.append("ETH-BTC")
        elif not isinstance(request, orderbook_pb2.Empty):
            setattr(request, "instrument", "ETH-BTC")  # noqa: B010 - of either kind
    async with gateway.bot() as bot, gateway.bot() as other:
        streams = bot.stream(method, paced, metadata), other.stream(method, fast)
        slow, awake = streams
        aggregator.say(view)
        got = [await slow.read(type(view))]
        while not (await awake.read(type(view))).epoch:
            pass
        for _ in range(30):
            said = aggregator.say(view)
            await awake.read(type(view))
        while got[-1].seq < said.seq:
            got.append(await slow.read(type(view)))
    spoken = [view for view in got if view.epoch]
    later = spoken[1:]
    assert sum(view.replaced for view in later) + len(later) == said.seq - spoken[0].seq
    for before, after in pairwise(got):
        assert after.ts_out - before.ts_out > 55_000_000  # a loop's clock ticks in milliseconds


async def test_a_line_that_stops_holds_little_and_the_newest_comes_after_it(
    aggregator: Aggregator, options: GatewayOptions
) -> None:
    line = Proxy()
    async with (
        running(options) as gateway,
        line.serving(),
        Bot(f"127.0.0.1:{line.port}") as far,
        gateway.bot() as near,
    ):
        host, port = gateway.address.split(":")
        line.target = host, int(port)
        aggregator.say(make_book())
        behind = far.stream("StreamBook", ETH)
        await behind.read(pb.Book)
        awake = near.stream("StreamBook", ETH)
        await awake.read(pb.Book)
        line.hold()
        for _ in range(MORE_THAN_A_LINE_HOLDS):
            said = aggregator.say(make_book(levels=10))
            await awake.read(pb.Book)
        line.resume()
        replaced = received = 0
        while (book := await behind.read(pb.Book)).seq < said.seq:
            received += 1
            replaced += book.replaced
    # What the bot's end of the line takes nobody can take back; the gateway's would take all of it.
    assert received < MORE_THAN_A_LINE_HOLDS / 4
    assert received + 1 + replaced + book.replaced == MORE_THAN_A_LINE_HOLDS


async def test_a_view_that_is_no_message_is_skipped(aggregator: Aggregator, bot: Bot) -> None:
    stream = bot.stream("StreamBook", pb.BookRequest(instrument="ETH-BTC", depth=1))
    aggregator.say_bytes(ETH_BOOK, b"\x12")
    said = aggregator.say(make_book())
    assert (await stream.read(pb.Book)).seq == said.seq


async def test_a_get_of_a_view_that_is_no_message_says_so(aggregator: Aggregator, bot: Bot) -> None:
    aggregator.say_bytes(ETH_BOOK, b"\x12")
    code, sentence = await bot.refusal("GetBook", pb.BookRequest(instrument="ETH-BTC", depth=1))
    assert code is StatusCode.UNAVAILABLE
    assert "ETH-BTC" in sentence


async def test_streams_of_one_connection_are_limited(
    aggregator: Aggregator, gateway: RunningGateway
) -> None:
    aggregator.say(make_book())
    async with gateway.bot() as greedy, gateway.bot() as other:
        streams = [greedy.stream("StreamBook", ETH) for _ in range(4)]
        for stream in streams:
            await stream.read(pb.Book)
        assert await greedy.refusal("StreamBook", ETH) == (
            StatusCode.RESOURCE_EXHAUSTED,
            "4 streams are open on this connection, which is the limit:"
            " end one, or follow many instruments in one Session",
        )
        await other.stream("StreamBook", ETH).read(pb.Book)
        streams[0].cancel()
        await _until_admitted(greedy)


async def test_streams_of_all_connections_are_limited(
    aggregator: Aggregator, gateway: RunningGateway
) -> None:
    aggregator.say(make_book())
    async with gateway.bot() as one, gateway.bot() as two, gateway.bot() as three:
        for bot in (one, two):
            for _ in range(3):
                await bot.stream("StreamBook", ETH).read(pb.Book)
        code, sentence = await three.refusal("StreamBook", ETH)
        assert code is StatusCode.RESOURCE_EXHAUSTED
        assert sentence.startswith("6 streams are open at this gateway, which is the limit")
        await three.get("GetBook", ETH)


async def _until_admitted(bot: Bot) -> None:
    while True:
        with suppress(grpc.aio.AioRpcError):
            await bot.stream("StreamBook", ETH).read(pb.Book)
            return
