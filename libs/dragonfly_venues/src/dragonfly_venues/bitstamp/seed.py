"""Bitstamp's whole book over REST: GET /api/v2/order_book/PAIR/, stamped like its channel.

Equal prices are grouped, as in the channel. The reply may be seconds old.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from dragonfly_venues.decoding.seeds import NumberedBook, seed_parser

__all__ = ["parse", "path"]


class _Book(NumberedBook):
    seq: int = msgspec.field(name="microtimestamp")


parse = seed_parser(msgspec.json.Decoder(_Book, strict=False))


def path(symbol: str) -> str:
    """Return where the book of a symbol is had."""
    return f"/api/v2/order_book/{quote(symbol)}/?group=1"
