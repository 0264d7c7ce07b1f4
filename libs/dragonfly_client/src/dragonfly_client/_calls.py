"""The two kinds of stream, each one connection long: messages as they come, then the status."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import TypeVar

import grpc
import grpc.aio
from dragonfly_protos import market_data_pb2 as pb
from google.protobuf.message import Message

from dragonfly_client._channel import Connection, Connector
from dragonfly_client._decode import decode_update, parse
from dragonfly_client._liveness import Liveness
from dragonfly_client._requests import Requests
from dragonfly_client.errors import (
    ClientError,
    InvalidRequestError,
    NotFoundError,
    error_of_status,
    refusal_of_session,
)
from dragonfly_client.messages import View

__all__ = ["Calls"]

T = TypeVar("T")


class Calls:
    """Opens streams, each on a connection of its own."""

    def __init__(self, connector: Connector, now_ns: Callable[[], int]) -> None:
        self._connector = connector
        self._now_ns = now_ns

    async def session(
        self,
        subscriptions: Sequence[pb.Subscription],
        window: int | None,
        liveness: Liveness,
        on_refusal: Callable[[str, ClientError], None],
    ) -> AsyncGenerator[View, None]:
        """Yield the updates of one session.

        With a window, an update is acknowledged when the consumer comes back for the next one:
        a bot that computes for long finds at most `window` states waiting, not a backlog.

        `liveness` holds while the call lasts. An instrument that is refused for itself, one that no
        venue lists or that is none, is told to `on_refusal` while others are left.

        Raises:
            ClientError: the gateway refused all of `subscriptions`, or the stream itself, or the
                call did not end well.
        """
        refused: list[tuple[str, ClientError]] = []
        left, served = len(subscriptions), False
        async with self._connector.open() as connection:
            call = connection.session()
            _follow(call, liveness, connection)
            with _client_errors(), Requests(call, window, liveness) as requests:
                await requests.begin(subscriptions)
                while (payload := await call.read()) is not grpc.aio.EOF:
                    update = parse(pb.SessionUpdate, payload)
                    if update.HasField("refusal"):
                        refusal = refusal_of_session(update.refusal.code, update.refusal.message)
                        left -= 1
                        if not left or not isinstance(refusal, NotFoundError | InvalidRequestError):
                            raise refusal
                        refused.append((update.refusal.subscription.instrument, refusal))
                    view = decode_update(update, self._now_ns())
                    served = served or view is not None
                    while served and refused:
                        on_refusal(*refused.pop())
                    if view is not None:
                        with liveness.bot_at_work():
                            yield view
                    await requests.acknowledge(update.number)

    async def server_stream(
        self, method: str, request: Message, decode: Callable[[bytes], T], liveness: Liveness
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


def _follow(call: grpc.aio.Call, liveness: Liveness, connection: Connection) -> None:
    liveness.begin(connection.is_up)
    # Told at once, also while the bot works and nobody reads.
    call.add_done_callback(lambda _: liveness.cut())


@contextlib.contextmanager
def _client_errors() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as status:
        raise error_of_status(status.code(), status.details()) from None
