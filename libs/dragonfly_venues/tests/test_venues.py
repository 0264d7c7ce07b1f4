"""The registry, and what every venue owes the layers above."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import pytest
from dragonfly_common.errors import UserError
from dragonfly_venues import registry
from dragonfly_venues.events import FrameError
from dragonfly_venues.registry import find_order_entry, find_venue, venue_names
from dragonfly_venues.venue import Ask, Venue

EVERY_VENUE = pytest.mark.parametrize("venue", [*map(find_venue, venue_names())], ids=venue_names())


def test_a_venue_is_found_in_any_case() -> None:
    assert find_venue(" Kraken ").name == "kraken"


def test_an_unknown_venue_is_told_with_those_known() -> None:
    with pytest.raises(UserError, match=f"'mtgox' is not .*: choose {', '.join(venue_names())}$"):
        find_venue("mtgox")


@EVERY_VENUE
def test_a_base_address_may_end_in_a_slash_or_a_path(venue: Venue) -> None:
    real, simulated = venue.connect_url(venue.ws_url), venue.connect_url("ws://host:1/venue")
    assert real.startswith(venue.ws_url)
    assert simulated == "ws://host:1/venue" + real.removeprefix(venue.ws_url)


@EVERY_VENUE
def test_no_frame_asks_for_more_symbols_than_the_venue_takes(venue: Venue) -> None:
    symbols = [f"AAA{n}/USD" for n in range(3 * venue.limits.symbols_per_request // 2)]
    symbols = symbols[: venue.limits.symbols_per_request]
    handles = {symbol: n for n, symbol in enumerate(symbols)}
    for subscribe in (True, False):
        frames = venue.requests(
            Ask(symbols=symbols, request_id=7, depth=10, subscribe=subscribe, handles=handles)
        )
        if venue.ends_by_handle and not subscribe:
            assert len(frames) == len(symbols)
            continue
        assert all(0 < frame.count("AAA") <= venue.limits.symbols_per_request for frame in frames)
        assert all(sum(symbol in frame for frame in frames) == 1 for symbol in symbols)


@EVERY_VENUE
def test_every_frame_sent_is_small_json(venue: Venue) -> None:
    symbols = ["x" * 20] * venue.limits.symbols_per_request
    asked = venue.requests(Ask(symbols=symbols, request_id=1, depth=20))
    own = [write(3) for write in (venue.probe, venue.keepalive) if write is not None]
    for frame in [*venue.greeting, *asked, *own]:
        assert frame == "ping" or json.loads(frame)
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
        assert venue.instruments.parse(reply) is None  # any object can be a frame before the list
        return
    with pytest.raises(FrameError) as caught:
        venue.instruments.parse(reply)
    assert caught.value.reason == "not_instruments"


def test_a_package_that_is_broken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("lighthouse", "lighthouse:Lighthouse", registry.ENTRY_POINT)
    monkeypatch.setattr(registry, "venue_names", lambda: ("lighthouse",))
    monkeypatch.setattr(registry, "entry_points", lambda **_: [broken])
    with pytest.raises(UserError, match=r"'lighthouse' \(lighthouse:Lighthouse\) cannot be loaded"):
        find_venue("lighthouse")


def test_where_no_orders_can_be_placed_says_where_they_can() -> None:
    with pytest.raises(UserError, match="'lighthouse' is not a venue at which orders can be"):
        find_order_entry("lighthouse")
