"""Where KuCoin's socket is: POST /api/v1/bullet-public gives an address and a token for each."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import msgspec

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.events import FrameError
from dragonfly_venues.kucoin.control import REST

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v1/bullet-public"


class _Server(msgspec.Struct):
    endpoint: str


class _Data(msgspec.Struct, rename="camel"):
    token: str
    instance_servers: list[_Server]


_DATA: Final = REST.of(_Data)


def parse(reply: bytes, connection_id: int) -> str:
    """Return the URL of one connection, which its token makes good for a day.

    Raises:
        FrameError: `reply` names no server.
    """
    told = read(_DATA, reply)
    if not told.instance_servers:
        raise FrameError("bad_shape", "no server is named")
    query = urlencode({"token": told.token, "connectId": connection_id})
    return f"{told.instance_servers[0].endpoint.rstrip('/')}/?{query}"
