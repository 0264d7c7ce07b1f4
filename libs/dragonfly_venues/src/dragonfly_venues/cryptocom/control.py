"""Requests to Crypto.com and its answers: each channel of a request by itself.

Pushes have the shape of answers, with a result and the id -1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from dragonfly_venues.decoding.frames import reason, write
from dragonfly_venues.decoding.replies import RestEnvelope
from dragonfly_venues.events import Acked, Event, FrameError, Reply, RequestRefused
from dragonfly_venues.venue import Ask, offered

__all__ = ["DEPTHS", "REST", "SYMBOLS_PER_REQUEST", "Answer", "request", "say"]

DEPTHS: Final = (10, 50)
"""Levels a side that its books are offered with."""
SYMBOLS_PER_REQUEST: Final = 100
"""As many channels of one frame were accepted."""
REST: Final = RestEnvelope(ok="0", content="result", text="message")


class Answer(msgspec.Struct):
    """The fields of every frame, beside a result."""

    method: str = ""
    id: int | None = None
    code: int = 0
    channel: str = ""
    message: str = ""


def request(ask: Ask) -> list[str]:
    """Return the frame of `ask`: changes as soon as they are sent, every 10 ms."""
    depth = offered(ask.depth, DEPTHS)
    params: dict[str, object] = {"channels": [f"book.{symbol}.{depth}" for symbol in ask.symbols]}
    if ask.subscribe:
        params |= {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10}
    method = "subscribe" if ask.subscribe else "unsubscribe"
    return [write({"id": ask.request_id, "method": method, "params": params})]


def say(answer: Answer) -> Sequence[Event]:
    """Return what a frame without a result says.

    Raises:
        FrameError: it says nothing that is known.
    """
    if answer.method == "public/heartbeat" and answer.id is not None:
        return (Reply(write({"id": answer.id, "method": "public/respond-heartbeat"})),)
    _, _, rest = answer.channel.partition(".")
    symbol = rest.rpartition(".")[0]
    symbols = (symbol,) if symbol else ()
    # What the venue says by itself is of no request.
    request_id = None if answer.id == -1 else answer.id
    if answer.code:
        return (RequestRefused(request_id, symbols, reason(answer.message, answer.code)),)
    if answer.method in {"subscribe", "unsubscribe"}:
        return (Acked(request_id, symbols, subscribed=answer.method == "subscribe"),)
    raise FrameError("unknown_channel", answer.method[:60])
