"""What is said on a WebSocket, as messages."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from dragonfly_common.printable import printable
from dragonfly_views.refusals import check_market, invalid

from web_gateway.feeds import CHANNELS, Channel, FeedQuestion

__all__ = [
    "MAX_HZ",
    "Ack",
    "Asked",
    "Auth",
    "Ping",
    "SubscribeAsked",
    "SubscribeParams",
    "UnsubscribeAsked",
    "parse",
    "questions",
]

MAX_HZ: Final = 20.0
USUAL_HZ: Final = 10.0
MOST_NAMES: Final = 64


class SubscribeParams(msgspec.Struct, frozen=True):
    """What is subscribed to: a channel, of one instrument or several."""

    channel: str
    instrument: str | list[str] = ""
    depth: int = 0
    max_hz: float = USUAL_HZ
    group: float = 0.0
    side: str = ""
    sizes: list[float] = []
    in_quote: bool = False
    venues: list[str] = []
    fees: dict[str, float] = {}


class AuthParams(msgspec.Struct, frozen=True):
    token: str


class SubscribeAsked(msgspec.Struct, frozen=True, tag="subscribe", tag_field="method"):
    params: SubscribeParams
    req_id: int | None = None


class UnsubscribeAsked(msgspec.Struct, frozen=True, tag="unsubscribe", tag_field="method"):
    params: SubscribeParams
    req_id: int | None = None


class Ack(msgspec.Struct, frozen=True, tag="ack", tag_field="method"):
    """Acknowledges all snapshots up to `seq`; no more than `window` are then on their way."""

    seq: int
    window: int = 1
    req_id: int | None = None


class Auth(msgspec.Struct, frozen=True, tag="auth", tag_field="method"):
    params: AuthParams
    req_id: int | None = None


class Ping(msgspec.Struct, frozen=True, tag="ping", tag_field="method"):
    req_id: int | None = None


Asked: TypeAlias = SubscribeAsked | UnsubscribeAsked | Ack | Auth | Ping

_decoder: Final = msgspec.json.Decoder(Asked)


def parse(text: str | bytes) -> Asked:
    """Return the request that `text` is.

    Raises:
        CallRefusedError: it is none.
    """
    try:
        asked: Asked = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise invalid(
            f"the message is no request ({printable(str(error), 200)}): send"
            ' {"method":"subscribe","params":{"channel":"book","instrument":"ETH-BTC"},"req_id":1}'
        ) from None
    return asked


def questions(
    params: SubscribeParams, known: frozenset[str], token: str = ""
) -> list[FeedQuestion]:
    """Return what `params` ask for, one question for each instrument; `known` are those listed.

    `token` is that of who asks: orders are its bot's.

    Raises:
        CallRefusedError: they break a rule.
    """
    if params.channel not in CHANNELS:
        raise invalid(
            f"{params.channel[:60]!r} is no channel: subscribe to one of {', '.join(CHANNELS)}"
        )
    channel: Channel = params.channel
    if not 0 < params.max_hz <= MAX_HZ:
        raise invalid(f"max_hz {params.max_hz:g} is out of range: give more than 0, to {MAX_HZ:g}")
    if channel == "venues":
        return [FeedQuestion("venues")]
    if channel == "orders":
        return [FeedQuestion("orders", token=token)]
    given = [params.instrument] if isinstance(params.instrument, str) else params.instrument
    if not 1 <= len(given) <= MOST_NAMES:
        raise invalid(f"{len(given)} instruments: name 1 to {MOST_NAMES}, for example ETH-BTC")
    names = [check_market(name, known.__contains__) for name in dict.fromkeys(given)]
    if params.depth < 0 or params.depth > 100:
        raise invalid(f"depth {params.depth} is out of range: give 1 to 100, or 0 for all")
    check_group(params.group)
    if channel == "executable" and not (params.side in {"buy", "sell"} and params.sizes):
        raise invalid("executable asks for a side, buy or sell, and for sizes: give both")
    return [
        FeedQuestion(
            channel,
            name,
            depth=params.depth if channel in {"book", "liquidity"} else 0,
            group=params.group if channel == "liquidity" else 0.0,
            side=params.side if channel == "executable" else "",
            sizes=tuple(params.sizes) if channel == "executable" else (),
            in_quote=params.in_quote and channel == "executable",
            venues=tuple(params.venues) if channel == "executable" else (),
            fees=tuple(sorted(params.fees.items())) if channel == "executable" else (),
        )
        for name in names
    ]


def check_group(group: float) -> float:
    """Return `group` if it is a price step, or 0 for none.

    Raises:
        CallRefusedError: it is neither.
    """
    if group and not 1e-12 <= group <= 1e12:  # nor NaN
        raise invalid(f"group {group:g} is no price step: give a number above 0, such as 0.5")
    return group
