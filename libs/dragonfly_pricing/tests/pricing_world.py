"""Random offers for the tests of prices, and what an order costs by other means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    localcontext,
)
from fractions import Fraction

from dragonfly_common.types import OrderSide
from dragonfly_pricing.offers import Offer, to_decimal
from dragonfly_pricing.walking import Execution, Fill
from hypothesis import strategies as st

SIDES = st.sampled_from(OrderSide)
FEES = st.sampled_from(["0", "-1", "7.5", "10", "26", "30"]).map(Decimal)


@st.composite
def offers_of(
    draw: st.DrawFn, side: OrderSide, *, most: int = 4, ruled: bool = False, fees: bool = True
) -> list[Offer]:
    """Draw venues whose levels lie close together, so that equal prices are common.

    With `ruled` they have lots, and perhaps least orders; a level is of whole lots or not.
    """
    offers = []
    for name in range(draw(st.integers(1, most))):
        ticks = sorted(draw(st.sets(st.integers(9_980, 10_020), max_size=5)))
        if side is OrderSide.SELL:
            ticks.reverse()
        amounts = [draw(st.integers(1, 40)) / 10 for _ in ticks]
        lot = draw(st.sampled_from(["0.1", "0.2", "0.5", "1"])) if ruled else None
        offers.append(
            Offer(
                f"venue{name}",
                [(tick / 100, amount) for tick, amount in zip(ticks, amounts, strict=True)],
                draw(FEES) if fees else Decimal(0),
                lot=None if lot is None else Decimal(lot),
                min_amount=draw(st.sampled_from([None, Decimal(2)])) if ruled else None,
                min_notional=draw(st.sampled_from([None, Decimal(150)])) if ruled else None,
            )
        )
    return offers


@st.composite
def orders(draw: st.DrawFn) -> tuple[OrderSide, list[Offer], list[Decimal], bool, Decimal | None]:
    """Draw (side, offers, sizes, in_quote, mid) of numbers of all lengths, with lots and any fee.

    Sizes that end with a level are common.
    """
    scales = st.sampled_from([1.0, 0.1, 1e-7, 1 / 3, 12345.678])
    fees = st.sampled_from(["0", "-100", "-1", "0.001", "7.5", "26", "1000"]).map(Decimal)
    side, by_price, by_amount = draw(SIDES), draw(scales), draw(scales)
    lotless = draw(st.booleans())
    offers = [
        offer._replace(
            levels=[(float(p) * by_price, float(a) * by_amount) for p, a in offer.levels],
            fee_bps=draw(fees),
            lot=None if lotless or offer.lot is None else offer.lot * to_decimal(by_amount),
        )
        for offer in draw(offers_of(side, ruled=True))
    ]
    in_quote = draw(st.booleans())
    unit = to_decimal(by_amount) / 10 * (to_decimal(100 * by_price) if in_quote else 1)
    tenths = st.one_of(st.integers(1, 400).map(Decimal), st.decimals("0.001", 400))
    sizes = [unit * size for size in draw(st.lists(tenths, min_size=1, max_size=6))]
    mid = draw(st.sampled_from([None, "100", "99.9905", "1e-9"]))
    return side, offers, sizes, in_quote, None if mid is None else Decimal(mid)


def worth(side: OrderSide, offer: Offer, amount: Fraction) -> Fraction | None:
    """Return the money with fees that `amount` of one offer costs or brings; None if too deep."""
    fee = Fraction(offer.fee_bps) / 10_000
    factor = 1 + fee if side is OrderSide.BUY else 1 - fee
    money = Fraction(0)
    for price, size in offer.levels:
        part = min(Fraction(to_decimal(size)), amount)
        money += part * Fraction(to_decimal(price)) * factor
        amount -= part
        if not amount:
            return money
    return None if amount else money


def sorted_walk(
    side: OrderSide, offers: Sequence[Offer], size: Fraction
) -> tuple[Fraction, Fraction]:
    """Return (filled, money) of the order of net prices, in fractions."""
    levels = []
    for offer in offers:
        fee = Fraction(offer.fee_bps) / 10_000
        for price, size_there in offer.levels:
            net = Fraction(to_decimal(price)) * (1 + fee if side is OrderSide.BUY else 1 - fee)
            levels.append((side.sign * net, Fraction(to_decimal(size_there))))
    filled = money = Fraction(0)
    for key, amount in sorted(levels):
        part = min(amount, size - filled)
        filled += part
        money += part * abs(key)
    return filled, money


def defined(
    side: OrderSide,
    offers: Sequence[Offer],
    size: Decimal,
    *,
    in_quote: bool = False,
    mid: Decimal | None = None,
) -> Execution:
    """Return what one size costs as docs/executable-price.md defines it, in plain decimals.

    All levels are sorted and gone through for this size alone: what `walk` answers has to be this,
    digit for digit.
    """
    buys = side is OrderSide.BUY
    against = ROUND_CEILING if buys else ROUND_FLOOR
    with localcontext(Context(prec=200, rounding=ROUND_HALF_EVEN)):
        levels = []
        for at, offer in enumerate(offers):
            shown = offered = Decimal(0)
            for price, amount in offer.levels:
                exact = Decimal(str(price))
                shown += Decimal(str(amount))
                before, offered = offered, shown
                if offer.lot is not None:
                    offered = shown // offer.lot * offer.lot
                net = exact + side.sign * exact * offer.fee_bps / 10_000
                levels.append((side.sign * net, before - offered, at, exact))
        taken: list[list[tuple[Decimal, Decimal]]] = [[] for _ in offers]
        levels_left = [len(list(offer.levels)) for offer in offers]
        left = size
        for key, less, at, price in sorted(levels):
            worth = abs(key) if in_quote else Decimal(1)
            part = min(left, -less * worth)
            amount = part / worth
            if in_quote and part == left:
                step = offers[at].lot or Decimal("1e-8")
                amount = min(amount // step * step, -less)
            left -= part
            levels_left[at] -= amount == -less
            taken[at].append((price, amount))
            if not left:
                break

        def total(numbers: Iterable[Decimal]) -> Decimal:
            return sum(numbers, Decimal(0))

        def rounded(number: Decimal, rounding: str) -> Decimal:
            return Context(prec=12, rounding=rounding).plus(number)

        used = [at for at, parts in enumerate(taken) if any(amount for _, amount in parts)]
        if not used:
            nothing = Decimal(0)
            return Execution(size, False, nothing, nothing, None, None, None, nothing, None, ())
        gross = [total(price * amount for price, amount in taken[at]) for at in used]
        amounts = [total(amount for _, amount in taken[at]) for at in used]
        fees = [money * offers[at].fee_bps / 10_000 for at, money in zip(used, gross, strict=True)]
        fee_total = rounded(total(fees), ROUND_CEILING)
        shares = [fee.quantize(fee_total, ROUND_DOWN) for fee in fees[:-1]]
        shares.append(fee_total - total(shares))
        filled = total(amounts)
        money = total(gross) + side.sign * total(fees)
        worst = [[price for price, amount in taken[at] if amount][-1] for at in used]
        return Execution(
            size=size,
            complete=not left,
            filled=filled,
            money=rounded(money, against),
            gross_avg=rounded(total(gross) / filled, against),
            net_avg=rounded(money / filled, against),
            worst=max(worst) if buys else min(worst),
            fee_total=fee_total,
            cost_bps=None
            if mid is None
            else (side.sign * (money / filled - mid) / mid * 10_000).quantize(
                Decimal("0.0001"), ROUND_CEILING
            ),
            fills=tuple(
                Fill(
                    offers[at].venue,
                    offers[at].instrument,
                    amount,
                    rounded(value / amount, against),
                    last,
                    share,
                    offers[at].fee_bps,
                    not levels_left[at],
                )
                for at, amount, value, last, share in zip(
                    used, amounts, gross, worst, shares, strict=True
                )
            ),
        )
