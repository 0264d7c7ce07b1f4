"""Requests to Binance by FIX, its refusals, and our Logon.

A stream is known by its MDReqID (262), which here says what it is of: `D7-BNBBTC` is the depth of
BNBBTC that request 7 asked for, `T7-BNBBTC` its ticker. Each has a request of its own, so that each
can be refused and ended by itself. The end of one is not answered.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final, NamedTuple

from dragonfly_venues.binance.seed import SEED_LEVELS
from dragonfly_venues.events import FrameError, RequestRefused
from dragonfly_venues.venue import Ask, FixKey

__all__ = ["DEPTH", "TICKER", "Followed", "logon", "refusal", "request", "stream_named"]

DEPTH: Final = "D"
TICKER: Final = "T"

_MARKET_DEPTH: Final = {DEPTH: SEED_LEVELS, TICKER: 1}
_SUBSCRIBE: Final = "1"
_UNSUBSCRIBE: Final = "2"
_SEQUENTIAL: Final = b"2"
_STREAM: Final = re.compile(rb"([DT])([0-9]{1,18})-([!-~]{1,64})")


class Followed(NamedTuple):
    """The subscription that an MDReqID (262) of ours names."""

    kind: str
    request_id: int
    symbol: str
    """In lower case, as the list has it."""


def request(ask: Ask) -> list[str]:
    """Return the messages of `ask`: changes of whole books, and best prices where they are asked.

    A subscription is ended by the number of the request that began it (`Venue.ends_by_handle`).
    """
    kinds = (DEPTH, TICKER) if ask.bbo else (DEPTH,)
    return [
        _request(kind, ask.handles.get(symbol, ask.request_id), symbol, subscribe=ask.subscribe)
        for kind in kinds  # books first: requests go out at a pace
        for symbol in ask.symbols
    ]


def _request(kind: str, request_id: int, symbol: str, *, subscribe: bool) -> str:
    name = symbol.upper()
    fields = [
        ("35", "V"),
        ("262", f"{kind}{request_id}-{name}"),
        ("263", _SUBSCRIBE if subscribe else _UNSUBSCRIBE),
        ("264", str(_MARKET_DEPTH[kind])),
    ]
    if subscribe:
        fields += [("266", "Y"), ("146", "1"), ("55", name), ("267", "2"), ("269", "0")]
        fields.append(("269", "1"))
    return "".join(f"{tag}={value}\x01" for tag, value in fields)


def stream_named(md_req_id: bytes) -> Followed:
    """Return what an MDReqID names.

    Raises:
        FrameError: it is none of ours.
    """
    found = _STREAM.fullmatch(md_req_id)
    if found is None:
        raise FrameError("unknown_channel", md_req_id[:60].decode(errors="replace"))
    kind, request_id, name = found.groups()
    return Followed(kind.decode(), int(request_id), name.decode().lower())


def refusal(fields: Mapping[int, bytes]) -> RequestRefused:
    """Return what a MarketDataRequestReject (Y) refuses, or a Reject (3) of a request.

    Raises:
        FrameError: it is about no request.
    """
    text = fields.get(58, b"no reason is given")[:200].decode(errors="replace")
    code = fields.get(25016, fields.get(281, b"none"))[:20].decode(errors="replace")
    reason = f"{text} (code {code})"
    if 262 not in fields:
        raise FrameError("bad_shape", f"what was sent is rejected: {reason}")
    stream = stream_named(fields[262])
    return RequestRefused(stream.request_id, (stream.symbol,), reason)


def logon(key: FixKey, sender: str, number: int, time: bytes) -> list[tuple[int, bytes]]:
    """Return the fields of a Logon by which Binance knows the account.

    The signature is of MsgType, SenderCompID, TargetCompID, MsgSeqNum and SendingTime.
    """
    signed = b"\x01".join((b"A", sender.encode(), b"SPOT", b"%d" % number, time))
    signature = b64encode(key.sign(signed))
    return [
        (95, b"%d" % len(signature)),
        (96, signature),
        (553, key.api_key),
        (25035, _SEQUENTIAL),
    ]
