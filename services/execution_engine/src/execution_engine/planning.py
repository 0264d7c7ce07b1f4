"""The plan of one sweep: which venue takes how much, at which limit. Pure.

How much goes where is `dragonfly_pricing.best_split`: the optimum by price net of fees, with each
venue's lot and least order. This module says what of a venue may be taken, and makes orders of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from dragonfly_common.types import OrderSide
from dragonfly_pricing.offers import Offer
from dragonfly_pricing.splitting import best_split

from execution_engine.market import BPS, DecimalLevel, MarketRules

__all__ = ["Piece", "VenueOffer", "spared", "sweep", "visible"]

ZERO: Final = Decimal(0)


@dataclass(frozen=True)
class VenueOffer:
    """What may be taken of a venue."""

    venue: str
    rules: MarketRules
    levels: tuple[DecimalLevel, ...]
    """Best first, none beyond the worst price allowed."""
    fee: Decimal
    """As a share of the notional."""
    most: Decimal
    """No more than this, by the share of its depth."""
    budget: Decimal
    """What may be spent there: of the quote for a buy, of the base for a sale."""

    def allowed(self, side: OrderSide) -> list[DecimalLevel]:
        """Return the levels as far as an order may go.

        A buy may cost its limit, which is its worst price, for all of it.
        """
        allowed: list[DecimalLevel] = []
        taken = ZERO
        for price, amount in self.levels:
            unit = price * (1 + self.fee) if side is OrderSide.BUY else Decimal(1)
            part = min(amount, min(self.most, self.budget / unit) - taken)
            if part > 0:
                allowed.append((price, part))
                taken += part
            if part < amount:
                break
        return allowed


@dataclass(frozen=True)
class Piece:
    """What a plan takes of a venue."""

    venue: str
    amount: Decimal
    limit: Decimal
    """The worst price that it takes there."""


def visible(levels: Sequence[DecimalLevel], side: OrderSide, worst: Decimal) -> Decimal:
    """Return how much `levels` show at `worst` or better."""
    if side is OrderSide.BUY:
        return sum((amount for price, amount in levels if price <= worst), ZERO)
    return sum((amount for price, amount in levels if price >= worst), ZERO)


def sweep(side: OrderSide, quantity: Decimal, offers: Sequence[VenueOffer]) -> list[Piece]:
    """Return the best way to take `quantity` at most, by venue."""
    shown = [(offer, offer.allowed(side)) for offer in offers]
    shown = [(offer, levels) for offer, levels in shown if levels]
    split = best_split(
        side,
        [
            Offer(
                offer.venue,
                levels,
                offer.fee * BPS,
                lot=offer.rules.lot,
                min_amount=offer.rules.min_amount,
                min_notional=offer.rules.min_notional,
            )
            for offer, levels in shown
        ],
        quantity,
    )
    return [
        Piece(offer.venue, amount, offer.rules.snap(_worst(levels, amount), side))
        for (offer, levels), amount in zip(shown, split.amounts, strict=True)
        if amount > 0
    ]


def spared(
    pieces: Sequence[Piece], remaining: Decimal, least: Decimal, rules: Mapping[str, MarketRules]
) -> list[Piece]:
    """Return a plan that leaves of `remaining` nothing, or as much as some venue takes.

    Where the plan would leave less than `least`, its last piece is made smaller by what is missing,
    if its venue still takes it.
    """
    rest = remaining - sum((piece.amount for piece in pieces), ZERO)
    if not pieces or not ZERO < rest < least:
        return list(pieces)
    *others, last = pieces
    rule = rules[last.venue]
    amount = rule.floor(last.amount - (least - rest))
    if amount < rule.least(last.limit):
        return list(pieces)
    return [*others, replace(last, amount=amount)]


def _worst(levels: Sequence[DecimalLevel], amount: Decimal) -> Decimal:
    for price, size in levels:
        amount -= size
        if amount <= 0:
            return price
    return levels[-1][0]
