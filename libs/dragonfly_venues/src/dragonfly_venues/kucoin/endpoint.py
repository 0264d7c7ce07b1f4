"""Where KuCoin's socket is: POST /api/v1/bullet-public gives an address and a token for each."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import msgspec

from dragonfly_venues.decoding.frames import read
from dragonfly_venues.events import FrameError

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v1/bullet-public"


class _Server(msgspec.Struct):
    endpoint: str


class _Data(msgspec.Struct, rename="camel"):
    token: str
    instance_servers: list[_Server]


class _Reply(msgspec.Struct):
    code: str
    data: _Data | None = None
    msg: str = ""


_REPLY: Final = msgspec.json.Decoder(_Reply)


def parse(reply: bytes, connection_id: int) -> str:
    """Return the URL of one connection, which its token makes good for a day.

    Raises:
        FrameError: `reply` names no server.
    """
    answer = read(_REPLY, reply)
    if answer.data is None or not answer.data.instance_servers:
        raise FrameError("bad_shape", f"{answer.msg or 'no server is named'} (code {answer.code})")
    query = urlencode({"token": answer.data.token, "connectId": connection_id})
    return f"{answer.data.instance_servers[0].endpoint.rstrip('/')}/?{query}"
