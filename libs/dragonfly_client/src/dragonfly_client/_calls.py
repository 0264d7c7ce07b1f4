"""The two kinds of stream, each one connection long: messages as they come, then the status."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Final, TypeVar

import grpc
import grpc.aio
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.message import Message

from dragonfly_client._channel import Connector, GatewayConnection
from dragonfly_client._decode import decode_update, parse
from dragonfly_client._liveness import StreamLiveness
from dragonfly_client._requests import Requests, UntilListed
from dragonfly_client.errors import (
    ClientError,
    InvalidRequestError,
    NotFoundError,
    NotReadyError,
    error_of_status,
    refusal_of_session,
)
from dragonfly_client.messages import View

__all__ = ["Calls", "UntilListed"]

T = TypeVar("T")

_OF_ONE_INSTRUMENT: Final = (NotFoundError, NotReadyError, InvalidRequestError)
"""Refusals that say nothing of the other instruments of a stream."""


class Calls:
    """Opens streams, each on a connection of its own."""

    def __init__(self, connector: Connector, now_ns: Callable[[], int]) -> None:
        self._connector = connector
        self._now_ns = now_ns

    async def session(
        self,
        subscriptions: Sequence[pb.Subscription],
        window: int | None,
        liveness: StreamLiveness,
        on_refusal: Callable[[str, ClientError], UntilListed | None],
    ) -> AsyncGenerator[View, None]:
        """Yield the updates of one session.

        With a window, an update is acknowledged when the consumer comes back for the next one:
        a bot that computes for long finds at most `window` states waiting, not a backlog.

        `liveness` holds while the call lasts. Where some of several instruments are refused for
        themselves, because no venue lists them or they are none, `on_refusal` is told; they are
        subscribed again after what it returns, if it returns anything.

        Raises:
            ClientError: the gateway refused all of `subscriptions`, or the stream itself, or the
                call did not end well.
        """
        refused: list[tuple[pb.Subscription, ClientError]] = []
        served = False
        async with self._connector.open() as connection:
            call = connection.session()
            _follow(call, liveness, connection)
            with _client_errors(), Requests(call, window, liveness) as requests:
                await requests.begin(subscriptions)
                while (payload := await call.read()) is not grpc.aio.EOF:
                    update = parse(pb.SessionUpdate, payload)
                    if update.HasField("refusal"):
                        error = refusal_of_session(update.refusal.code, update.refusal.message)
                        if not isinstance(error, _OF_ONE_INSTRUMENT):
                            raise error
                        refused.append((update.refusal.subscription, error))
                        if not served and len(refused) == len(subscriptions):
                            raise next((one for _, one in refused if one.retry), error)
                    view = decode_update(update, self._now_ns())
                    served = served or view is not None
                    while served and refused:
                        subscription, error = refused.pop()
                        until_listed = on_refusal(subscription.instrument, error)
                        if until_listed is not None:
                            requests.subscribe_after(until_listed, subscription)
                    if view is not None:
                        with liveness.bot_at_work():
                            yield view
                    await requests.acknowledge(update.number)

    async def server_stream(
        self, method: str, request: Message, decode: Callable[[bytes], T], liveness: StreamLiveness
    ) -> AsyncGenerator[T, None]:
        """Yield the decoded messages of one server stream; `liveness` holds while it lasts.

        Raises:
            ClientError: how the call ended, when not well.
        """
        async with self._connector.open() as connection:
            call = connection.stream(method, request)
            _follow(call, liveness, connection)
            with _client_errors():
                while (payload := await call.read()) is not grpc.aio.EOF:
                    message = decode(payload)
                    with liveness.bot_at_work():
                        yield message


def _follow(call: grpc.aio.Call, liveness: StreamLiveness, connection: GatewayConnection) -> None:
    liveness.begin(connection.is_up)
    # Told at once, also while the bot works and nobody reads.
    call.add_done_callback(lambda _: liveness.cut())


@contextlib.contextmanager
def _client_errors() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as status:
        raise error_of_status(status.code(), status.details()) from None
