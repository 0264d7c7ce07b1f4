"""What an engine may do at most, and the one function that every child passes before its intent.

Pure. All rules must pass; what is not known fails: no mid, no balance, no book is a refusal.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec
from dragonfly_common.errors import ConfigError
from dragonfly_common.types import OrderSide, is_instrument
from dragonfly_orders.messages import OrderState

from execution_engine.market import BPS, MarketRules

__all__ = [
    "RULES",
    "InstrumentLimits",
    "Intent",
    "LimitRefusal",
    "OrderFacts",
    "OrderLimits",
    "check",
    "standing",
    "worst_price",
]


class InstrumentLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one instrument, in its quote."""

    child_notional: Decimal
    parent_notional: Decimal
    day_notional: Decimal


class OrderLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of `--limits`. An instrument without a section cannot be traded."""

    instruments: dict[str, InstrumentLimits]
    orders_per_second: Decimal = Decimal(5)
    """At each venue; a venue's own allowance holds besides."""
    open_children: int = 16
    """Whose fate is open or unknown, of all orders."""
    collar_bps: Decimal = Decimal(200)
    """How far a child's limit may be from the consolidated mid."""
    depth_share: Decimal = Decimal("0.5")
    """Of what a venue shows within the limit, a child takes no more."""
    book_age_s: Decimal = Decimal(1)
    """Since the books were last known to be those of live venues; see `OrderFacts.book_age_s`."""
    error_streak: int = 5
    """After so many refusals in a row a venue is out until its account is read anew."""

    @classmethod
    def for_paper(cls) -> OrderLimits:
        """Return limits for money that is none: any instrument, any notional."""
        return cls({})

    @classmethod
    def parse(cls, text: str, name: str) -> OrderLimits:
        """Read the text of a limits file (TOML) called `name`.

        Raises:
            ConfigError: it is malformed, or a number of it is no limit.
        """
        try:
            raw = tomllib.loads(text, parse_float=Decimal)
            limits = msgspec.convert(raw, cls, strict=False)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise ConfigError(
                f"{name} is not a limits file: {error}; docs/execution.md has an example"
            ) from None
        _check_numbers(name, limits)
        return limits

    def of(self, instrument: str, *, paper: bool) -> InstrumentLimits | None:
        """Return the limits of an instrument; None where it cannot be traded."""
        found = self.instruments.get(instrument)
        return _UNLIMITED if found is None and paper and not self.instruments else found


_ENDLESS: Final = Decimal("Infinity")
_UNLIMITED: Final = InstrumentLimits(_ENDLESS, _ENDLESS, _ENDLESS)


def _check_numbers(where: str, limits: OrderLimits) -> None:
    def refuse(name: str, rule: str) -> ConfigError:
        return ConfigError(f"{where} is not a limits file: {name} must be {rule}")

    if not limits.instruments:
        raise refuse("[instruments.BASE-QUOTE]", "there: without one nothing can be traded")
    for name, one in limits.instruments.items():
        if not is_instrument(name):
            raise refuse(f"[instruments.{name}]", "named BASE-QUOTE in upper case")
        for what in one.__struct_fields__:
            if not _positive(getattr(one, what)):
                raise refuse(f"{what} of {name}", "a positive amount of the quote")
    for what in ("orders_per_second", "collar_bps", "depth_share", "book_age_s"):
        if not _positive(getattr(limits, what)):
            raise refuse(what, "a positive number")
    if limits.depth_share > 1:
        raise refuse("depth_share", "1 at most")
    if limits.open_children < 1 or limits.error_streak < 1:
        raise refuse("open_children and error_streak", "1 at least")


def _positive(number: Decimal) -> bool:
    return number.is_finite() and number > 0


@dataclass(frozen=True)
class Intent:
    """A child that is about to be journalled."""

    instrument: str
    venue: str
    side: OrderSide
    amount: Decimal
    limit: Decimal

    @property
    def notional(self) -> Decimal:
        return self.amount * self.limit


@dataclass(frozen=True)
class OrderFacts:
    """All that the rules ask for, at this moment."""

    killed: bool
    paper: bool
    parent_state: OrderState
    parent_limit: Decimal | None
    max_slippage_bps: Decimal | None
    remaining: Decimal
    """Of the parent: quantity less what is filled or reserved."""
    parent_notional: Decimal
    """Filled and reserved so far."""
    day_notional: Decimal
    open_children: int
    venue_ready: bool
    """Connected, reconciled, and not asked for patience."""
    rules: MarketRules | None
    mid: Decimal | None
    book_age_s: Decimal | None
    """Since it was last known that the venue is live and this its book, which may have rested for
    long; None: the venue is not live."""
    visible: Decimal
    """What the venue shows within the order's limit, its slippage bound and the collar."""
    balance: Decimal | None
    """Free of what the child would spend, less what others may spend; None: not known."""
    fee: Decimal | None
    """Of a taker, as a share of the notional; None: not known."""
    tokens: Decimal
    """Orders that the venue's rate allows now."""
    unknown_at_venue: int
    refused_in_a_row: int


@dataclass(frozen=True)
class LimitRefusal:
    """The rule that an intent breaks, and a sentence."""

    rule: str
    text: str


def check(intent: Intent, facts: OrderFacts, limits: OrderLimits) -> LimitRefusal | None:
    """Return the first rule that `intent` breaks; None where it may be sent."""
    return standing(intent, facts, limits) or _first(_OF_THE_ORDER, intent, facts, limits)


def standing(intent: Intent, facts: OrderFacts, limits: OrderLimits) -> LimitRefusal | None:
    """Return the first rule that is broken already, whatever the amount and price will be."""
    return _first(_STANDING, intent, facts, limits)


def worst_price(
    side: OrderSide,
    mid: Decimal,
    limit: Decimal | None,
    max_slippage_bps: Decimal | None,
    limits: OrderLimits,
) -> Decimal:
    """Return the worst price that a child may have: by the order, its slippage and the collar."""
    bounds = [_bound(side, mid, limits.collar_bps)]
    if limit is not None:
        bounds.append(limit)
    if max_slippage_bps is not None:
        bounds.append(_bound(side, mid, max_slippage_bps))
    return min(bounds) if side is OrderSide.BUY else max(bounds)


_Breach = Callable[[Intent, OrderFacts, OrderLimits], str]
"""Returns how a rule is broken; "" where it is not."""


def _first(
    rules: Mapping[str, _Breach], intent: Intent, facts: OrderFacts, limits: OrderLimits
) -> LimitRefusal | None:
    for rule, breach in rules.items():
        if text := breach(intent, facts, limits):
            return LimitRefusal(rule, f"{intent.venue} {intent.instrument}: {text}")
    return None


def _worse(side: OrderSide, price: Decimal, than: Decimal) -> bool:
    return price > than if side is OrderSide.BUY else price < than


def _bound(side: OrderSide, mid: Decimal, bps: Decimal) -> Decimal:
    """Return the worst price within `bps` of `mid`."""
    return mid * (1 + side.sign * bps / BPS)


def _kill_switch(_: Intent, facts: OrderFacts, __: OrderLimits) -> str:
    return "the kill switch is thrown" if facts.killed else ""


def _parent_state(_: Intent, facts: OrderFacts, __: OrderLimits) -> str:
    running = facts.parent_state is OrderState.RUNNING
    return "" if running else f"the order is {facts.parent_state}"


def _instrument(intent: Intent, facts: OrderFacts, limits: OrderLimits) -> str:
    known = limits.of(intent.instrument, paper=facts.paper)
    return "" if known else "the limits file does not name the instrument"


def _venue(_: Intent, facts: OrderFacts, __: OrderLimits) -> str:
    if facts.rules is None:
        return "the venue's tick and lot are not known"
    if facts.rules.halted:
        return "the venue has halted it"
    if facts.fee is None:
        return "the account's fee is not known"
    return "" if facts.venue_ready else "the venue's account is not ready"


def _amount(intent: Intent, _: OrderFacts, __: OrderLimits) -> str:
    sound = _positive(intent.amount) and _positive(intent.limit)
    return "" if sound else f"{intent.amount} at {intent.limit} is no order"


def _tick_and_lot(intent: Intent, facts: OrderFacts, _: OrderLimits) -> str:
    rules = facts.rules
    if rules is None or intent.amount % rules.lot or intent.limit % rules.tick:
        return f"{intent.amount} at {intent.limit} is not of the venue's lot and tick"
    return ""


def _minimum(intent: Intent, facts: OrderFacts, _: OrderLimits) -> str:
    rules = facts.rules
    if rules is None or intent.amount < rules.min_amount or intent.notional < rules.min_notional:
        return f"{intent.amount} at {intent.limit} is less than the venue takes"
    return ""


def _remaining(intent: Intent, facts: OrderFacts, _: OrderLimits) -> str:
    over = intent.amount > facts.remaining
    return f"{intent.amount} is more than the {facts.remaining} that remain" if over else ""


def _parent_limit(intent: Intent, facts: OrderFacts, _: OrderLimits) -> str:
    limit = facts.parent_limit
    if limit is not None and _worse(intent.side, intent.limit, limit):
        return f"{intent.limit} is worse than the order's limit {limit}"
    return ""


def _slippage(intent: Intent, facts: OrderFacts, _: OrderLimits) -> str:
    bps = facts.max_slippage_bps
    if bps is None:
        return ""
    if facts.mid is None or _worse(intent.side, intent.limit, _bound(intent.side, facts.mid, bps)):
        return f"{intent.limit} is more than {bps} bps from the mid {facts.mid}"
    return ""


def _collar(intent: Intent, facts: OrderFacts, limits: OrderLimits) -> str:
    mid, bps = facts.mid, limits.collar_bps
    if mid is None:
        return "there is no mid to hold the price against"
    if _worse(intent.side, intent.limit, _bound(intent.side, mid, bps)):
        return f"{intent.limit} is more than {bps} bps from the mid {mid}"
    return ""


def _book(_: Intent, facts: OrderFacts, limits: OrderLimits) -> str:
    age = facts.book_age_s
    if age is None:
        return "the venue's book is not live"
    return f"the venue's book is not proven for {age:.3f} s" if age > limits.book_age_s else ""


def _depth_share(intent: Intent, facts: OrderFacts, limits: OrderLimits) -> str:
    most = facts.visible * limits.depth_share
    return f"{intent.amount} is more than the share {most} of its depth" * (intent.amount > most)


def _balance(intent: Intent, facts: OrderFacts, _: OrderLimits) -> str:
    if facts.balance is None or facts.fee is None:
        return "the balance is not known"
    buys = intent.side is OrderSide.BUY
    needed = intent.notional * (1 + facts.fee) if buys else intent.amount
    return f"{needed} is needed, and {facts.balance} is free" * (needed > facts.balance)


def _child_notional(intent: Intent, facts: OrderFacts, limits: OrderLimits) -> str:
    most = limits.of(intent.instrument, paper=facts.paper)
    over = most is None or intent.notional > most.child_notional
    return f"{intent.notional} is over child_notional" if over else ""


def _parent_notional(intent: Intent, facts: OrderFacts, limits: OrderLimits) -> str:
    most = limits.of(intent.instrument, paper=facts.paper)
    total = facts.parent_notional + intent.notional
    over = most is None or total > most.parent_notional
    return f"{total} of the order would be over parent_notional" if over else ""


def _day_notional(intent: Intent, facts: OrderFacts, limits: OrderLimits) -> str:
    most = limits.of(intent.instrument, paper=facts.paper)
    total = facts.day_notional + intent.notional
    over = most is None or total > most.day_notional
    return f"{total} of the day would be over day_notional" if over else ""


def _open_children(_: Intent, facts: OrderFacts, limits: OrderLimits) -> str:
    over = facts.open_children >= limits.open_children
    return f"{facts.open_children} children are open or unknown" if over else ""


def _rate(_: Intent, facts: OrderFacts, __: OrderLimits) -> str:
    return "its rate of orders is used up" if facts.tokens < 1 else ""


def _unknown_at_venue(_: Intent, facts: OrderFacts, __: OrderLimits) -> str:
    unknown = facts.unknown_at_venue
    return f"{unknown} children are in doubt there" if unknown else ""


def _error_streak(_: Intent, facts: OrderFacts, limits: OrderLimits) -> str:
    refused = facts.refused_in_a_row
    return f"it refused {refused} in a row" if refused >= limits.error_streak else ""


_STANDING: Final[Mapping[str, _Breach]] = {
    "kill_switch": _kill_switch,
    "parent_state": _parent_state,
    "instrument": _instrument,
    "venue": _venue,
    "book": _book,
    "open_children": _open_children,
    "rate": _rate,
    "unknown_at_venue": _unknown_at_venue,
    "error_streak": _error_streak,
}
_OF_THE_ORDER: Final[Mapping[str, _Breach]] = {
    "amount": _amount,
    "tick_and_lot": _tick_and_lot,
    "minimum": _minimum,
    "remaining": _remaining,
    "parent_limit": _parent_limit,
    "slippage": _slippage,
    "collar": _collar,
    "depth_share": _depth_share,
    "balance": _balance,
    "child_notional": _child_notional,
    "parent_notional": _parent_notional,
    "day_notional": _day_notional,
}
RULES: Final = (*_STANDING, *_OF_THE_ORDER)
"""Every rule, by which refusals are counted; in the order in which they are tried."""
