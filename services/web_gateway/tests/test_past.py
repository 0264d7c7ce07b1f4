"""What is kept of an instrument's last minutes: true, in order, and bounded."""

from __future__ import annotations

import itertools
from dataclasses import replace

from dragonfly_client.messages import Bbo, Level, State, VenueFeed
from hypothesis import given
from hypothesis import strategies as st
from web_gateway.past import MOST_CROSSINGS, MOST_PRICES, MOST_SPANS, NS, Past

FEED = VenueFeed("kraken", State.LIVE, "", 0, 1, None, 1, 1, None, None)
PRICES = st.one_of(st.none(), st.floats(1, 2))


def bbo(bid: float | None, ask: float | None, state: State = State.LIVE, epoch: int = 1) -> Bbo:
    def level(venue: str, price: float | None) -> Level | None:
        return None if price is None else Level(venue, price, 3.0)

    return Bbo(
        instrument="ETH-BTC",
        spread=0.0 if bid is None or ask is None else ask - bid,
        was_live=True,
        epoch=epoch,
        seq=1,
        ts_agg=1,
        ts_out=1,
        ts_in=1,
        replaced=0,
        venues=(replace(FEED, state=state, reason=state.name.lower()),),
        bid=level("kraken", bid),
        ask=level("okx", ask),
    )


@given(
    st.lists(
        st.tuples(
            st.integers(0, 20 * 60),
            st.one_of(
                st.none(),
                st.builds(bbo, PRICES, PRICES, st.sampled_from(State), st.integers(0, 3)),
            ),
        ),
        max_size=60,
    )
)
def test_it_is_in_order_and_says_each_change_once(steps: list[tuple[int, Bbo | None]]) -> None:
    past, now = Past(0), 0
    for seconds, said in steps:
        now += seconds * NS
        if said is None:
            past.lose("away", now)
        else:
            past.take(said, now)
            assert past.spans["kraken"][-1].state == said.venues[0].state.name
        for spans in past.spans.values():
            states = [one.state for one in spans]
            assert all(a != b for a, b in itertools.pairwise(states))
            assert [one.ts for one in spans] == sorted(one.ts for one in spans)
        assert all(now - 5 * 60 * NS <= one.ts <= now for one in past.prices)
        assert all(one.until is not None for one in [*past.crossings][:-1])
        assert all(one.bid > one.ask for one in past.crossings)


def test_nothing_grows_without_end() -> None:
    past = Past(0)
    for number in range(5000):
        state = State.LIVE if number % 2 else State.STALE
        past.take(bbo(2.0 if number % 3 else None, 1.0, state, number + 1), number)
    assert len(past.spans["kraken"]) == MOST_SPANS
    assert len(past.prices) == MOST_PRICES
    assert len(past.crossings) == MOST_CROSSINGS


def test_a_crossing_is_told_at_its_best_moment() -> None:
    past = Past(0)
    for now, bid in enumerate((1.5, 1.9, 1.6, 0.5)):
        past.take(bbo(bid, 1.0), now)
    (crossing,) = past.crossings
    assert (crossing.ts, crossing.until) == (0, 3)
    assert (crossing.bid, crossing.bid_venue, crossing.ask_venue) == (1.9, "kraken", "okx")
