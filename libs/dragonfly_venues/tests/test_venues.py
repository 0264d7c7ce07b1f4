"""The registry, and what every venue owes the layers above."""

from __future__ import annotations

import json

import pytest
from dragonfly_common.errors import UserError
from dragonfly_venues.events import FrameError
from dragonfly_venues.registry import VENUES, find_venue
from dragonfly_venues.venue import Venue

EVERY_VENUE = pytest.mark.parametrize("venue", VENUES.values(), ids=VENUES.keys())


def test_a_venue_is_found_in_any_case() -> None:
    assert find_venue(" Kraken ").name == "kraken"


def test_an_unknown_venue_is_told_with_those_known() -> None:
    with pytest.raises(UserError, match=r"'mtgox' is not .*: choose binance, bitstamp, kraken"):
        find_venue("mtgox")


@EVERY_VENUE
def test_a_base_address_may_end_in_a_slash_or_a_path(venue: Venue) -> None:
    real, simulated = venue.connect_url(venue.ws_url), venue.connect_url("ws://host:1/venue")
    assert real.startswith(venue.ws_url)
    assert simulated == "ws://host:1/venue" + real.removeprefix(venue.ws_url)


@EVERY_VENUE
def test_no_frame_asks_for_more_symbols_than_the_venue_takes(venue: Venue) -> None:
    symbols = [f"AAA{n}/USD" for n in range(3 * venue.limits.symbols_per_request // 2)]
    for ask in (venue.subscribe, venue.unsubscribe):
        frames = ask(symbols, 7, 10)
        assert all(0 < frame.count("AAA") <= venue.limits.symbols_per_request for frame in frames)
        assert sum(frame.count("AAA") for frame in frames) == len(symbols)


@EVERY_VENUE
def test_every_frame_sent_is_small_json(venue: Venue) -> None:
    symbols = ["x" * 20] * venue.limits.symbols_per_request
    probe = venue.probe(3)
    probes = [probe] if probe else []
    for frame in [*venue.greeting, *venue.subscribe(symbols, 1, 20), *probes]:
        assert json.loads(frame)
        assert len(frame.encode()) < 4096


@EVERY_VENUE
def test_silence_is_asked_about_before_it_means_anything(venue: Venue) -> None:
    liveness = venue.liveness
    assert liveness.probe_after_s < liveness.stale_after_s < liveness.reconnect_after_s
    assert liveness.stale_after_s == 3.0


@EVERY_VENUE
@pytest.mark.parametrize("reply", [b"", b"<html>", b"[1]", b'{"symbols":[{}]}', b"\xff", b"null"])
def test_what_is_no_instrument_list_is_refused(venue: Venue, reply: bytes) -> None:
    if venue.name == "kraken" and reply == b'{"symbols":[{}]}':
        assert venue.parse_instruments(reply) is None  # any object can be a frame before the list
        return
    with pytest.raises(FrameError) as caught:
        venue.parse_instruments(reply)
    assert caught.value.reason == "not_instruments"
