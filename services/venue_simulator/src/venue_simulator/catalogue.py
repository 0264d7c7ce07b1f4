"""The instruments of the simulated world, and how their prices hang together."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

__all__ = ["ALWAYS_MOVING", "CATALOGUE", "RESTING", "Asset", "invent"]

ALWAYS_MOVING: Final = ("ETH-BTC", "BTC-USD")
"""Trade from the start; all others once somebody asks for them."""
DRIFT: Final = 6e-5
"""Standard deviation of a price's step, as a fraction of it."""
RESTING: Final = "BCH-BTC"
"""Moves seldom, whatever the rate: Binance and Bitstamp then send no book for a while."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One instrument of the simulated world."""

    instrument: str
    price: float
    """About which it drifts."""
    venue: str | None = None
    """The only one at which it trades; None: all do."""
    tradable: bool = True
    """Otherwise it is listed, and halted."""
    rests: bool = False
    """It moves seldom."""
    drift: float = DRIFT
    of: Asset | None = None
    """The asset that it is the same as in other units or money: its price follows that one's,"""
    over: Asset | None = None
    """and is told in what this one prices."""

    @property
    def amount(self) -> float:
        """Return the size of a usual level: the same value in every instrument."""
        quote = self.instrument.partition("-")[2]
        return {"BTC": 0.1, "ETH": 2.0}.get(quote, 6000.0) / self.price


_BTC_USD: Final = Asset("BTC-USD", 61_250.0)
_DOGE_USD: Final = Asset("DOGE-USD", 0.2105)
_USDT_USD: Final = Asset("USDT-USD", 0.9994, drift=DRIFT / 10)

CATALOGUE: Final = (
    Asset("ETH-BTC", 0.0702),
    _BTC_USD,
    Asset("ETH-USD", 4_300.0),
    Asset("BTC-EUR", 56_800.0),
    Asset("ETH-EUR", 3_990.0),
    Asset("SOL-USD", 182.5),
    Asset("XRP-USD", 1.12),
    Asset("ADA-USD", 0.684),
    _DOGE_USD,
    Asset("LTC-USD", 96.4),
    Asset("LTC-BTC", 0.001574),
    Asset("LINK-USD", 18.66),
    Asset("DOT-USD", 5.21),
    Asset("XLM-USD", 0.3155),
    Asset(RESTING, 0.0052, rests=True),
    Asset("BNB-BTC", 0.01092, "binance"),
    Asset("GALA-EUR", 0.01633, "bitstamp"),
    Asset("XMR-USD", 291.7, "kraken"),
    Asset("LUNA-USD", 0.0651, tradable=False),
    _USDT_USD,
    Asset("BTC-USDT", _BTC_USD.price / _USDT_USD.price, of=_BTC_USD, over=_USDT_USD),
    Asset("1000DOGE-USD", 1000 * _DOGE_USD.price, of=_DOGE_USD),
)


def invent(instrument: str, seed: int) -> Asset:
    """Return an asset that the catalogue does not know; its price follows from `seed`."""
    return Asset(instrument, 10 ** Random(f"{seed}/{instrument}").uniform(-2, 4))  # noqa: S311 - no secret
