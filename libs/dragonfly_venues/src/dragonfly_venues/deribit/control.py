"""Requests to Deribit and its answers: JSON-RPC 2.0, each answer with the id of its request.

The answer to a subscription lists the channels that it took, and says nothing of the others, nor
whether they were subscribed or left: that is in our ids, which are odd where we subscribe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from dragonfly_venues.decoding.frames import Refusal, read, write
from dragonfly_venues.events import (
    TRADING,
    Acked,
    Event,
    FrameError,
    Heard,
    Reply,
    RequestRefused,
    Trading,
    TradingChange,
)
from dragonfly_venues.venue import Ask

__all__ = [
    "CHANGES_SUFFIX",
    "GREETING",
    "LEVELS",
    "PREFIX",
    "SYMBOLS_PER_REQUEST",
    "TOP_SUFFIX",
    "request",
    "request_changes",
    "test",
    "understand",
]

LEVELS: Final = 20
"""Levels a side of the deepest channel of whole tops."""
PREFIX: Final = "book."
TOP_SUFFIX: Final = f".none.{LEVELS}.100ms"
CHANGES_SUFFIX: Final = ".100ms"
SYMBOLS_PER_REQUEST: Final = 50
"""500 channels are allowed; so many make a frame of 2 kB."""
HEARTBEAT_S: Final = 30

_PLATFORM: Final = "platform_state"
_DROPPED: Final = "its channel is not among those that were subscribed"
_HEARD: Final = (Heard(),)
_Id = int | None


class _Params(msgspec.Struct):
    type: str = ""
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Control(msgspec.Struct):
    id: _Id = None
    method: str = ""
    params: _Params | None = None
    result: list[str] | str | dict[str, Any] | None = None
    error: Refusal | None = None


class _Platform(msgspec.Struct):
    """Of the whole venue, or of the markets of one price index."""

    maintenance: bool | None = None
    locked: bool | None = None
    price_index: str = ""


_CONTROL: Final = msgspec.json.Decoder(_Control)
_PLATFORM_STATE: Final = msgspec.json.Decoder(_Platform)


def request(ask: Ask) -> list[str]:
    """Return the frame of `ask`: the best 20 levels, whatever depth of them is used."""
    return _request(ask, TOP_SUFFIX)


def request_changes(ask: Ask) -> list[str]:
    """Return the frame of `ask`: whole books and their changes."""
    return _request(ask, CHANGES_SUFFIX)


def test(request_id: int) -> str:
    """Return what the venue answers, and wants to hear where it asks for it."""
    return _call("public/test", {}, 2 * request_id)


def understand(frame: bytes) -> Sequence[Event]:
    """Return what a frame that is no book says.

    Raises:
        FrameError: it says nothing that is known.
    """
    control = read(_CONTROL, frame)
    params = control.params or _Params()
    number, subscribed = (None, 0) if control.id is None else divmod(control.id, 2)
    match control:
        case _Control(error=Refusal() as error):
            return (RequestRefused(number, (), error.reason),)
        case _Control(result=list(channels)):
            return _acked(number, channels, subscribed=bool(subscribed))
        case _Control(result=str() | dict()):
            return _HEARD
        case _Control(method="heartbeat"):
            return (Reply(test(0)),) if params.type == "test_request" else _HEARD
        case _Control(method="subscription") if params.channel == _PLATFORM:
            return _platform(read(_PLATFORM_STATE, params.data))
        case _Control(method="subscription"):
            raise FrameError("unknown_channel", params.channel[:60])
        case _:
            raise FrameError("bad_shape", "neither a book nor an answer")


def _acked(number: _Id, channels: Sequence[str], *, subscribed: bool) -> Sequence[Event]:
    if channels == [_PLATFORM]:
        return _HEARD
    symbols = tuple(name.removeprefix(PREFIX).partition(".")[0] for name in channels)
    return (Acked(number, symbols, subscribed=subscribed, others=_DROPPED),)


def _platform(state: _Platform) -> Sequence[Event]:
    if state.maintenance is not None:
        halted = Trading(halted=True, word="maintenance")
        return (TradingChange(None, halted if state.maintenance else TRADING),)
    if state.locked is None or not state.price_index:
        return _HEARD
    locked = Trading(halted=True, word="locked") if state.locked else TRADING
    return (TradingChange(state.price_index.upper(), locked),)


def _request(ask: Ask, suffix: str) -> list[str]:
    channels = [f"{PREFIX}{symbol}{suffix}" for symbol in ask.symbols]
    return [_subscription(channels, ask.request_id, subscribe=ask.subscribe)]


def _subscription(channels: Sequence[str], request_id: int, *, subscribe: bool) -> str:
    method = "public/subscribe" if subscribe else "public/unsubscribe"
    return _call(method, {"channels": channels}, 2 * request_id + subscribe)


def _call(method: str, params: dict[str, Any], call_id: int) -> str:
    return write({"jsonrpc": "2.0", "id": call_id, "method": method, "params": params})


GREETING: Final = (
    _call("public/set_heartbeat", {"interval": HEARTBEAT_S}, 0),
    _subscription([_PLATFORM], 0, subscribe=True),
)
"""Without a heartbeat the venue hangs up on who is silent for a minute."""
