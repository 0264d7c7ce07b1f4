"""One gateway's address, credentials and transport options; opens channels to it."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import re
from typing import Any, Final, Self

import grpc
import grpc.aio
from dragonfly_protos import execution_pb2
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.message import Message

from dragonfly_client._loops import Tasks, noting_tasks, polled_loop, settle
from dragonfly_client._proxy import proxy_given, proxy_of
from dragonfly_client._settings import check_token
from dragonfly_client.errors import SettingError
from dragonfly_client.tls import Tls

__all__ = ["Connector", "GatewayConnection"]

KEEPALIVE_TIME_MS: Final = 1000
"""A quiet connection is pinged this often; the gateway allows twice as often."""

PING_TIMEOUT_MS: Final = 2000
"""A ping unanswered for so long ends the connection. Without it a frozen gateway stays unnoticed
for a minute, whatever the keepalive says."""

CONNECT_ATTEMPT_MS: Final = 3000
LONGEST_CHANNEL_BACKOFF_MS: Final = 250
"""Between the channel's attempts to connect; how often calls ask for one is `GatewayBackoff`'s."""
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024

_log: Final = logging.getLogger("dragonfly_client")

_TARGET: Final = re.compile(r"([^\s:/\[\]]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}|unix:\S+")


_METHODS: Final = {
    method.name: f"/{service.full_name}/{method.name}"
    for service in (
        pb.DESCRIPTOR.services_by_name["MarketData"],
        execution_pb2.DESCRIPTOR.services_by_name["Execution"],
    )
    for method in service.methods
}


def _is_of_this_machine(target: str) -> bool:
    """Say whether what is sent to `target` never leaves this machine."""
    host = target.rpartition(":")[0].strip("[]")
    if target.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class GatewayConnection:
    """A channel to a gateway, which connects when first used.

    Its exit suspends nowhere: a loop that ends closes all its generators at once, the ones within
    others too.
    """

    def __init__(self, channel: grpc.aio.Channel, connector: Connector) -> None:
        self._channel = channel
        self._connector = connector

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def ask(self, method: str, request: Message, timeout_s: float) -> grpc.aio.UnaryUnaryCall:
        return self._begin("unary_unary", method, type(request), request, timeout=timeout_s)

    def stream(self, method: str, request: Message) -> grpc.aio.UnaryStreamCall:
        return self._begin("unary_stream", method, type(request), request)

    def session(self) -> grpc.aio.StreamStreamCall:
        return self._begin("stream_stream", "Session", pb.SessionRequest)

    def is_up(self) -> bool:
        """Say whether the gateway is there, and does not want to go."""
        ready: bool = self._channel.get_state() is grpc.ChannelConnectivity.READY
        return ready

    async def close(self, grace_s: float | None = None) -> None:
        """Cut all calls, those of them that last longer than `grace_s` if that is given."""
        # A call that is dropped without this stays in the gateway's memory for good.
        await self._channel.close(grace_s)
        self._connector.open_connections.discard(self)

    def _begin(
        self, arity: str, method: str, kind: type[Message], *request: Message, **options: Any
    ) -> Any:
        begin = getattr(self._channel, arity)
        call = begin(_METHODS[method], request_serializer=kind.SerializeToString)
        with noting_tasks(self._connector.tasks):
            return call(*request, metadata=self._connector.metadata, **options)


class Connector:
    """Opens connections to one gateway.

    `lookahead_bytes` bounds what the transport reads ahead of a bot that does not; by default it
    reads megabytes, which a bot that resumes would be served first.
    """

    def __init__(
        self,
        target: str,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        proxy: str | None = None,
        lookahead_bytes: int,
    ) -> None:
        if not _TARGET.fullmatch(str(target)):
            raise SettingError(
                f"{str(target)[:80]!r} is no gateway's address: write HOST:PORT, for example"
                " 127.0.0.1:50051"
            )
        check_token(token)
        if token and tls is None and not _is_of_this_machine(target):
            _log.warning(
                "the token travels to %s in the clear, where everybody on the way can read it: "
                "give tls",
                target,
            )
        self.target = target
        through = proxy_given(proxy) if proxy else proxy_of(target, os.environ)
        self.place = f"{target}{through.told if through else ''}"
        """The target as errors name it: with the proxy, where there is one."""
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self.open_connections: set[GatewayConnection] = set()
        self.tasks: Tasks = set()
        self._tls = tls
        self._credentials = tls and tls.credentials()
        self._options: tuple[tuple[str, int | str], ...] = (
            ("grpc.keepalive_time_ms", KEEPALIVE_TIME_MS),
            ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MS),
            ("grpc.http2.ping_timeout_ms", PING_TIMEOUT_MS),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", lookahead_bytes),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", LONGEST_CHANNEL_BACKOFF_MS),
            # Despite its name, how long one attempt to connect may take.
            ("grpc.min_reconnect_backoff_ms", CONNECT_ATTEMPT_MS),
            # A channel is a connection: otherwise all channels to one address share one, and its
            # limit of concurrent streams makes the next stream wait without a word.
            ("grpc.use_local_subchannel_pool", 1),
        )
        if tls and tls.server_name:
            self._options += (("grpc.ssl_target_name_override", tls.server_name),)
        if through and through.url:
            self._options += (("grpc.http_proxy", through.url),)
        else:
            self._options += (("grpc.enable_http_proxy", 0),)

    def open(self) -> GatewayConnection:
        """Return a connection of its own; the caller closes it."""
        with polled_loop():
            connection = GatewayConnection(self._channel(), self)
        self.open_connections.add(connection)
        return connection

    async def aclose(self) -> None:
        """Cut all that is open, and wait until nothing is left of it: the loop may end then."""
        for connection in tuple(self.open_connections):
            await connection.close()
        await settle(self.tasks)

    def _channel(self) -> grpc.aio.Channel:
        if self._tls is None:
            return grpc.aio.insecure_channel(self.target, options=self._options)
        with contextlib.suppress(SettingError):  # a file is just being replaced: the old ones do
            self._credentials = self._tls.credentials()
        return grpc.aio.secure_channel(self.target, self._credentials, options=self._options)
