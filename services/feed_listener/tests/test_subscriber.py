from __future__ import annotations

import json

import msgspec
from dragonfly_venues.events import Acked, RequestRefused
from dragonfly_venues.venue import SeedRequest
from fake_venue import CALM, LIMITS, FakeVenue
from feed_listener.connection.subscriber import REFUSED_RETRY_S, VenueSubscriber
from hypothesis import given
from hypothesis import strategies as st

NOW = 1000.0
IMPATIENT = msgspec.structs.replace(CALM, ack_timeout_s=2.0, first_book_timeout_s=5.0)


def subscriber(**limits: float) -> VenueSubscriber:
    replaced = msgspec.structs.replace(LIMITS, **limits)
    return VenueSubscriber(FakeVenue(limits=replaced, liveness=IMPATIENT), depth=10)


def requests(asked: VenueSubscriber, now: float) -> list[tuple[str, list[str]]]:
    """Return (operation, symbols) of what it sends at `now`."""
    frames = map(json.loads, asked.turn(now).frames)
    return [(frame["op"], frame["symbols"]) for frame in frames]


def flowing(*symbols: str) -> VenueSubscriber:
    made = subscriber()
    made.want(symbols, NOW)
    made.turn(NOW)
    made.acked(Acked(1), NOW)
    for symbol in symbols:
        assert made.booked(symbol, NOW)
    return made


def test_what_is_wanted_is_asked_for_in_one_request() -> None:
    asked = subscriber()
    asked.want(["a", "b"], NOW)
    assert requests(asked, NOW) == [("sub", ["a", "b"])]
    assert requests(asked, NOW) == []


def test_requests_hold_no_more_symbols_than_the_venue_takes() -> None:
    asked = subscriber(symbols_per_request=2)
    asked.want(["a", "b", "c"], NOW)
    assert requests(asked, NOW) == [("sub", ["a", "b"])]
    asked.acked(Acked(1), NOW)
    assert requests(asked, NOW + 1) == [("sub", ["c"])]


def test_no_hour_has_more_subscriptions_than_the_venue_allows() -> None:
    hourly = 8
    asked = subscriber(symbols_per_request=1, subscriptions_per_hour=hourly)
    symbols = [f"s{number}" for number in range(30)]
    asked.want(symbols, NOW)
    sent: list[float] = []
    now = NOW
    while len(sent) < len(symbols):
        now += asked.due_in(now)
        for frame in map(json.loads, asked.turn(now).frames):
            sent.append(now)
            asked.acked(Acked(frame["id"]), now)
    assert sent[hourly // 2 - 1] - NOW < 1.0 < sent[hourly // 2] - NOW
    for begin in sent:
        assert sum(begin <= at < begin + 3600.0 for at in sent) <= hourly


def test_each_frame_of_a_request_counts_against_the_hour() -> None:
    venue = FakeVenue(limits=msgspec.structs.replace(LIMITS, subscriptions_per_hour=4))
    venue.requests = lambda ask: [json.dumps({"id": n}) for n in range(len(ask.symbols))]
    asked = VenueSubscriber(venue, depth=10)
    asked.want(["a", "b"], NOW)
    assert len(asked.turn(NOW).frames) == 1
    assert len(asked.turn(NOW + 0.01).frames) == 1
    asked.acked(Acked(1), NOW + 0.02)
    asked.want(["c"], NOW + 0.02)
    assert asked.turn(NOW + 0.02).frames == []


def test_requests_keep_the_venues_pace() -> None:
    asked = subscriber(symbols_per_request=1, requests_per_second=2.0)
    asked.want(["a", "b"], NOW)
    assert len(requests(asked, NOW)) == 1
    asked.acked(Acked(1), NOW + 0.1)
    assert requests(asked, NOW + 0.1) == []
    assert round(asked.due_in(NOW + 0.1), 6) == 0.4
    assert len(requests(asked, NOW + 0.5)) == 1


def test_frames_that_the_session_sends_count_too() -> None:
    asked = subscriber(requests_per_second=2.0)
    asked.spend(NOW)
    asked.want(["a"], NOW)
    assert requests(asked, NOW) == []
    assert requests(asked, NOW + 0.5) == [("sub", ["a"])]


def test_a_late_acknowledgement_is_asked_for_again() -> None:
    asked = subscriber()
    asked.want(["a"], NOW)
    asked.turn(NOW)
    assert asked.due_in(NOW) == 2.0
    turn = asked.turn(NOW + 2.0)
    assert turn.unacknowledged == ["a"]
    # It may be subscribed all the same, and a venue refuses to do so twice: it is left first.
    assert len(turn.frames) == 1
    assert asked.acked(Acked(1), NOW + 2.1) == []
    assert asked.refused(RequestRefused(2, (), "not subscribed"), NOW + 2.1) == []
    assert requests(asked, NOW + 2.1) == [("sub", ["a"])]
    assert asked.acked(Acked(3), NOW + 2.2) == ["a"]


def test_an_acknowledgement_of_one_symbol_leaves_the_others_waiting() -> None:
    asked = subscriber()
    asked.want(["a", "b"], NOW)
    asked.turn(NOW)
    assert asked.acked(Acked(None, ("b",)), NOW) == ["b"]
    assert asked.turn(NOW + 2.0).unacknowledged == ["a"]


def test_a_list_of_all_that_is_subscribed_answers_either_request() -> None:
    asked = subscriber()
    asked.want(["a", "b"], NOW)
    asked.turn(NOW)
    assert asked.acked(Acked(None, ("b", "x"), complete=True), NOW) == ["b"]
    assert asked.acked(Acked(None, ("a", "b"), complete=True), NOW) == ["a"]
    asked.unwant(["a"], NOW)
    assert requests(asked, NOW + 1.0) == [("unsub", ["a"])]
    asked.want(["a"], NOW + 1.0)
    asked.acked(Acked(None, ("a", "b"), complete=True), NOW + 1.0)
    assert requests(asked, NOW + 2.0) == [], "it stands in the list: it was not left yet"
    asked.acked(Acked(None, ("b",), complete=True), NOW + 2.0)
    assert requests(asked, NOW + 2.0) == [("sub", ["a"])]


def test_a_book_before_its_acknowledgement_is_as_good() -> None:
    asked = subscriber()
    asked.want(["a"], NOW)
    asked.turn(NOW)
    assert asked.booked("a", NOW)
    assert asked.settled
    assert asked.turn(NOW + 60.0).unacknowledged == []


def test_a_first_book_that_stays_out_is_asked_for_anew() -> None:
    asked = subscriber()
    asked.want(["a"], NOW)
    asked.turn(NOW)
    asked.acked(Acked(1), NOW + 1.0)
    assert not asked.settled
    assert asked.due_in(NOW + 1.0) == 5.0
    turn = asked.turn(NOW + 6.0)
    assert turn.bookless == ["a"]
    assert [json.loads(frame)["op"] for frame in turn.frames] == ["unsub"]
    asked.acked(Acked(2), NOW + 6.1)
    assert requests(asked, NOW + 6.2) == [("sub", ["a"])]


def test_a_broken_book_is_left_and_asked_for_alone() -> None:
    asked = flowing("a", "b")
    assert asked.resync("a", NOW + 1.0)
    assert not asked.resync("a", NOW + 1.0)
    assert requests(asked, NOW + 1.0) == [("unsub", ["a"])]
    assert not asked.booked("a", NOW + 1.05)
    asked.acked(Acked(2), NOW + 1.1)
    assert requests(asked, NOW + 1.2) == [("sub", ["a"])]
    assert asked.booked("a", NOW + 1.3)


def test_a_book_that_breaks_again_and_again_is_asked_for_patiently() -> None:
    asked, now = flowing("a"), NOW
    waits = []
    for _ in range(10):
        now += 1.0
        broken_at = now
        asked.resync("a", now)
        asked.turn(now)
        asked.acked(Acked(None), now)
        now += asked.due_in(now)
        assert requests(asked, now) == [("sub", ["a"])]
        asked.acked(Acked(None), now)
        asked.booked("a", now)
        waits.append(round(now - broken_at, 2))
    assert waits[:5] == [0.0, 0.25, 0.5, 1.0, 2.0]
    assert waits[-1] == 5.0
    asked.resync("a", now + 100.0)
    asked.turn(now + 100.0)
    asked.acked(Acked(None), now + 100.0)
    assert requests(asked, now + 100.1) == [("sub", ["a"])]


def test_what_is_no_longer_wanted_is_left() -> None:
    asked = flowing("a", "b")
    asked.unwant(["a"], NOW)
    assert asked.wanted == ["b"]
    assert requests(asked, NOW + 1.0) == [("unsub", ["a"])]
    asked.acked(Acked(2), NOW + 1.1)
    assert asked.turn(NOW + 1.2).frames == []
    assert not asked.booked("a", NOW + 1.3)


def test_what_was_never_asked_for_is_not_left() -> None:
    asked = subscriber()
    asked.want(["a"], NOW)
    asked.unwant(["a", "never"], NOW)
    assert requests(asked, NOW) == []


def test_wanted_again_while_leaving_is_asked_for_again() -> None:
    asked = flowing("a")
    asked.unwant(["a"], NOW)
    asked.turn(NOW + 0.5)
    asked.want(["a"], NOW)
    asked.acked(Acked(2), NOW + 0.6)
    assert requests(asked, NOW + 1.0) == [("sub", ["a"])]


def test_left_before_it_was_acknowledged() -> None:
    asked = subscriber()
    asked.want(["a"], NOW)
    asked.turn(NOW)
    asked.unwant(["a"], NOW)
    assert asked.acked(Acked(1), NOW + 0.5) == []
    assert requests(asked, NOW + 1.0) == [("unsub", ["a"])]


def test_a_refused_symbol_rests_and_is_asked_for_later() -> None:
    asked = subscriber()
    asked.want(["a", "b"], NOW)
    asked.turn(NOW)
    assert asked.refused(RequestRefused(1, ("a",), "not supported"), NOW) == ["a"]
    asked.acked(Acked(1, ("b",)), NOW)
    asked.booked("b", NOW)
    assert asked.settled
    assert requests(asked, NOW + 1.0) == []
    assert requests(asked, NOW + REFUSED_RETRY_S) == [("sub", ["a"])]


def test_a_batch_refused_as_a_whole_is_asked_for_one_by_one() -> None:
    asked = subscriber()
    asked.want(["a", "bad"], NOW)
    asked.turn(NOW)
    assert asked.refused(RequestRefused(None, (), "invalid request"), NOW) == []
    assert requests(asked, NOW + 1.0) == [("sub", ["a"])]
    asked.acked(Acked(2), NOW + 1.1)
    asked.booked("a", NOW + 1.1)
    assert requests(asked, NOW + 1.2) == [("sub", ["bad"])]
    assert asked.refused(RequestRefused(3, (), "invalid request"), NOW + 1.3) == ["bad"]


def test_a_refused_farewell_is_a_farewell() -> None:
    asked = flowing("a")
    asked.resync("a", NOW)
    asked.turn(NOW + 0.5)
    assert asked.refused(RequestRefused(None, (), "not subscribed"), NOW) == []
    assert requests(asked, NOW + 1.0) == [("sub", ["a"])]


def test_answers_to_nothing_mean_nothing() -> None:
    asked = subscriber()
    assert asked.acked(Acked(7, ("a",)), NOW) == []
    assert asked.refused(RequestRefused(7, ("a",), "?"), NOW) == []
    asked.want(["a"], NOW)
    asked.turn(NOW)
    assert asked.acked(Acked(None, ("other",)), NOW) == []
    assert asked.refused(RequestRefused(99, (), "?"), NOW) == []


NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.one_of(
    st.tuples(st.just("want"), NAMES),
    st.tuples(st.just("unwant"), NAMES),
    st.tuples(st.just("resync"), NAMES),
    st.tuples(st.just("lose"), NAMES),
    st.tuples(st.just("refuse"), NAMES),
)


@given(st.lists(STEPS, max_size=40))
def test_the_venue_ends_up_with_exactly_what_is_wanted(steps: list[tuple[str, str]]) -> None:
    """Whatever happens, and whatever answers get lost, time brings both to agree."""
    asked = subscriber(symbols_per_request=3, requests_per_second=10.0)
    wanted: set[str] = set()
    subscribed: set[str] = set()
    now, losing, refusing = NOW, False, False

    def talk() -> None:
        nonlocal losing, refusing
        for text in asked.turn(now).frames:
            frame = json.loads(text)
            if losing:
                losing = False
                continue
            if frame["op"] == "sub":
                if refusing:
                    refusing = False
                    asked.refused(RequestRefused(frame["id"], (), "no"), now)
                    continue
                subscribed.update(frame["symbols"])
            else:
                subscribed.difference_update(frame["symbols"])
            asked.acked(Acked(frame["id"]), now)
            for symbol in frame["symbols"] if frame["op"] == "sub" else ():
                asked.booked(symbol, now)

    for step, name in steps:
        match step:
            case "want":
                wanted.add(name)
                asked.want([name], now)
            case "unwant":
                wanted.discard(name)
                asked.unwant([name], now)
            case "resync":
                asked.resync(name, now)
            case "lose":
                losing = True
            case "refuse":
                refusing = True
        now += 0.05
        talk()
    losing = refusing = False
    for _ in range(200):
        now += min(asked.due_in(now), 100.0) + 0.01
        talk()
    assert set(asked.wanted) == wanted
    assert subscribed == wanted
    assert asked.settled


def test_an_unsubscription_that_nobody_acknowledges_holds_up_nothing() -> None:
    asked = flowing("a")
    asked.unwant(["a"], NOW)
    assert requests(asked, NOW + 1.0) == [("unsub", ["a"])]
    asked.want(["b"], NOW + 1.0)
    assert requests(asked, NOW + 1.0) == []
    assert requests(asked, NOW + 31.0) == [("sub", ["b"])]
    asked.acked(Acked(3), NOW + 31.0)
    asked.booked("b", NOW + 31.0)
    assert requests(asked, NOW + 32.0) == []
    assert requests(asked, NOW + 100.0) == [("unsub", ["a"])]


def seeded_by_request(*symbols: str, per_second: float = 1000.0) -> VenueSubscriber:
    venue = FakeVenue(limits=msgspec.structs.replace(LIMITS, requests_per_second=per_second))
    venue.seed_request = SeedRequest(
        write=lambda symbol, number: json.dumps({"op": "seed", "symbols": [symbol], "id": number}),
        after_s=1.0,
    )
    asked = VenueSubscriber(venue, depth=10)
    asked.want(symbols, NOW)
    assert requests(asked, NOW) == [("sub", list(symbols))]
    assert asked.acked(Acked(1), NOW) == list(symbols)
    return asked


def test_a_book_is_asked_for_a_while_after_the_acknowledgement_until_it_comes() -> None:
    asked = seeded_by_request("a")
    assert asked.due_in(NOW) == 1.0
    assert requests(asked, NOW + 0.9) == []
    assert requests(asked, NOW + 1.0) == [("seed", ["a"])]
    assert requests(asked, NOW + 1.9) == []
    assert requests(asked, NOW + 2.0) == [("seed", ["a"])]
    assert asked.booked("a", NOW + 2.1)
    assert requests(asked, NOW + 9.0) == []


def test_books_are_asked_for_at_the_venues_pace_in_turn() -> None:
    asked = seeded_by_request("a", "b", "c", per_second=2.0)
    now = NOW
    sent: list[tuple[float, list[str]]] = []
    while len(sent) < 5:
        now += asked.due_in(now)
        sent += [(now - NOW, symbols) for _, symbols in requests(asked, now)]
    assert [symbols for _, symbols in sent] == [["a"], ["b"], ["c"], ["a"], ["b"]]
    assert [round(at, 6) for at, _ in sent] == [1.0, 1.5, 2.0, 2.5, 3.0]


def test_a_broken_book_is_asked_for_only_once_it_is_subscribed_again() -> None:
    asked = seeded_by_request("a")
    asked.turn(NOW + 1.0)
    assert asked.booked("a", NOW + 1.1)
    assert asked.resync("a", NOW + 2.0)
    assert requests(asked, NOW + 2.0) == [("unsub", ["a"])]
    assert requests(asked, NOW + 4.0) == []
    asked.acked(Acked(3), NOW + 4.0)
    assert requests(asked, NOW + 4.0) == [("sub", ["a"])]
    asked.acked(Acked(4), NOW + 4.1)
    assert requests(asked, NOW + 5.0) == []
    assert requests(asked, NOW + 5.2) == [("seed", ["a"])]


def named() -> VenueSubscriber:
    """Return a subscriber of a venue that ends subscriptions by what it called them."""
    venue = FakeVenue(liveness=IMPATIENT)
    venue.ends_by_handle = True
    venue.requests = lambda ask: [
        json.dumps({"op": "sub", "symbols": [symbol]})
        if ask.subscribe
        else json.dumps({"op": "unsub", "symbols": [symbol, ask.handles[symbol]]})
        for symbol in ask.symbols
    ]
    return VenueSubscriber(venue, depth=10)


def acked_as(asked: VenueSubscriber, name: str, handle: int, now: float) -> list[str]:
    return asked.acked(Acked(None, (name,), handle=handle), now)


def test_a_subscription_is_ended_by_what_its_acknowledgement_called_it() -> None:
    asked = named()
    asked.want(["a", "b"], NOW)
    assert [*requests(asked, NOW), *requests(asked, NOW + 1)] == [("sub", ["a"]), ("sub", ["b"])]
    assert [*acked_as(asked, "b", 8, NOW), *acked_as(asked, "a", 7, NOW)] == ["b", "a"]
    assert asked.booked("a", NOW)
    assert asked.resync("a", NOW)
    assert requests(asked, NOW + 2) == [("unsub", ["a", 7])]
    asked.acked(Acked(None, ("a",), subscribed=False), NOW + 2)
    assert requests(asked, NOW + 3) == [("sub", ["a"])]
    acked_as(asked, "a", 9, NOW + 3)
    asked.unwant(["a", "b"], NOW + 3)
    assert [*requests(asked, NOW + 4), *requests(asked, NOW + 5)] == [
        ("unsub", ["a", 9]),
        ("unsub", ["b", 8]),
    ]


def test_what_was_never_acknowledged_cannot_be_ended_and_is_asked_for_anew() -> None:
    asked = named()
    asked.want(["a"], NOW)
    assert requests(asked, NOW) == [("sub", ["a"])]
    turn = asked.turn(NOW + 2)
    assert turn.unacknowledged == ["a"]
    assert [json.loads(frame)["op"] for frame in turn.frames] == ["sub"]
    # The venue had subscribed it, and says so after it refused to do so twice.
    assert asked.refused(RequestRefused(None, ("a",), "dup"), NOW + 2) == ["a"]
    assert acked_as(asked, "a", 7, NOW + 3) == []
    assert asked.booked("a", NOW + 3)
    asked.unwant(["a"], NOW + 3)
    assert requests(asked, NOW + 4) == [("unsub", ["a", 7])]


def test_a_refusal_that_names_another_symbol_concerns_no_request() -> None:
    asked = named()
    asked.want(["a"], NOW)
    requests(asked, NOW)
    assert asked.refused(RequestRefused(None, ("b",), "dup"), NOW) == []
    assert acked_as(asked, "a", 7, NOW) == ["a"]


def test_what_an_acknowledgement_leaves_out_is_left_of_the_request() -> None:
    asked = subscriber()
    asked.want(["a", "b", "c"], NOW)
    asked.turn(NOW)
    assert asked.acked(Acked(1, ("b",), others="unknown"), NOW) == ["b"]
    assert asked.left_of(1) == ("a", "c")
    assert asked.left_of(2) == asked.left_of(None) == ()
    assert asked.acked(Acked(1, (), others="unknown"), NOW) == []
    assert asked.refused(RequestRefused(1, ("a", "c"), "unknown"), NOW) == ["a", "c"]
    assert asked.left_of(1) == ()


def test_who_was_refused_is_asked_for_again_at_once_where_that_may_help() -> None:
    asked = subscriber()
    asked.want(["a"], NOW)
    asked.turn(NOW)
    assert asked.refused(RequestRefused(1, ("a",), "not open now"), NOW) == ["a"]
    assert requests(asked, NOW + 1.0) == []
    asked.ask_again(["a", "b"], NOW + 1.0)
    assert asked.due_in(NOW + 1.0) == 0.0
    assert requests(asked, NOW + 1.0) == [("sub", ["a"])]


def test_where_the_end_of_a_subscription_is_not_answered_it_is_over_when_it_is_said() -> None:
    venue = FakeVenue(liveness=IMPATIENT)
    venue.ends_answered = False
    asked = VenueSubscriber(venue, depth=10)
    asked.want(["a", "b"], NOW)
    asked.turn(NOW)
    asked.acked(Acked(1), NOW)
    assert asked.booked("a", NOW)
    assert asked.resync("a", NOW)
    asked.unwant(["b"], NOW)
    assert requests(asked, NOW + 1) == [("unsub", ["a", "b"])]
    assert asked.wanted == ["a"]
    assert requests(asked, NOW + 2) == [("sub", ["a"])]
    asked.acked(Acked(3), NOW + 2)
    assert asked.booked("a", NOW + 2)
    assert asked.settled
