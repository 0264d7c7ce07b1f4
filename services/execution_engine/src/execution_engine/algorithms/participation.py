"""POV: keep an order's fills a share of the traded volume. Pure.

The engine refuses such orders so far: no listener follows trades, and what books lose is no
honest measure of them, as orders are cancelled far more often than traded.
"""

from __future__ import annotations

from decimal import Decimal

__all__ = ["due"]


def due(rate: Decimal, volume: Decimal, *, own: Decimal) -> Decimal:
    """Return how much of an order is to be out by now.

    Args:
        rate: the share of all trades that the order's are to be, 0 to 1.
        volume: what was traded since it began, our own fills included.
        own: our own fills.

    Of what others traded, the part is `rate / (1 - rate)`: our own fills are volume too.
    """
    return max(Decimal(0), volume - own) * rate / (1 - rate)
