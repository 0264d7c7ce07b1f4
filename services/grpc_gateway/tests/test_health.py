from __future__ import annotations

from dragonfly_common.types import FeedState
from gateway_world import Bot
from grpc_health.v1 import health_pb2
from patience import patiently
from view_world import Aggregator

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NAMES = ["", "orderbook.OrderbookAggregator", "dragonfly.v1.MarketData"]


class Watch:
    """A watch on one name's status."""

    def __init__(self, bot: Bot, name: str) -> None:
        watch = bot.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        self._call = watch(health_pb2.HealthCheckRequest(service=name))

    async def until(self, status: int) -> None:
        async with patiently():
            while (await self._call.read()).status != status:
                pass

    def cancel(self) -> None:
        self._call.cancel()


async def test_it_serves_only_with_live_data_and_under_every_name(upstream: str, bot: Bot) -> None:
    watches = [Watch(bot, name) for name in NAMES]
    for watch in watches:
        await watch.until(NOT_SERVING)
    aggregator = Aggregator(upstream)
    aggregator.say_venue("kraken")
    for watch in watches:
        await watch.until(SERVING)
    aggregator.say_venue("kraken", FeedState.STALE)
    for watch in watches:
        await watch.until(NOT_SERVING)
    aggregator.say_venue("binance")
    for watch in watches:
        await watch.until(SERVING)
    await aggregator.close()
    for watch in watches:
        await watch.until(NOT_SERVING)
        watch.cancel()
