"""The recorded messages that `recordings` reads, as the venues sent them in their time."""

from __future__ import annotations

import msgspec

__all__ = [
    "BinanceDelta",
    "BinanceFrame",
    "BinanceInstrument",
    "BinanceInstruments",
    "BinanceSeed",
    "BitstampBook",
    "BitstampFrame",
    "BitstampPair",
    "KrakenV1Book",
    "KrakenV2Book",
    "KrakenV2Frame",
    "KrakenV2Level",
    "KrakenV2Subscription",
]

Levels = tuple[tuple[str, ...], ...]
"""Levels as printed: price, amount, and whatever else the venue adds."""


class BinanceInstrument(msgspec.Struct):
    symbol: str
    base: str = msgspec.field(name="baseAsset")
    quote: str = msgspec.field(name="quoteAsset")


class BinanceInstruments(msgspec.Struct):
    symbols: list[BinanceInstrument]


class BinanceSeed(msgspec.Struct):
    last_id: int = msgspec.field(name="lastUpdateId")
    bids: Levels
    asks: Levels


class BinanceDelta(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    first_id: int = msgspec.field(name="U")
    last_id: int = msgspec.field(name="u")
    bids: Levels = msgspec.field(name="b")
    asks: Levels = msgspec.field(name="a")


class BinanceFrame(msgspec.Struct):
    data: BinanceDelta


class BitstampPair(msgspec.Struct):
    name: str
    symbol: str = msgspec.field(name="url_symbol")


class BitstampBook(msgspec.Struct):
    microtimestamp: str
    bids: Levels
    asks: Levels

    @property
    def time_us(self) -> int:
        return int(self.microtimestamp)


class BitstampFrame(msgspec.Struct):
    event: str
    channel: str
    data: msgspec.Raw


class KrakenV1Book(msgspec.Struct):
    bids: Levels = msgspec.field(name="bs", default=())
    asks: Levels = msgspec.field(name="as", default=())
    new_bids: Levels = msgspec.field(name="b", default=())
    new_asks: Levels = msgspec.field(name="a", default=())
    checksum: str | None = msgspec.field(name="c", default=None)


class KrakenV2Level(msgspec.Struct):
    """Numbers stay text: the checksum is over what was printed."""

    price: msgspec.Raw
    qty: msgspec.Raw

    def text(self) -> tuple[str, str]:
        return bytes(self.price).decode(), bytes(self.qty).decode()


class KrakenV2Book(msgspec.Struct):
    symbol: str
    bids: list[KrakenV2Level]
    asks: list[KrakenV2Level]
    checksum: int
    timestamp: str


class KrakenV2Subscription(msgspec.Struct):
    symbol: str
    depth: int


class KrakenV2Frame(msgspec.Struct):
    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    result: KrakenV2Subscription | None = None
