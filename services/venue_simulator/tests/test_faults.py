"""What a person may write about a fault, and what of it holds when."""

from __future__ import annotations

import contextlib

import pytest
from dragonfly_common.errors import UserError
from hypothesis import given
from hypothesis import strategies as st
from venue_simulator.faults import (
    DEFAULT_SECONDS,
    FRAME_FAULTS,
    ActiveFaults,
    Fault,
    FaultKind,
    PlannedFault,
    make_fault,
    parse_planned_fault,
)

VENUES = ("binance", "kraken")


@pytest.mark.parametrize(
    ("text", "planned"),
    [
        (
            "kraken silence at=5 for=3 every=20",
            PlannedFault(Fault("kraken", FaultKind.SILENCE, None, 3.0), 5.0, 20.0),
        ),
        (
            "kraken  bad_checksum  instrument=eth-btc",
            PlannedFault(Fault("kraken", FaultKind.BAD_CHECKSUM, "ETH-BTC", None), 0.0, None),
        ),
        (
            "binance close every=2.5",
            PlannedFault(Fault("binance", FaultKind.CLOSE, None, None), 0.0, 2.5),
        ),
        (
            "binance mute at=1",
            PlannedFault(Fault("binance", FaultKind.MUTE, None, DEFAULT_SECONDS), 1.0, None),
        ),
    ],
)
def test_a_fault_is_read_as_written(text: str, planned: PlannedFault) -> None:
    assert parse_planned_fault(text, VENUES) == planned


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "write VENUE KIND"),
        ("kraken", "write VENUE KIND"),
        ("at=5 kraken", "write VENUE KIND"),
        ("mtgox close", "mtgox"),
        ("kraken earthquake", "earthquake"),
        ("kraken gap soon", "soon"),
        ("kraken gap at=", "at="),
        ("kraken gap at=soon", "at=soon"),
        ("kraken gap at=-1", "at=-1"),
        ("kraken gap for=inf", "for=inf"),
        ("kraken gap for=nan", "for=nan"),
        ("kraken gap until=3", "until=3"),
        ("kraken gap instrument=ETHBTC", "ETHBTC"),
        ("kraken silence instrument=ETH-BTC", "takes no instrument"),
        ("kraken unknown_symbol", "needs an instrument"),
        ("kraken close for=3", "takes no seconds"),
        ("kraken mute for=3 every=2", "every=2"),
        ("kraken gap every=0", "every=0"),
    ],
)
def test_a_mistake_is_named(text: str, named: str) -> None:
    with pytest.raises(UserError, match=r".") as raised:
        parse_planned_fault(text, VENUES)
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)


@given(st.text(max_size=40))
def test_no_text_is_more_than_a_mistake(text: str) -> None:
    with contextlib.suppress(UserError):
        parse_planned_fault(f"kraken gap {text}", VENUES)


def test_what_lasts_ends_as_often_as_it_began() -> None:
    faults = ActiveFaults()
    faults.begin(FaultKind.MUTE, "ETH-BTC")
    faults.begin(FaultKind.MUTE, "ETH-BTC")
    faults.end(FaultKind.MUTE, "ETH-BTC")
    assert faults.lasts(FaultKind.MUTE, "ETH-BTC")
    assert not faults.lasts(FaultKind.MUTE, "BTC-USD")
    assert not faults.lasts(FaultKind.MUTE)
    faults.end(FaultKind.MUTE, "ETH-BTC")
    assert not faults.lasts(FaultKind.MUTE, "ETH-BTC")


def test_what_befalls_the_venue_befalls_each_instrument() -> None:
    faults = ActiveFaults()
    faults.begin(FaultKind.SILENCE, None)
    assert faults.lasts(FaultKind.SILENCE)
    assert faults.lasts(FaultKind.SILENCE, "ETH-BTC")


@pytest.mark.parametrize("kind", sorted(FRAME_FAULTS))
@pytest.mark.parametrize("instrument", ["ETH-BTC", None])
def test_what_is_armed_befalls_one_frame(kind: FaultKind, instrument: str | None) -> None:
    faults = ActiveFaults()
    faults.arm(kind, instrument)
    assert faults.on_frame("ETH-BTC") == {kind}
    assert faults.on_frame("ETH-BTC") == {kind}, "not before a frame was sent"
    faults.spend({kind}, "ETH-BTC")
    assert not faults.on_frame("ETH-BTC")


def test_what_is_armed_for_one_instrument_spares_the_others() -> None:
    faults = ActiveFaults()
    faults.arm(FaultKind.GAP, "ETH-BTC")
    faults.arm(FaultKind.CROSSED, "ETH-BTC")
    assert not faults.on_frame("BTC-USD")
    assert not faults.befalls(FaultKind.CROSSED, "BTC-USD")
    assert faults.befalls(FaultKind.CROSSED, "ETH-BTC")
    assert not faults.befalls(FaultKind.CROSSED, "ETH-BTC")


def test_a_moment_has_no_seconds_and_a_state_has_some() -> None:
    assert make_fault("kraken", "reset", venues=VENUES).seconds is None
    assert make_fault("kraken", "rest_429", venues=VENUES).seconds == DEFAULT_SECONDS
    assert make_fault("kraken", "gap", venues=VENUES).seconds is None
    assert make_fault("kraken", "gap", seconds=1.5, venues=VENUES).seconds == 1.5
