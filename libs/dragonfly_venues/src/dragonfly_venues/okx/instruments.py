"""OKX's list of spot markets: GET /api/v5/public/instruments?instType=SPOT.

A market's state is `live`, or it cannot be traded: `suspend`, `preopen`, `test`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from dragonfly_venues.instruments import by_instrument, read_list, trading
from dragonfly_venues.okx.control import REST
from dragonfly_venues.venue import Market

__all__ = ["REST_PATH", "parse"]

REST_PATH: Final = "/api/v5/public/instruments?instType=SPOT"


class _Market(msgspec.Struct, rename="camel"):
    inst_id: str
    base_ccy: str
    quote_ccy: str
    state: str


_LIST: Final = REST.of(list[_Market])


def parse(reply: bytes) -> dict[str, Market]:
    """Return the markets by instrument.

    Raises:
        FrameError: `reply` is no such list.
    """
    return by_instrument(
        (
            f"{market.base_ccy}-{market.quote_ccy}",
            Market(market.inst_id, trading(market.state, "live")),
        )
        for market in read_list(_LIST, reply)
    )
