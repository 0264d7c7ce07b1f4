"""A desk: when it may be used, how often, and the switch of a dead man."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal

from dragonfly_venues.orders import AccountState
from engine_rig import RecordingVenue
from execution_engine.desks import LONGEST_QUERY_S, Desk, Doubt


def known(desk: Desk) -> Desk:
    desk.connected = desk.open_orders_known = True
    desk.take_account(AccountState({"BTC": Decimal(1)}, {"ETHBTC": Decimal("0.001")}))
    return desk


def ask(desk: Desk, now: float) -> None:
    desk.ask_what_is_due(now, lambda symbol: (f"last-{symbol}", 7))


def test_it_is_used_when_all_of_it_is_known_and_no_patience_is_asked() -> None:
    desk = known(Desk(RecordingVenue("kraken")))
    assert desk.is_ready(0.0)
    desk.quiet_until = 5.0
    assert (desk.is_ready(4.9), desk.is_ready(5.0)) == (False, True)
    desk.trades_missing.add("ETHBTC")
    assert not desk.is_ready(5.0)
    desk.trades_missing.clear()
    desk.lost()
    assert not desk.is_ready(5.0)
    desk.connected = desk.open_orders_known = True
    assert not desk.is_ready(5.0)  # what it had before the line broke is not what it has


def test_a_fee_is_the_symbols_the_accounts_or_not_known() -> None:
    desk = known(Desk(RecordingVenue("kraken")))
    assert (desk.fee("ETHBTC"), desk.fee("BTCUSD")) == (Decimal("0.001"), None)
    desk.take_account(AccountState({}, {"": Decimal("0.002")}))
    assert desk.fee("BTCUSD") == Decimal("0.002")


def test_the_bucket_holds_a_second_of_orders_and_fills_with_time() -> None:
    desk = Desk(RecordingVenue("kraken"))
    assert desk.tokens(10.0, 4.0) == 4
    for _ in range(4):
        desk.spend_token()
    assert desk.tokens(10.0, 4.0) == 0
    assert desk.tokens(10.25, 4.0) == 1
    assert desk.tokens(99.0, 4.0) == 4


def test_a_rate_below_one_a_second_still_lets_one_through() -> None:
    desk = Desk(RecordingVenue("kraken"))
    assert desk.tokens(0.0, 0.1) == 1
    desk.spend_token()
    assert desk.tokens(5.0, 0.1) == Decimal("0.5")
    assert desk.tokens(10.0, 0.1) == 1


def test_the_dead_mans_switch_is_armed_three_times_in_its_time_while_connected() -> None:
    venue = RecordingVenue("kraken")
    venue.dead_man_s = 60.0
    desk = Desk(venue)
    ask(desk, 0.0)
    assert venue.armed == 0
    desk.connected = True
    for now in range(61):
        ask(desk, float(now))
    assert venue.armed == 4  # at 0, 20, 40 and 60
    desk.lost()
    ask(desk, 90.0)
    assert venue.armed == 4


def test_a_venue_without_the_switch_is_never_asked_for_it() -> None:
    desk = known(Desk(venue := RecordingVenue("binance")))
    for now in range(100):
        ask(desk, float(now))
    assert venue.armed == 0


def test_what_is_missing_is_asked_for_again_and_what_is_known_seldom() -> None:
    venue = RecordingVenue("kraken")
    desk = Desk(venue)
    desk.connected, desk.trades_missing = True, {"ETHBTC"}
    for now in (0.0, 1.9, 2.0):
        ask(desk, now)
    assert venue.accounts_asked == 2
    assert venue.trades_asked == [("ETHBTC", "last-ETHBTC")] * 2
    desk.trades_missing.clear()
    known(desk)
    for now in (4.0, 13.9, 14.0):
        ask(desk, now)
    assert venue.accounts_asked == 4
    desk.quiet_until = math.inf
    ask(desk, 99.0)
    assert venue.accounts_asked == 4


def test_a_doubt_is_asked_about_ever_less_often() -> None:
    doubt, asked = Doubt(0.0, 0.0), []
    for _ in range(8):
        asked.append(doubt.next_query)
        doubt.asked(doubt.next_query, late=False)
    pauses = [after - before for before, after in itertools.pairwise(asked)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.25, LONGEST_QUERY_S)
