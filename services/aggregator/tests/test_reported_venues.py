from __future__ import annotations

from aggregator.reported_venues import ReportedVenues
from dragonfly_common.messages import VenueStatus
from dragonfly_common.types import FeedState


def kraken(listener: str, state: FeedState = FeedState.LIVE, instruments: int = 2) -> VenueStatus:
    return VenueStatus("kraken", state, "", listener, 1, instruments, instruments)


def test_the_replicas_of_a_listener_are_told_as_one() -> None:
    statuses = ReportedVenues()
    statuses.on_venue("b", kraken("b", FeedState.SYNCING))
    assert not statuses.is_live()
    statuses.on_venue("a", kraken("a"))
    told = statuses.of("kraken")
    assert (told.state, told.listener, told.connections) == (FeedState.LIVE, "a, b", 2)
    assert statuses.is_live()


def test_a_venue_is_down_when_its_last_listener_is_lost_until_one_speaks() -> None:
    statuses = ReportedVenues()
    for name in ("a", "b"):
        statuses.on_venue(name, kraken(name))
    assert statuses.on_lost("c", "silent", 4) == []
    assert statuses.on_lost("a", "silent", 5) == ["kraken"]
    assert statuses.of("kraken") == kraken("b")
    assert statuses.on_lost("b", "closed", 6) == ["kraken"]
    assert statuses.of("kraken") == VenueStatus("kraken", FeedState.DOWN, "closed", "b", 0, 0, 0, 6)
    assert (list(statuses.venues), statuses.is_live()) == (["kraken"], False)
    statuses.on_venue("a", kraken("a"))
    assert statuses.of("kraken") == kraken("a")
