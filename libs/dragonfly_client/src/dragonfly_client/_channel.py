"""One gateway's address, credentials and transport options; opens channels to it."""

from __future__ import annotations

import contextlib
import re
from typing import Final

import grpc
import grpc.aio
from dragonfly_protos import market_data_pb2 as pb

from dragonfly_client.errors import SettingError
from dragonfly_client.tls import Tls

__all__ = ["Connector", "method_path"]

KEEPALIVE_TIME_MS: Final = 1000
"""A quiet connection is pinged this often; the gateway allows twice as often."""

PING_TIMEOUT_MS: Final = 2000
"""A ping unanswered for so long ends the connection. Without it a frozen gateway stays unnoticed
for a minute, whatever the keepalive says."""

CONNECT_ATTEMPT_MS: Final = 3000
LONGEST_CHANNEL_BACKOFF_MS: Final = 250
"""Between attempts to connect that calls ask for; how often they ask is `Backoff`'s affair."""
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024

_TARGET: Final = re.compile(r"([^\s:/\[\]]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}|unix:\S+")

_TOKEN: Final = re.compile(r"[!-~]+")

_SERVICE: Final = pb.DESCRIPTOR.services_by_name["MarketData"]


def method_path(name: str) -> str:
    """Return the path of a method of dragonfly.v1.MarketData, as its descriptor has it."""
    return f"/{_SERVICE.full_name}/{_SERVICE.methods_by_name[name].name}"


class Connector:
    """Opens channels to one gateway.

    `lookahead_bytes` bounds what the transport reads ahead of a bot that does not; by default it
    reads megabytes, which a bot that resumes would be served first.
    """

    def __init__(
        self,
        target: str,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        lookahead_bytes: int,
    ) -> None:
        if not _TARGET.fullmatch(target):
            raise SettingError(
                f"{target[:80]!r} is no gateway's address: write HOST:PORT, e.g. 127.0.0.1:50051"
            )
        if token and not _TOKEN.fullmatch(token):
            # Said here, because gRPC would say it with the token.
            raise SettingError("the token is not one line of printable ASCII without blanks")
        self.target = target
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()
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

    def open(self) -> grpc.aio.Channel:
        """Return a channel that connects when first used; the caller closes it."""
        if self._tls is None:
            return grpc.aio.insecure_channel(self.target, options=self._options)
        with contextlib.suppress(SettingError):  # a file is just being replaced: the old ones do
            self._credentials = self._tls.credentials()
        return grpc.aio.secure_channel(self.target, self._credentials, options=self._options)
