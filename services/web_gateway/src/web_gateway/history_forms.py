"""What is sent as JSON of an instrument's last minutes."""

from __future__ import annotations

import msgspec

from web_gateway.forms import int_text
from web_gateway.past import Past

__all__ = ["HistoryForm", "history_form"]


class SpanForm(msgspec.Struct, frozen=True):
    """A state since `ts`, until the next one's; LOST while no gateway told of it."""

    ts: str
    state: str
    reason: str


class VenuePastForm(msgspec.Struct, frozen=True):
    """What one venue went through."""

    venue: str
    states: list[SpanForm]


class PriceAtForm(msgspec.Struct, frozen=True):
    """The best prices at a moment."""

    ts: str
    bid: float | None
    ask: float | None


class CrossingForm(msgspec.Struct, frozen=True):
    """While one venue bid more than another asked; `until` is null while it lasts.

    Prices and amount are those of its best moment, at the best level alone.
    """

    ts: str
    until: str | None
    bid_venue: str
    ask_venue: str
    bid: float
    ask: float
    amount: float


class HistoryForm(msgspec.Struct, frozen=True):
    """The last quarter of an hour of states, and five minutes of prices; kept since `since`."""

    instrument: str
    since: str
    time_out: str
    venues: list[VenuePastForm]
    prices: list[PriceAtForm]
    crossings: list[CrossingForm]
    epochs: list[str]


def history_form(instrument: str, past: Past, now: int) -> HistoryForm:
    return HistoryForm(
        instrument,
        str(past.since),
        str(now),
        [
            VenuePastForm(venue, [SpanForm(str(one.ts), one.state, one.reason) for one in spans])
            for venue, spans in past.spans.items()
        ],
        [PriceAtForm(str(one.ts), one.bid, one.ask) for one in past.prices],
        [
            CrossingForm(
                str(one.ts),
                int_text(one.until),
                one.bid_venue,
                one.ask_venue,
                one.bid,
                one.ask,
                one.amount,
            )
            for one in past.crossings
        ],
        [str(ts) for ts in past.epochs],
    )
