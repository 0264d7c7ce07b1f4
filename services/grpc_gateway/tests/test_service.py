"""The gateway's life: losses upstream, addresses, and its own end."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest
from dragonfly_common.errors import AddressError
from dragonfly_common.messages import EncodedView
from dragonfly_common.runtime import Runtime, RuntimeOptions
from dragonfly_common.types import FeedState
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.counters import MISPLACED_BODIES
from gateway_world import READ_LITTLE_AHEAD, Bot, RunningGateway, running
from grpc import StatusCode
from grpc_gateway.service import GatewayOptions, serve
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from view_world import Aggregator, make_book, until

ETH = pb.BookRequest(instrument="ETH-BTC")
PINGS_OFTEN = (
    ("grpc.keepalive_time_ms", 600),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)


async def test_bots_are_told_when_the_aggregator_is_lost_and_when_it_is_back(
    upstream: str, aggregator: Aggregator, gateway: RunningGateway
) -> None:
    async with gateway.bot() as bot:
        aggregator.say(make_book())
        stream = bot.stream("StreamBook", ETH)
        await stream.read(pb.Book)
        venues = bot.stream("StreamVenues")
        while not (await venues.read(pb.Venues)).venues:
            pass
        await aggregator.close()
        lost = await stream.read(pb.Book)
        assert (lost.live, lost.epoch, list(lost.bids), list(lost.asks)) == (False, 0, [], [])
        assert [(feed.venue, feed.state) for feed in lost.venues] == [("kraken", pb.STATE_DOWN)]
        assert lost.venues[0].reason.startswith("aggregator lost")
        down = (await venues.read(pb.Venues)).venues[0]
        assert down.state == pb.STATE_DOWN
        assert down.reason.startswith("aggregator lost")
        joined = await bot.stream("StreamBook", ETH).read(pb.Book)
        assert not joined.live
        restarted = Aggregator(upstream)
        said = restarted.say(make_book())
        back = await stream.read(pb.Book)
        assert (back.live, back.epoch, back.seq) == (True, said.epoch, said.seq)
        await restarted.close()


async def test_the_first_generations_client_sees_an_empty_book_when_nothing_is_live(
    aggregator: Aggregator, bot: Bot
) -> None:
    aggregator.say(make_book())
    stream = bot.stream("BookSummary")
    await stream.read(pb.Book)
    await aggregator.close()
    lost = await stream.read(pb.Book)
    assert (lost.spread, list(lost.bids), list(lost.asks)) == (0.0, [], [])


async def test_a_second_aggregator_takes_over_without_a_gap(
    options: GatewayOptions, upstream: str, aggregator: Aggregator
) -> None:
    other_address = f"{upstream}.2"
    other = Aggregator(other_address, "aggregator.2")
    other.say_venue()
    both = replace(options, upstreams=(upstream, other_address))
    async with running(both) as gateway, gateway.bot() as bot:
        aggregator.say(make_book(mid=1.0))
        other.say(make_book(mid=2.0))
        stream = bot.stream("StreamBook", ETH)
        shown = (await stream.read(pb.Book)).epoch
        goes, stays = (aggregator, other) if shown == aggregator.epoch else (other, aggregator)
        await goes.close()
        while (taken_over := await stream.read(pb.Book)).epoch == goes.epoch:
            pass
        assert (taken_over.live, taken_over.epoch) == (True, stays.epoch)
    await other.close()


async def test_a_bot_is_told_that_no_aggregator_answers(gateway: RunningGateway) -> None:
    async with gateway.bot() as bot:
        book = await bot.stream("StreamBook", ETH).read(pb.Book)
        assert not book.live


async def test_a_body_under_the_wrong_topic_is_counted(aggregator: Aggregator, bot: Bot) -> None:
    before = MISPLACED_BODIES._value.get()
    aggregator._publisher.publish("status.venue.kraken.", EncodedView(True, 1, b""))
    await until(lambda: MISPLACED_BODIES._value.get() == before + 1)
    said = aggregator.say(make_book())
    assert (await bot.stream("StreamBook", ETH).read(pb.Book)).seq == said.seq


async def test_a_bot_that_pings_on_a_quiet_market_is_not_sent_away(
    aggregator: Aggregator, gateway: RunningGateway
) -> None:
    aggregator.say(make_book())
    async with gateway.bot(PINGS_OFTEN) as bot:
        stream = bot.stream("StreamBook", ETH)
        await stream.read(pb.Book)
        await asyncio.sleep(
            4
        )  # measured: without leave, pings this often end the connection in less
        said = aggregator.say(make_book())
        assert (await stream.read(pb.Book)).seq == said.seq


async def test_reflection_shows_both_contracts(bot: Bot) -> None:
    ask = bot.channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    call = ask()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    listed = (await call.read()).list_services_response.service
    assert {service.name for service in listed} == {
        "orderbook.OrderbookAggregator",
        "dragonfly.v1.MarketData",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    for path in ("orderbook.proto", "dragonfly/v1/market_data.proto"):
        await call.write(reflection_pb2.ServerReflectionRequest(file_by_filename=path))
        assert (await call.read()).file_descriptor_response.file_descriptor_proto
    await call.done_writing()
    call.cancel()


async def test_stopping_ends_every_stream_with_a_sentence(
    aggregator: Aggregator, gateway: RunningGateway
) -> None:
    aggregator.say(make_book())
    async with gateway.bot() as bot, gateway.bot(READ_LITTLE_AHEAD) as stalled:
        stream, session, venues = (
            bot.stream("StreamBook", ETH),
            bot.session(),
            bot.stream("StreamVenues"),
        )
        subscription = pb.Subscription(view=pb.VIEW_BOOK, instrument="ETH-BTC")
        await session.send(pb.SessionRequest(subscribe=subscription))
        await session.read(pb.SessionUpdate)
        await stream.read(pb.Book)
        await venues.read(pb.Venues)
        asleep = stalled.stream("StreamBook", ETH)
        for _ in range(100):
            said = aggregator.say(make_book(levels=10))
            while (await stream.read(pb.Book)).seq < said.seq:
                pass
        stopping = asyncio.create_task(gateway.stop())
        for call in (stream, session, venues):
            assert await call.end() == (
                StatusCode.UNAVAILABLE,
                "gateway is stopping: connect to another",
            )
        await stopping
        code, _ = await asleep.end()
        assert code is StatusCode.UNAVAILABLE


async def test_stopping_says_not_serving_first(
    aggregator: Aggregator, gateway: RunningGateway, bot: Bot
) -> None:
    watch = bot.channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )(health_pb2.HealthCheckRequest())
    while (await watch.read()).status != health_pb2.HealthCheckResponse.SERVING:
        pass
    stopping = asyncio.create_task(gateway.stop())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watch.cancel()
    await stopping


async def test_readiness_follows_live_data(options: GatewayOptions, upstream: str) -> None:
    runtime = Runtime("gateway", RuntimeOptions("gateway.test", log_level="error"))
    serving = asyncio.create_task(serve(runtime, options))
    await until(lambda: runtime._unready == "no venue is live")
    aggregator = Aggregator(upstream)
    aggregator.say_venue()
    await until(lambda: runtime._unready is None)
    aggregator.say_venue(state=FeedState.DOWN)
    await until(lambda: runtime._unready is not None)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    await aggregator.close()


@pytest.mark.parametrize("bind", ["nowhere", "127.0.0.1:x", "127.0.0.1:70000", "203.0.113.7:1"])
async def test_an_address_that_cannot_be_bound_is_a_sentence(
    options: GatewayOptions, bind: str
) -> None:
    runtime = Runtime("gateway", RuntimeOptions("gateway.test", log_level="error"))
    with pytest.raises(AddressError, match=bind.replace(".", r"\.")):
        await serve(runtime, replace(options, bind=bind))


async def test_a_port_in_use_is_a_sentence(options: GatewayOptions) -> None:
    runtime = Runtime("gateway", RuntimeOptions("gateway.test", log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressError) as caught:
            await serve(runtime, replace(options, bind=bind))
    assert str(caught.value) == (
        f"cannot serve bots on {bind}: Address already in use; choose another --bind"
    )


async def test_two_gateways_cannot_share_a_port(
    options: GatewayOptions, gateway: RunningGateway
) -> None:
    runtime = Runtime("gateway", RuntimeOptions("gateway.other", log_level="error"))
    with pytest.raises(AddressError, match="Address already in use"):
        await serve(runtime, replace(options, bind=gateway.address))
