"""Whether an order can be taken, and what is fixed of it when it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import Final

from dragonfly_common.errors import DragonflyError, InstrumentError
from dragonfly_common.types import normalise_instrument
from dragonfly_orders.messages import (
    AnswerCode,
    CommandBody,
    ImplementationShortfall,
    Liquidate,
    Participate,
    Twap,
)
from dragonfly_pricing.offers import EXACT

from execution_engine.limits import InstrumentLimits
from execution_engine.market import MarketRules
from execution_engine.rows import ParentOpened

__all__ = ["CommandRefusedError", "accept", "check_replacement", "unsound_number"]

MOST_DIGITS: Final = 28
"""Of a number in an order: what decimals are computed with."""
LONGEST_NS: Final = 30 * 86_400 * 10**9


class CommandRefusedError(DragonflyError):
    """A command that is not carried out; its sender gets the code and the sentence."""

    def __init__(self, code: AnswerCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def accept(
    order: Liquidate,
    order_id: str,
    owner: str,
    *,
    rules: Mapping[str, MarketRules | None],
    limits: InstrumentLimits | None,
    mid: Decimal | None,
    now_ns: int,
) -> ParentOpened:
    """Return the order as it is taken.

    Args:
        order: what is asked for.
        order_id: its id.
        owner: whose it is.
        rules: of each venue that the engine trades at: what it asks of an order of the instrument;
            None where it is not known, or the venue does not list it.
        limits: of the instrument; None where it cannot be traded.
        mid: of the consolidated book, where it is live.
        now_ns: the time.

    Raises:
        CommandRefusedError: it cannot be taken.
    """
    with localcontext(EXACT):  # a quotient of what a customer sends may have many digits
        return _accepted(order, order_id, owner, rules, limits, mid, now_ns)


def unsound_number(body: CommandBody) -> str:
    """Return which number of a command is none, or endless; "" where all are numbers.

    Such a one cannot even be compared: nothing else may look at it before.
    """
    fields = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return next((n for n, one in fields if isinstance(one, Decimal) and not one.is_finite()), "")


def check_replacement(
    quantity: Decimal, limit: Decimal | None, *, most: Decimal, least: Decimal, lot: Decimal
) -> None:
    """Refuse what cannot be an order's quantity and limit from now on.

    Args:
        quantity: in the base, a multiple of `lot`.
        limit: in the quote.
        most: the quantity so far.
        least: what of it is filled, or at a venue now.
        lot: of the order.

    Raises:
        CommandRefusedError: it cannot be carried out.
    """
    _check_number("quantity", quantity)
    _check_number("limit", limit)
    if not least <= quantity <= most:
        raise CommandRefusedError(
            AnswerCode.OUT_OF_RANGE,
            f"{quantity} cannot be the quantity: from {least}, what is filled or at a venue now,"
            f" to {most} is possible",
        )
    _check_lot(quantity, lot)


def _accepted(
    order: Liquidate,
    order_id: str,
    owner: str,
    rules: Mapping[str, MarketRules | None],
    limits: InstrumentLimits | None,
    mid: Decimal | None,
    now_ns: int,
) -> ParentOpened:
    _check_instrument(order)
    for name in ("quantity", "limit", "max_slippage_bps", "min_child", "max_child"):
        _check_number(name, getattr(order, name))
    _check_algorithm(order, now_ns)
    if limits is None:
        raise CommandRefusedError(
            AnswerCode.RESOURCE_EXHAUSTED,
            f"{order.instrument} is not in the limits file: it cannot be traded",
        )
    strangers = [venue for venue in order.venues if venue not in rules]
    if strangers:
        raise CommandRefusedError(
            AnswerCode.INVALID,
            f"{strangers[0][:40]!r} is no venue of this engine: choose of {', '.join(rules)}",
        )
    usable = {
        venue: one
        for venue, one in rules.items()
        if one is not None and venue in (order.venues or rules)
    }
    if not usable:
        raise CommandRefusedError(
            AnswerCode.FAILED_PRECONDITION,
            f"no venue is known so far to list {order.instrument} with its tick and lot, of "
            f"{', '.join(order.venues or rules) or 'none that are there'}: try again when the "
            "lists are there",
        )
    lot = min(one.lot for one in usable.values())
    _check_lot(order.quantity, lot)
    price = order.limit or mid
    least = min(
        one.least(price) if price else max(one.min_amount, one.lot) for one in usable.values()
    )
    if order.quantity < least:
        raise CommandRefusedError(
            AnswerCode.OUT_OF_RANGE, f"{order.quantity} is less than any venue takes ({least})"
        )
    if order.max_child is not None and order.max_child < least:
        raise CommandRefusedError(
            AnswerCode.OUT_OF_RANGE,
            f"max_child {order.max_child} is less than any venue takes ({least})",
        )
    if price and order.quantity * price > limits.parent_notional:
        raise CommandRefusedError(
            AnswerCode.RESOURCE_EXHAUSTED,
            f"{order.quantity} at {price} is over the limit parent_notional"
            f" ({limits.parent_notional})",
        )
    return ParentOpened(order_id, owner, order, now_ns, lot, least, mid)


def _check_lot(quantity: Decimal, lot: Decimal) -> None:
    with localcontext(EXACT):
        if quantity % lot:
            raise CommandRefusedError(
                AnswerCode.OUT_OF_RANGE, f"{quantity} is not a multiple of the lot {lot}"
            )


def _check_instrument(order: Liquidate) -> None:
    try:
        normal = normalise_instrument(order.instrument)
    except InstrumentError as error:
        raise CommandRefusedError(AnswerCode.INVALID, str(error)) from None
    if normal != order.instrument:
        raise CommandRefusedError(
            AnswerCode.INVALID, f"{order.instrument!r} is written {normal}: write it so"
        )


def _check_number(name: str, number: Decimal | None) -> None:
    if number is None:
        return
    if number <= 0:
        raise CommandRefusedError(AnswerCode.INVALID, f"{name} must be a positive number")
    if len(number.as_tuple().digits) > MOST_DIGITS or abs(number.adjusted()) > MOST_DIGITS:
        raise CommandRefusedError(
            AnswerCode.INVALID, f"{name} has more digits than are computed with ({MOST_DIGITS})"
        )


def _check_algorithm(order: Liquidate, now_ns: int) -> None:
    algorithm = order.algorithm
    if isinstance(algorithm, Participate):
        raise CommandRefusedError(
            AnswerCode.FAILED_PRECONDITION,
            "pov needs the traded volume, and no listener follows trades: use twap or is",
        )
    if isinstance(algorithm, Twap | ImplementationShortfall):
        start_ns = max(algorithm.start_ns, now_ns)
        if algorithm.end_ns <= start_ns:
            raise CommandRefusedError(AnswerCode.INVALID, "the end must be after now and the start")
        if algorithm.end_ns - now_ns > LONGEST_NS:
            raise CommandRefusedError(AnswerCode.INVALID, "the end must be within 30 days")
    if order.min_child and order.max_child and order.min_child > order.max_child:
        raise CommandRefusedError(AnswerCode.INVALID, "min_child is more than max_child")
