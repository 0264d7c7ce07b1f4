"""Sessions over real connections; the fixtures' window is 4, its patience half a second."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from dragonfly_common.clock import ManualClock
from dragonfly_common.topics import ViewKind
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.refusals import CallRefusedError, RefusalCode
from dragonfly_views.relay import Relay, ViewKey
from gateway_world import READ_LITTLE_AHEAD, Bot, Call, RunningGateway, running
from grpc import StatusCode
from grpc_gateway import counters
from grpc_gateway.ack_window import AckWindow
from grpc_gateway.service import GatewayOptions
from grpc_gateway.session import MOST_REFUSALS_WAITING, BotSession
from grpc_gateway.streams import BotStream
from patience import PATIENCE_S
from view_world import Aggregator, make_book, make_caller, until

pytestmark = pytest.mark.usefixtures("aggregator")

LTC_BOOK = ViewKey(ViewKind.BOOK, "LTC-BTC")


def subscribe(
    view: pb.View = pb.VIEW_BOOK, instrument: str = "ETH-BTC", depth: int = 0
) -> pb.SessionRequest:
    return pb.SessionRequest(
        subscribe=pb.Subscription(view=view, instrument=instrument, depth=depth)
    )


def unsubscribe(view: pb.View = pb.VIEW_BOOK, instrument: str = "ETH-BTC") -> pb.SessionRequest:
    return pb.SessionRequest(unsubscribe=pb.Subscription(view=view, instrument=instrument))


async def refusal_of(session: Call, request: pb.SessionRequest) -> pb.Refusal:
    await session.send(request)
    update = await session.read(pb.SessionUpdate)
    assert update.WhichOneof("update") == "refusal"
    return update.refusal


async def test_views_of_every_kind_share_a_session(aggregator: Aggregator, bot: Bot) -> None:
    session = bot.session()
    aggregator.say(make_book(levels=5))
    await session.send(subscribe(depth=2))
    update = await session.read(pb.SessionUpdate)
    assert (update.number, len(update.book.bids)) == (1, 2)
    assert update.book.ts_out > 0
    await session.send(subscribe(pb.VIEW_BBO, "LTC-BTC"))
    await until(lambda: ViewKey(ViewKind.BBO, "LTC-BTC") in aggregator.wanted)
    aggregator.say(pb.Bbo(instrument="LTC-BTC", live=True))
    update = await session.read(pb.SessionUpdate)
    assert (update.number, update.bbo.instrument) == (2, "LTC-BTC")
    await session.send(subscribe(pb.VIEW_LIQUIDITY))
    await until(lambda: ViewKey(ViewKind.LIQUIDITY, "ETH-BTC") in aggregator.wanted)
    aggregator.say(pb.Liquidity(instrument="ETH-BTC", live=True))
    update = await session.read(pb.SessionUpdate)
    assert (update.number, update.liquidity.instrument) == (3, "ETH-BTC")


async def test_after_unsubscribing_nothing_more_comes_and_the_interest_ends(
    aggregator: Aggregator, bot: Bot
) -> None:
    session = bot.session()
    await session.send(subscribe(instrument="LTC-BTC"))
    await until(lambda: LTC_BOOK in aggregator.wanted)
    aggregator.say(make_book("LTC-BTC"))
    await session.read(pb.SessionUpdate)
    await session.send(unsubscribe(instrument="LTC-BTC"))
    await session.send(subscribe())
    await until(lambda: LTC_BOOK not in aggregator.wanted)
    aggregator.say(make_book("LTC-BTC"))
    aggregator.say(make_book("ETH-BTC"))
    assert (await session.read(pb.SessionUpdate)).book.instrument == "ETH-BTC"


async def test_a_bot_may_come_back_to_what_it_left_with_another_depth(
    aggregator: Aggregator, bot: Bot
) -> None:
    session = bot.session()
    aggregator.say(make_book(levels=5))
    for depth in (1, 3):
        await session.send(subscribe(depth=depth))
        update = await session.read(pb.SessionUpdate)
        assert len(update.book.bids) == depth
        await session.send(unsubscribe())


async def test_with_acknowledgements_at_most_a_window_is_in_flight(
    aggregator: Aggregator, bot: Bot
) -> None:
    session = bot.session()
    await session.send(pb.SessionRequest(ack=0, window=2))
    await session.send(subscribe())
    aggregator.say(make_book())
    assert (await session.read(pb.SessionUpdate)).number == 1
    aggregator.say(make_book())
    assert (await session.read(pb.SessionUpdate)).number == 2
    waiting = asyncio.create_task(session.read(pb.SessionUpdate))
    for _ in range(5):
        said = aggregator.say(make_book())
        await _until_heard(bot, said.seq)
    assert not waiting.done()
    await session.send(pb.SessionRequest(ack=2))
    update = await waiting
    assert (update.number, update.book.seq) == (3, said.seq)
    assert update.book.replaced == 4


async def test_a_window_that_a_session_begins_with_holds_before_any_acknowledgement(
    aggregator: Aggregator, options: GatewayOptions
) -> None:
    patient = replace(options, limits=replace(options.limits, acknowledge_within_s=PATIENCE_S))
    async with running(patient) as gateway, gateway.bot() as bot:
        session = bot.session()
        asked = subscribe()
        asked.window = 1
        await session.send(asked)
        aggregator.say(make_book())
        assert (await session.read(pb.SessionUpdate)).number == 1
        waiting = asyncio.create_task(session.read(pb.SessionUpdate))
        for _ in range(5):
            said = aggregator.say(make_book())
            await _until_heard(bot, said.seq)
        assert not waiting.done()
        await session.send(pb.SessionRequest(ack=1))
        update = await waiting
        assert (update.number, update.book.seq, update.book.replaced) == (2, said.seq, 4)


async def test_the_first_acknowledgement_may_come_late(aggregator: Aggregator, bot: Bot) -> None:
    session = bot.session()
    await session.send(subscribe())
    for number in range(1, 8):  # beyond the window of 4
        aggregator.say(make_book())
        assert (await session.read(pb.SessionUpdate)).number == number
    await session.send(pb.SessionRequest(ack=3))
    await session.send(unsubscribe(instrument="LTC-BTC"))
    assert (await session.read(pb.SessionUpdate)).HasField("refusal")  # so the ack was taken
    waiting = asyncio.create_task(session.read(pb.SessionUpdate))
    await _until_heard(bot, aggregator.say(make_book()).seq)
    assert not waiting.done()
    await session.send(pb.SessionRequest(ack=8))
    assert (await waiting).number == 9


@pytest.mark.parametrize("reads", [True, False])
async def test_a_bot_that_stops_acknowledging_is_ended(
    aggregator: Aggregator, gateway: RunningGateway, reads: bool
) -> None:
    async with gateway.bot(READ_LITTLE_AHEAD) as bot:
        session = bot.session()
        await session.send(pb.SessionRequest(ack=0, window=1000))
        await session.send(subscribe())
        aggregator.say(make_book())
        await session.read(pb.SessionUpdate)
        reading = asyncio.create_task(session.end()) if reads else None
        while _open_streams():
            aggregator.say(make_book(levels=10))
            await asyncio.sleep(0.005)
        code, sentence = await (reading or session.end())
    assert code is StatusCode.ABORTED
    assert sentence.startswith("no update was acknowledged for 0.5 s")


async def test_a_slow_bot_that_acknowledges_is_not_ended(aggregator: Aggregator, bot: Bot) -> None:
    session = bot.session()
    await session.send(pb.SessionRequest(ack=0, window=2))
    await session.send(subscribe())
    for _ in range(4):
        aggregator.say(make_book())
        update = await session.read(pb.SessionUpdate)
        await asyncio.sleep(0.3)
        await session.send(pb.SessionRequest(ack=update.number))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (pb.Subscription(instrument="ETH-BTC"), "no view: give VIEW_BOOK"),
        (pb.Subscription(view=pb.VIEW_BOOK), "no instrument: write BASE-QUOTE"),
        (pb.Subscription(view=pb.VIEW_BOOK, instrument="x"), "'x' is not an instrument"),
        (
            pb.Subscription(view=pb.VIEW_BOOK, instrument="ETH-BTC", depth=11),
            "depth 11 is out of range: give 1 to 10",
        ),
        (
            pb.Subscription(view=pb.VIEW_BBO, instrument="ETH-BTC", depth=5),
            "depth 5 of a BBO, which is one level a side",
        ),
        (
            pb.Subscription(view=pb.VIEW_BOOK, instrument="ABC-XYZ"),
            "no venue lists ABC-XYZ: ListInstruments says what there is",
        ),
    ],
)
async def test_a_bad_subscription_is_refused_and_the_session_goes_on(
    aggregator: Aggregator, bot: Bot, asked: pb.Subscription, words: str
) -> None:
    aggregator.say(make_book())
    session = bot.session()
    refusal = await refusal_of(session, pb.SessionRequest(subscribe=asked))
    assert words in refusal.message
    assert refusal.subscription == asked
    unlisted = asked.instrument == "ABC-XYZ"
    code = StatusCode.NOT_FOUND if unlisted else StatusCode.INVALID_ARGUMENT
    assert refusal.code == code.value[0]
    await session.send(subscribe())
    update = await session.read(pb.SessionUpdate)
    assert (update.number, update.book.instrument) == (2, "ETH-BTC")


async def test_a_second_subscription_to_the_same_view_is_refused(
    aggregator: Aggregator, bot: Bot
) -> None:
    aggregator.say(make_book())
    session = bot.session()
    await session.send(subscribe())
    await session.read(pb.SessionUpdate)
    refusal = await refusal_of(session, subscribe(depth=3))
    assert refusal.message == (
        "the book of ETH-BTC is subscribed already: unsubscribe first to change its depth"
    )


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (unsubscribe(), "the book of ETH-BTC is not subscribed in this session"),
        (unsubscribe(pb.VIEW_UNSPECIFIED), "no view"),
        (unsubscribe(instrument=""), "no instrument"),
        (pb.SessionRequest(), "an empty request: give subscribe, unsubscribe or ack"),
    ],
)
async def test_other_bad_requests_are_refused(
    bot: Bot, request_: pb.SessionRequest, words: str
) -> None:
    assert words in (await refusal_of(bot.session(), request_)).message


async def test_a_window_after_the_first_request_is_refused_unless_it_is_the_sessions(
    aggregator: Aggregator, bot: Bot
) -> None:
    session = bot.session()
    aggregator.say(make_book())
    await session.send(pb.SessionRequest(ack=0, window=2))
    refusal = await refusal_of(session, pb.SessionRequest(ack=0, window=3))
    assert refusal.message == (
        "window 3 comes too late, this session's is 2: give it with the first request"
    )
    await session.send(pb.SessionRequest(ack=1, window=2))
    await session.send(subscribe())
    assert (await session.read(pb.SessionUpdate)).book.instrument == "ETH-BTC"


async def test_instruments_of_a_session_are_limited(aggregator: Aggregator, bot: Bot) -> None:
    aggregator.say_instruments("A-B", "A-C", "A-D", "A-E")
    session = bot.session()
    for instrument in ("A-B", "A-C", "A-D"):
        await session.send(subscribe(instrument=instrument))
    await session.send(subscribe(pb.VIEW_BBO, "A-D"))
    refusal = await refusal_of(session, subscribe(instrument="A-E"))
    assert refusal.message == (
        "4 instruments in one stream: at most 3; open another stream for the rest"
    )


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (pb.SessionRequest(ack=1), "ack 1 was never sent: this session's last update is 0"),
        (pb.SessionRequest(ack=0, window=1025), "window 1025 is out of range: give 1 to 1024"),
        (b"\xff", "1 bytes that are no dragonfly.v1.SessionRequest"),
    ],
)
async def test_what_leaves_a_session_without_sense_ends_it(
    bot: Bot, request_: pb.SessionRequest | bytes, words: str
) -> None:
    session = bot.session()
    await session.send(request_)
    code, sentence = await session.end()
    assert code is StatusCode.INVALID_ARGUMENT
    assert words in sentence


async def test_a_window_may_be_announced_before_the_first_acknowledgement(
    aggregator: Aggregator, bot: Bot
) -> None:
    aggregator.say(make_book())
    session = bot.session()
    await session.send(pb.SessionRequest(window=1))
    await session.send(subscribe())
    assert (await session.read(pb.SessionUpdate)).WhichOneof("update") == "book"


async def test_a_bot_that_sends_no_more_still_gets_what_it_subscribed_to(
    aggregator: Aggregator, bot: Bot
) -> None:
    session = bot.session()
    await session.send(subscribe())
    await session.done_sending()
    for _ in range(3):
        said = aggregator.say(make_book())
        assert (await session.read(pb.SessionUpdate)).book.seq == said.seq


async def test_a_session_without_subscriptions_ends_with_its_requests(bot: Bot) -> None:
    session = bot.session()
    await session.done_sending()
    assert await session.end() == (StatusCode.OK, "")


async def test_a_bot_that_leaves_gives_up_its_subscriptions(
    aggregator: Aggregator, bot: Bot
) -> None:
    session = bot.session()
    await session.send(subscribe(instrument="LTC-BTC"))
    await until(lambda: LTC_BOOK in aggregator.wanted)
    session.cancel()
    await until(lambda: LTC_BOOK not in aggregator.wanted)
    await until(lambda: _open_streams() == 0)


async def test_a_bot_that_asks_without_reading_is_ended() -> None:
    session, _ = make_session()
    for _ in range(MOST_REFUSALS_WAITING):
        await session.take(unsubscribe())
    with pytest.raises(CallRefusedError, match="64 refusals of this session wait unread") as error:
        await session.take(unsubscribe())
    assert error.value.code is RefusalCode.OVER_LIMIT


async def test_waiting_for_a_list_is_not_held_against_the_bot() -> None:
    clock, listed = ManualClock(), asyncio.Event()
    session, window = make_session(clock, listed)
    await session.take(pb.SessionRequest(ack=0))
    window.number_next(clock.monotonic())
    taking = asyncio.create_task(session.take(subscribe()))
    await asyncio.sleep(0)
    clock.advance(5.0)
    assert not window.overdue(clock.monotonic())
    listed.set()
    await taking
    assert not window.overdue(clock.monotonic())
    clock.advance(5.0)
    assert window.overdue(clock.monotonic())


class _NoBus:
    def subscribe(self, prefix: str) -> None: ...
    def unsubscribe(self, prefix: str) -> None: ...


def make_session(
    clock: ManualClock | None = None, listed: asyncio.Event | None = None
) -> tuple[BotSession, AckWindow]:
    """Return a session without a connection; its instruments are known once `listed` is set."""

    async def require_listed(_: str) -> None:
        if listed is not None:
            await listed.wait()

    window = AckWindow(4, limit_s=1.0)
    session = BotSession(
        BotStream(make_caller()),
        Relay(_NoBus(), linger_s=1.0),
        clock or ManualClock(),
        depth=10,
        max_instruments=3,
        window=window,
        lists=lambda name: name == "ETH-BTC",
        listed=require_listed,
        held=lambda key: (key.instrument,),
    )
    return session, window


async def _until_heard(bot: Bot, seq: int) -> None:
    """Wait until the gateway has the book of that seq."""
    while True:
        book = await bot.get("GetBook", pb.BookRequest(instrument="ETH-BTC"))
        assert isinstance(book, pb.Book)
        if book.seq >= seq:
            return


def _open_streams() -> float:
    count: float = counters.STREAMS._value.get()
    return count
