"""A stream that outlives its connections."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TypeVar

from dragonfly_client._backoff import GatewayBackoff
from dragonfly_client.errors import (
    CertificateError,
    ClientError,
    LimitError,
    NotReadyError,
    UnavailableError,
)
from dragonfly_client.events import Disconnected, EventListener, Reconnected

__all__ = ["FollowPolicy", "consumer_cancelled", "follow"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FollowPolicy:
    """How a client follows a stream: what it tells, how long it waits, what ends it.

    `connect_timeout_s` bounds the wait for a stream's first message while no gateway answers; a
    stream that once worked is opened again for as long as it takes.
    """

    place: str
    connect_timeout_s: float
    random: Callable[[], float]
    on_event: EventListener
    closed: asyncio.Event


async def follow(
    name: str, connect: Callable[[], AsyncGenerator[T, None]], following: FollowPolicy
) -> AsyncGenerator[T, None]:
    """Yield the messages of `connect()`, called again whenever the connection is lost.

    Raises:
        UnavailableError: no first message within the connect timeout.
        ClientError: the gateway refused, or cannot be trusted: asking again would not change it.
    """
    backoff = GatewayBackoff(following.random)
    deadline = time.monotonic() + following.connect_timeout_s
    worked = False
    lost_at: float | None = None
    while not following.closed.is_set():
        error: ClientError = UnavailableError("the gateway ended the stream")
        try:
            async with contextlib.aclosing(connect()) as messages:
                async for message in messages:
                    if lost_at is not None:
                        following.on_event(Reconnected(name, time.monotonic() - lost_at))
                        lost_at = None
                    worked = True
                    backoff.reset()
                    yield message
        except ClientError as cause:
            if not _is_worth_a_retry(cause, worked=worked):
                raise
            error = cause
        except asyncio.CancelledError:
            if consumer_cancelled() or not following.closed.is_set():
                raise
            return
        if following.closed.is_set():
            return
        if not worked and time.monotonic() >= deadline:
            raise _in_vain(error, following)
        if worked and lost_at is None:
            lost_at = time.monotonic()
            following.on_event(Disconnected(name, str(error)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(following.closed.wait(), backoff.next_s())


def _is_worth_a_retry(error: ClientError, *, worked: bool) -> bool:
    match error:
        case LimitError() | CertificateError():
            # What was granted before may be so again: the place of a connection that the gateway
            # does not know to be gone yet, a certificate that is about to be renewed.
            return worked
        case _:
            return error.retry


def _in_vain(error: ClientError, following: FollowPolicy) -> ClientError:
    if isinstance(error, NotReadyError):
        return error
    waited = f"{following.connect_timeout_s:g} s"
    return UnavailableError(f"no gateway at {following.place} within {waited} ({error})")


def consumer_cancelled() -> bool:
    """Say whether the bot's task was cancelled, rather than the call that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
