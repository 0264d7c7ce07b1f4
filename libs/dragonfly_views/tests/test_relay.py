from __future__ import annotations

from dragonfly_common.arbitration import HOLD_S, RECOUNT_S
from dragonfly_common.messages import EncodedView
from dragonfly_common.topics import ViewKind
from dragonfly_protos import market_data_pb2 as pb
from dragonfly_views.mailbox import Mailbox
from dragonfly_views.relay import (
    RELIST_S,
    UNHEARD_LIMIT_S,
    Reader,
    Relay,
    ViewKey,
)
from hypothesis import given
from hypothesis import strategies as st
from view_world import make_book

ETH = ViewKey(ViewKind.BOOK, "ETH-BTC")
LTC = ViewKey(ViewKind.BOOK, "LTC-BTC")
LINGER_S = 5.0
NOW_NS = 1_000


class Asked:
    """Stands for the bus: what is asked for at the moment."""

    def __init__(self) -> None:
        self.prefixes: list[str] = []

    def subscribe(self, prefix: str) -> None:
        self.prefixes.append(prefix)

    def unsubscribe(self, prefix: str) -> None:
        self.prefixes.remove(prefix)


def make_relay(*always: ViewKey) -> tuple[Relay, Asked]:
    asked = Asked()
    return Relay(asked, LINGER_S, always), asked


def make_reader() -> Reader:
    return Mailbox(lambda: None)


def view(text: bytes, *, live: bool = True) -> EncodedView:
    return EncodedView(live, 10, text)


def taken(reader: Reader) -> list[bytes]:
    return [mail.state.at(10, NOW_NS) for mail in iter(reader.take, None)]


def test_a_view_goes_to_those_who_joined_it_only() -> None:
    relay, _ = make_relay()
    eth, both = make_reader(), make_reader()
    relay.join(eth, ETH, 0)
    relay.join(both, ETH, 0)
    relay.join(both, LTC, 0)
    relay.on_view("a", 1, LTC, view(b"ltc"), 0.0)
    relay.on_view("a", 1, ETH, view(b"eth"), 0.0)
    assert taken(eth) == [b"eth"]
    assert taken(both) == [b"ltc", b"eth"]


def test_who_joins_later_gets_the_present_state_at_once() -> None:
    relay, _ = make_relay(ETH)
    relay.on_view("a", 1, ETH, view(b"old"), 0.0)
    relay.on_view("a", 1, ETH, view(b"new"), 0.0)
    reader = make_reader()
    relay.join(reader, ETH, 0)
    assert taken(reader) == [b"new"]


def test_interest_is_shared_and_lingers() -> None:
    relay, asked = make_relay()
    one, two = make_reader(), make_reader()
    relay.join(one, ETH, 0)
    relay.join(two, ETH, 0)
    assert asked.prefixes == ["view.book.ETH-BTC."]
    relay.leave(one, ETH, 10)
    relay.evaluate(100, NOW_NS, ())
    assert asked.prefixes == ["view.book.ETH-BTC."]
    relay.leave(two, ETH, 100)
    relay.evaluate(100 + LINGER_S - 0.1, NOW_NS, ())
    assert asked.prefixes == ["view.book.ETH-BTC."]
    relay.evaluate(100 + LINGER_S, NOW_NS, ())
    assert asked.prefixes == []


def test_who_comes_back_within_the_linger_finds_the_present_state() -> None:
    relay, asked = make_relay()
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.leave(reader, ETH, 1)
    relay.on_view("a", 1, ETH, view(b"eth"), 0.0)
    relay.join(reader, ETH, 2)
    relay.evaluate(100, NOW_NS, ())
    assert taken(reader) == [b"eth"]
    assert asked.prefixes == ["view.book.ETH-BTC."]


def test_configured_views_are_asked_for_at_once_and_for_good() -> None:
    relay, asked = make_relay(ETH)
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.leave(reader, ETH, 0)
    relay.evaluate(1000, NOW_NS, ())
    assert asked.prefixes == ["view.book.ETH-BTC."]


def test_leaving_takes_what_waited_along() -> None:
    relay, _ = make_relay()
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.on_view("a", 1, ETH, view(b"eth"), 0.0)
    relay.leave(reader, ETH, 0)
    relay.leave(reader, ETH, 0)
    relay.leave(reader, LTC, 0)
    assert taken(reader) == []


def test_a_view_that_nobody_asked_for_is_not_kept() -> None:
    relay, _ = make_relay()
    relay.on_view("a", 1, ETH, view(b"unasked"), 0.0)
    reader = make_reader()
    relay.join(reader, ETH, 0)
    assert taken(reader) == []


def test_one_aggregator_speaks_at_a_time() -> None:
    relay, _ = make_relay(ETH)
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.on_view("new", 2, ETH, view(b"new 1"), 0.0)
    relay.on_view("old", 1, ETH, view(b"old 1"), 0.0)
    relay.on_view("new", 2, ETH, view(b"new 2"), 0.0)
    assert taken(reader) == [b"new 2"]
    relay.on_view("old", 1, ETH, view(b"old 2"), 0.0)
    assert taken(reader) == []


def test_an_aggregator_with_live_data_is_preferred() -> None:
    relay, _ = make_relay(ETH)
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.on_view("old", 1, ETH, view(b"old live"), 0.0)
    relay.on_view("new", 2, ETH, view(b"new dead", live=False), 0.0)
    assert taken(reader) == [b"old live"]
    relay.on_view("old", 1, ETH, view(b"old dead", live=False), 0.0)
    assert taken(reader) == [b"new dead"]


def test_when_the_speaker_is_lost_the_next_best_is_shown_at_once() -> None:
    relay, _ = make_relay(ETH)
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.on_view("old", 1, ETH, view(b"old"), 0.0)
    relay.on_view("new", 2, ETH, view(b"new"), 0.0)
    taken(reader)
    relay.on_lost("old", "silent", 0.0, NOW_NS)
    assert taken(reader) == [b"new"]


def test_losing_one_that_does_not_speak_shows_nothing() -> None:
    relay, _ = make_relay(ETH)
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.on_view("new", 2, ETH, view(b"new"), 0.0)
    relay.on_view("old", 1, ETH, view(b"old"), 0.0)
    taken(reader)
    relay.on_lost("old", "silent", 0.0, NOW_NS)
    relay.on_lost("nobody", "silent", 0.0, NOW_NS)
    assert taken(reader) == []


def test_when_all_are_lost_the_gateway_says_so_to_those_there_and_those_who_join() -> None:
    relay, _ = make_relay(ETH)
    there, later = make_reader(), make_reader()
    relay.join(there, ETH, 0)
    relay.on_view("a", 1, ETH, view(make_book().SerializeToString()), 0.0)
    taken(there)
    relay.on_lost("a", "silent", 0.0, NOW_NS)
    relay.join(later, ETH, 0)
    for reader in (there, later):
        mail = reader.take()
        assert mail is not None
        assert not mail.state.from_aggregator
        book = pb.Book.FromString(mail.state.at(1, NOW_NS))
        assert (book.live, book.epoch, len(book.bids)) == (False, 0, 0)
        assert book.venues[0].reason == "aggregator lost: silent"


def test_an_aggregator_that_comes_back_is_shown() -> None:
    relay, _ = make_relay(ETH)
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.on_view("a", 1, ETH, view(b"before"), 0.0)
    relay.on_lost("a", "silent", 0.0, NOW_NS)
    taken(reader)
    relay.on_view("a", 1, ETH, view(b"before"), 0.0)
    assert taken(reader) == [b"before"]


def test_an_answer_that_stays_out_is_told_once() -> None:
    relay, _ = make_relay()
    reader = make_reader()
    relay.join(reader, ETH, 10)
    relay.evaluate(10 + UNHEARD_LIMIT_S / 2, NOW_NS, ["kraken"])
    assert taken(reader) == []
    relay.evaluate(10 + UNHEARD_LIMIT_S, NOW_NS, ["kraken"])
    (body,) = taken(reader)
    assert [(feed.venue, feed.reason) for feed in pb.Book.FromString(body).venues] == [
        ("kraken", "no aggregator answers")
    ]
    relay.evaluate(100, NOW_NS, ["kraken"])
    assert taken(reader) == []
    relay.on_view("a", 1, ETH, view(b"at last"), 0.0)
    assert taken(reader) == [b"at last"]


def test_an_answer_in_time_is_not_followed_by_a_complaint() -> None:
    relay, _ = make_relay()
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.on_view("a", 1, ETH, view(b"eth"), 0.0)
    taken(reader)
    relay.evaluate(100, NOW_NS, ())
    assert taken(reader) == []


def test_a_view_dropped_before_any_answer_is_no_longer_waited_for() -> None:
    relay, asked = make_relay()
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.leave(reader, ETH, 0)
    relay.evaluate(100, NOW_NS, ())
    relay.evaluate(200, NOW_NS, ())
    assert asked.prefixes == []
    assert taken(reader) == []


def ahead(**heads: int) -> EncodedView:
    """Return a live view in which each named venue is as far as that."""
    feeds = [
        pb.VenueFeed(venue=venue, state=pb.STATE_LIVE, venue_seq=seq)
        for venue, seq in heads.items()
    ]
    return view(pb.Book(venues=feeds).SerializeToString())


def two_speakers(first: EncodedView, second: EncodedView) -> tuple[Relay, Reader]:
    """Return a relay that shows `first`, of "a", while "b" says `second`."""
    relay, _ = make_relay(ETH)
    reader = make_reader()
    relay.join(reader, ETH, 0)
    relay.on_view("a", 2, ETH, first, 0.0)
    assert taken(reader) == [first.body]
    relay.on_view("b", 1, ETH, second, 0.0)
    return relay, reader


def test_another_aggregator_is_shown_where_it_is_ahead() -> None:
    first, second = ahead(kraken=5, binance=5), ahead(kraken=5, binance=6)
    relay, reader = two_speakers(first, second)
    assert taken(reader) == [second.body]
    relay.on_view("a", 2, ETH, ahead(kraken=5, binance=6), 0.0)
    assert taken(reader) == []
    further = ahead(kraken=6, binance=6)
    relay.on_view("a", 2, ETH, further, 0.0)
    assert taken(reader) == [further.body]


def test_another_aggregator_is_not_shown_where_a_venue_is_behind_or_out() -> None:
    for second in (ahead(kraken=4, binance=9), ahead(binance=9)):
        _, reader = two_speakers(ahead(kraken=5, binance=5), second)
        assert taken(reader) == []


def test_a_venue_that_the_speaker_alone_has_lost_is_shown_of_another_at_once() -> None:
    both = ahead(kraken=5, binance=5)
    relay, reader = two_speakers(both, both)
    relay.on_view("a", 2, ETH, ahead(kraken=5), 0.0)
    assert taken(reader) == [both.body]
    relay.on_view("b", 1, ETH, ahead(kraken=6, binance=5), 0.0)
    assert taken(reader) == [ahead(kraken=6, binance=5).body]


def test_a_venue_that_another_has_only_as_it_was_before_is_left_out() -> None:
    relay, reader = two_speakers(ahead(kraken=5, binance=5), ahead(kraken=5, binance=4))
    without, without_still = ahead(kraken=5), ahead(kraken=6)
    relay.on_view("a", 2, ETH, without, 0.0)
    assert taken(reader) == [without.body]
    relay.on_view("a", 2, ETH, without_still, 0.1)
    assert taken(reader) == [without_still.body]
    relay.on_view("b", 1, ETH, ahead(kraken=6, binance=4), 0.2)
    assert taken(reader) == []
    with_it = ahead(kraken=6, binance=5)
    relay.on_view("b", 1, ETH, with_it, 0.3)
    assert taken(reader) == [with_it.body]


def test_a_venue_that_left_long_ago_counts_anew() -> None:
    relay, reader = two_speakers(ahead(kraken=5, binance=5), ahead(kraken=5))
    relay.on_view("a", 2, ETH, ahead(kraken=5), 0.0)
    taken(reader)
    anew = ahead(kraken=5, binance=1)
    relay.on_view("b", 1, ETH, anew, RECOUNT_S - 0.1)
    assert taken(reader) == []
    relay.on_view("b", 1, ETH, anew, RECOUNT_S)
    assert taken(reader) == [anew.body]


def test_what_stood_stands_until_the_successor_has_caught_up() -> None:
    relay, reader = two_speakers(ahead(kraken=5), ahead(kraken=4))
    relay.on_gone("a", ETH, 0.0, NOW_NS)
    relay.on_view("b", 1, ETH, ahead(kraken=4), 0.1)
    relay.evaluate(0.1, NOW_NS, ())
    assert taken(reader) == []
    caught_up = ahead(kraken=5)
    relay.on_view("b", 1, ETH, caught_up, 0.2)
    assert taken(reader) == [caught_up.body]
    behind = ahead(kraken=3)  # alone now, it is believed whatever it says
    relay.on_view("b", 1, ETH, behind, 0.3)
    assert taken(reader) == [behind.body]


def test_a_successor_that_is_behind_is_shown_when_it_has_caught_up() -> None:
    relay, reader = two_speakers(ahead(kraken=5), ahead(kraken=3))
    relay.on_lost("a", "silent", 0.0, NOW_NS)
    relay.evaluate(HOLD_S - 0.01, NOW_NS, ())
    assert taken(reader) == []
    relay.evaluate(HOLD_S, NOW_NS, ())
    (nothing,) = taken(reader)
    assert not pb.Book.FromString(nothing).live
    relay.on_view("b", 1, ETH, ahead(kraken=4), 1.0)
    relay.evaluate(1.0, NOW_NS, ())
    assert taken(reader) == []
    relay.on_view("b", 1, ETH, caught_up := ahead(kraken=5), 2.0)
    assert taken(reader) == [caught_up.body]


def test_a_successor_that_stays_behind_counts_anew() -> None:
    relay, reader = two_speakers(ahead(kraken=5), behind := ahead(kraken=3))
    relay.on_lost("a", "silent", 0.0, NOW_NS)
    relay.evaluate(HOLD_S, NOW_NS, ())
    relay.evaluate(RECOUNT_S, NOW_NS, ())
    assert taken(reader)[-1] == behind.body


def test_a_successor_that_lacks_a_venue_is_not_behind() -> None:
    relay, reader = two_speakers(ahead(kraken=5, binance=5), lacks := ahead(kraken=5))
    relay.on_lost("a", "silent", 0.0, NOW_NS)
    relay.evaluate(HOLD_S, NOW_NS, ())
    assert taken(reader) == [lacks.body]


def test_nothing_stands_for_a_successor_that_is_not_live() -> None:
    out = view(b"", live=False)
    relay, reader = two_speakers(ahead(kraken=5), out)
    relay.on_lost("a", "silent", 0.0, NOW_NS)
    assert taken(reader) == [out.body]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["says", "says", "says", "dead", "gone", "lost", "pause"]),
        st.sampled_from("abc"),
        st.integers(0, 2),
    ),
    max_size=25,
)


@given(STEPS)
def test_whatever_happened_the_newest_word_of_those_who_are_there_is_shown(
    steps: list[tuple[str, str, int]],
) -> None:
    relay, _ = make_relay(ETH)
    reader = make_reader()
    relay.join(reader, ETH, 0)
    speaking: set[str] = set()
    for number, (event, name, lag) in enumerate(steps, start=3):
        now = number * HOLD_S / 10
        if event == "says":
            relay.on_view(name, 1, ETH, ahead(kraken=number - lag, binance=number - lag), now)
        elif event == "dead":
            relay.on_view(name, 1, ETH, view(b"", live=False), now)
        elif event == "gone":
            relay.on_gone(name, ETH, now, NOW_NS)
        elif event == "lost":
            relay.on_lost(name, "silent", now, NOW_NS)
        if event in {"says", "dead"}:
            speaking.add(name)
        elif event != "pause":
            speaking.discard(name)
        relay.evaluate(now, NOW_NS, ())
    end = (len(steps) + 10) * HOLD_S
    newest = ahead(kraken=99, binance=99)
    for name in speaking:
        relay.on_view(name, 1, ETH, newest, end)
    relay.evaluate(end + HOLD_S, NOW_NS, ())
    shown = taken(reader)
    assert not speaking or shown[-1] == newest.body


def test_a_wish_for_new_lists_goes_upstream_once_and_lingers() -> None:
    relay, asked = make_relay()
    for at in range(1000):
        relay.relist(at / 1000)
    assert asked.prefixes == ["relist."]
    relay.evaluate(0.9 + RELIST_S, NOW_NS, ())
    assert asked.prefixes == ["relist."]
    relay.evaluate(1.0 + RELIST_S, NOW_NS, ())
    assert asked.prefixes == []
    relay.relist(200.0)
    assert asked.prefixes == ["relist."]
