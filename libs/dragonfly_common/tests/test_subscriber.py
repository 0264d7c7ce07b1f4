"""Subscribers hand on news and losses, whatever is lost, damaged, repeated or stopped."""

from __future__ import annotations

import select
import tracemalloc
from collections.abc import Callable
from functools import partial

import pytest
import zmq
from bus_world import Ear, World, count, open_sockets, say
from dragonfly_common.bus import Delivery, Subscriber, zmq_sockets
from dragonfly_common.clock import Clock, ManualClock, SystemClock
from dragonfly_common.errors import AddressError
from dragonfly_common.messages import Heartbeat
from dragonfly_common.topics import heartbeat_topic
from patience import PATIENCE_S


def _counted_at_least(metric: str, number: float) -> bool:
    return count(metric) >= number


def _some_time_ago(clock: Clock, seconds: float) -> int:
    return clock.now_ns() - round(seconds * 1e9)


def _last_is(ear: Ear, topic: str, number: int) -> bool:
    return ear.last(topic) == number


def arrived(ear: Ear) -> bool:
    """Wait until something is in a socket, and leave it there."""
    return bool(select.select([ear.subscriber], [], [], PATIENCE_S)[0])


def deliveries_after_a_loss(events: list[object]) -> list[object]:
    last_loss = max(index for index, event in enumerate(events) if not isinstance(event, Delivery))
    return events[last_loss + 1 :]


# What is news


def test_of_what_waits_only_the_newest_of_each_topic_is_handed_on(world: World) -> None:
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=[""])
    world.joined(peer, "")
    before = count("dropped", reason="replaced")
    for seq in range(1, 6):
        peer.send("a.", seq, say(seq))
        peer.send("b.", seq, say(10 * seq))
    # One look at the socket may come before all of it arrived; none hands on more than the newest.
    world.until(lambda: ear.last("a.") == 5 and ear.last("b.") == 50)
    handed = len(ear.heard())
    assert handed + count("dropped", reason="replaced") - before == 10
    assert ear.heard("a.") == sorted(ear.heard("a."))


def test_a_delivery_says_who_when_and_which(world: World) -> None:
    clock = ManualClock(5_000)
    voice = world.voice(name="listener.kraken", clock=clock)
    clock.advance(1e-6)
    voice.publisher.publish("a.", say(1))
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(ear.events.__len__)
    assert ear.events == [Delivery("a.", "listener.kraken", 5_000, 1, 6_000, say(1))]


def test_duplicates_are_counted_and_not_handed_on(world: World) -> None:
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."])
    world.joined(peer, "a.")
    before = count("dropped", reason="duplicate")
    for seq in (4, 4, 2, 4, 5):
        peer.send("a.", seq, say(seq))
    world.until(lambda: ear.last("a.") == 5)
    assert sorted({*ear.heard()}) in ([4, 5], [5])
    assert count("dropped", reason="duplicate") - before == 3


def test_losses_are_counted_one_by_one(world: World) -> None:
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."])
    world.joined(peer, "a.")
    before = count("gaps")
    for seq in (1, 2, 5, 9):
        peer.send("a.", seq, say(seq))
    world.until(lambda: ear.last("a.") == 9)
    assert count("gaps") - before == 2 + 3


# Who speaks


def test_another_epoch_on_a_connection_is_refused_and_counted(world: World) -> None:
    peer = world.hand_made(epoch=5)
    ear = world.ear(peer.address, prefixes=["a."])
    world.joined(peer, "a.")
    before = (count("dropped", reason="old_epoch"), count("dropped", reason="new_epoch"))
    peer.send("a.", 1, say(1))
    peer.send("a.", 8, say(2), epoch=4)
    peer.send("a.", 9, say(3), epoch=6)
    peer.send("a.", 2, say(4))
    world.until(lambda: ear.last("a.") == 4)
    assert {2, 3}.isdisjoint(ear.heard())
    after = (count("dropped", reason="old_epoch"), count("dropped", reason="new_epoch"))
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


def test_another_publisher_on_a_connection_is_refused_and_counted(world: World) -> None:
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."])
    world.joined(peer, "a.")
    before = count("dropped", reason="foreign_publisher")
    peer.send("a.", 1, say(1))
    peer.send("a.", 2, say(2), name="q")
    peer.send(heartbeat_topic("q"), 1, Heartbeat({}, bye=True), name="q")
    peer.send("a.", 2, say(3))
    world.until(lambda: ear.last("a.") == 3)
    assert 2 not in ear.heard()
    assert ear.losses == []
    assert count("dropped", reason="foreign_publisher") - before == 2


def test_a_restart_is_a_loss_and_then_the_new_epoch(world: World) -> None:
    voice = world.voice()
    voice.publisher.publish("a.", say(1))
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(ear.heard)
    again = world.restarted(voice)
    again.publisher.publish("a.", say(2))
    world.until(lambda: ear.last("a.") == 2)
    # Which of the two is seen first is a matter of microseconds.
    assert ear.losses in ([("p", "bye")], [("p", "disconnected")])
    assert again.publisher.epoch > voice.publisher.epoch


def test_two_publishers_speak_of_the_same_topic(world: World) -> None:
    one, two = world.voice(name="one"), world.voice(name="two")
    ear = world.ear(one.publisher.address, two.publisher.address, prefixes=["a."])
    one.publisher.publish("a.", say(1))
    two.publisher.publish("a.", say(2))
    world.until(lambda: sorted(ear.heard()) == [1, 2])
    assert {event.publisher for event in ear.events} == {"one", "two"}
    world.close(one)
    world.until(lambda: ear.losses)
    two.publisher.publish("a.", say(3))
    world.until(lambda: ear.last("a.") == 3)
    assert [publisher for publisher, _ in ear.losses] == ["one"]


def test_a_name_is_its_newest_process_s_wherever_it_speaks(world: World) -> None:
    """Two processes of one name: the older is refused from the moment the newer is heard."""
    old, new = world.hand_made(epoch=1), world.hand_made(epoch=2)
    ear = world.ear(old.address, new.address, prefixes=["a."])
    world.joined(old, "a.")
    old.send("a.", 1, say(1))
    world.until(lambda: ear.heard() == [1])
    world.joined(new, "a.")
    new.send("a.", 1, say(2))
    world.until(lambda: ear.last("a.") == 2)
    assert ear.losses == [("p", "superseded")]
    before = count("dropped", reason="old_epoch")
    world.until(lambda: old.asked.count(b"\x01a.") == 2)  # on its fresh socket
    old.send("a.", 2, say(3))
    world.until(lambda: count("dropped", reason="old_epoch") > before)
    new.send("a.", 2, say(4))
    world.until(lambda: ear.last("a.") == 4)
    assert 3 not in ear.heard()
    assert len(ear.losses) == 1


def test_one_process_at_two_addresses_is_heard_once(world: World) -> None:
    here, there = world.hand_made(epoch=5), world.hand_made(epoch=5)
    ear = world.ear(here.address, there.address, prefixes=["a."])
    world.joined(here, "a.")
    world.joined(there, "a.")
    here.send("a.", 1, say(1))
    world.until(lambda: ear.heard() == [1])
    before = count("dropped", reason="foreign_publisher")
    there.send("a.", 2, say(2))
    world.until(lambda: count("dropped", reason="foreign_publisher") > before)
    assert ear.heard() == [1]


def test_an_older_process_may_speak_when_the_newer_is_long_gone(world: World) -> None:
    """A clock that was set back before a restart must not silence a publisher for ever."""
    clock = ManualClock()
    new = world.hand_made(epoch=9)
    ear = world.ear(new.address, prefixes=["a."], clock=clock)
    world.joined(new, "a.")
    new.send("a.", 1, say(1))
    new.beat(1, {"a.": 1})
    new.send("a.", 2, say(2))
    world.until(lambda: ear.last("a.") == 2)
    clock.advance(1.0)
    world.until(lambda: ear.losses == [("p", "silent")])
    world.until(lambda: new.asked.count(b"\x01a.") == 2)  # a socket that never was connected stays
    world.close(new)
    world.until(lambda: open_sockets(ear.subscriber) == 0)
    clock.advance(0.5)
    old = world.hand_made(new.address, epoch=3)
    world.joined(old, "a.")
    before = count("dropped", reason="old_epoch")
    old.send("a.", 1, say(3))
    world.until(lambda: count("dropped", reason="old_epoch") > before)
    old.asked.clear()
    clock.advance(9.0)  # the name was held for ten seconds after the beat
    old.beat(1)
    # What it said while it was refused is asked for again.
    world.until(lambda: b"\x01a." in old.asked)
    old.send("a.", 1, say(4))
    world.until(lambda: ear.last("a.") == 4)
    assert 3 not in ear.heard()


def test_what_was_refused_is_asked_for_when_its_process_is_believed(world: World) -> None:
    clock = ManualClock()
    here, there = world.hand_made(epoch=5), world.hand_made(epoch=5)
    ear = world.ear(here.address, there.address, prefixes=["a."], clock=clock)
    world.joined(here, "a.")
    world.joined(there, "a.")
    here.send("a.", 1, say(1))
    world.until(lambda: ear.heard() == [1])
    before = count("dropped", reason="foreign_publisher")
    there.send("a.", 1, say(1))
    world.until(lambda: count("dropped", reason="foreign_publisher") > before)
    there.asked.clear()
    world.close(here)
    world.until(lambda: ear.losses)
    there.beat(1)
    world.until(lambda: there.asked == [b"\x01a."])
    there.send("a.", 1, say(1))
    world.until(lambda: ear.heard() == [1, 1])


# What was lost


def test_a_loss_before_a_quiet_spell_is_found_by_the_beat_and_asked_for(world: World) -> None:
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a.", "b.", "c."])
    world.joined(peer, "a.", "b.", "c.")
    peer.beat(0)
    peer.send("a.", 1, say(1))
    peer.beat(1, {"a.": 1})
    peer.send("b.", 1, say(2))
    world.until(lambda: ear.last("b.") == 2)
    peer.asked.clear()
    peer.beat(2, {"a.": 2, "b.": 1, "not followed.": 7})
    world.until(lambda: peer.asked)
    assert peer.asked == [b"\x01a."]  # and nothing says that the interest had ended
    peer.send("a.", 2, say(3))
    world.until(lambda: ear.last("a.") == 3)
    peer.asked.clear()
    peer.beat(3, {"a.": 2})
    peer.send("c.", 1, say(4))
    world.until(lambda: ear.last("c.") == 4)
    assert peer.asked == []
    ear.subscriber.unsubscribe("a.")
    world.until(lambda: b"\x00a." in peer.asked)


def test_a_beat_that_names_what_is_as_long_as_a_message_costs_no_memory(world: World) -> None:
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."])
    world.joined(peer, "a.")
    peer.send("a.", 1, say(1))
    world.until(lambda: ear.last("a.") == 1)
    peer.asked.clear()
    tracemalloc.start()
    try:
        peer.beat(1, {"b" * 20_000: 1, "a.": 2})
        world.until(lambda: b"\x01a." in peer.asked)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_after_a_lost_beat_everything_is_asked_for_again(world: World) -> None:
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a.", "b."])
    world.joined(peer, "a.", "b.")
    peer.beat(1)
    peer.beat(3)
    peer.send("a.", 1, say(1))
    world.until(lambda: ear.heard() == [1])
    assert peer.asked.count(b"\x01a.") == 1
    peer.beat(4)
    world.until(lambda: peer.asked.count(b"\x01a.") == peer.asked.count(b"\x01b.") == 2)
    assert peer.asked.count(b"\x01hb.") == 1


@pytest.mark.parametrize("topics", [1, 40])
def test_what_overflows_is_found_and_arrives_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, topics: int
) -> None:
    """A publisher drops what a slow subscriber has no room for; the last of each must arrive."""
    monkeypatch.setitem(zmq_sockets._PUBLISHER, zmq.SNDHWM, 4)
    monkeypatch.setitem(zmq_sockets._SUBSCRIBER, zmq.RCVHWM, 4)
    names = [f"a.{number}." for number in range(topics)]
    voice = world.voice()
    # Its clock stands still: beats are dropped too, and nobody is to be called silent for that.
    ear = world.ear(voice.publisher.address, prefixes=names, clock=ManualClock())
    world.until(lambda: len(voice.wanted) == topics)
    before = count("gaps")
    for number in range(20_000):
        voice.publisher.publish(names[number % topics], say(number))
    last = {name: 20_000 - topics + number for number, name in enumerate(names)}
    world.until(lambda: {name: ear.last(name) for name in names} == last)
    assert count("gaps") > before
    assert ear.losses == []


def test_a_very_first_beat_that_is_lost_puts_everything_in_doubt(world: World) -> None:
    """No beat names it again: that one may have been lost must be taken from what came first."""
    names = [f"a.{number:02}." for number in range(40)]
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=names, clock=ManualClock())
    world.joined(peer, *names)
    for number, name in enumerate(names[1:]):  # the first was lost, and the beat that named it
        peer.send(name, 1, say(number))
    world.until(lambda: len(ear.events) == len(names) - 1)
    peer.asked.clear()
    peer.beat(2)
    peer.beat(3)
    world.joined(peer, *names)


def test_who_joins_is_told_a_beat_before_all_else(world: World) -> None:
    voice = world.voice(clock=ManualClock())
    voice.publisher.publish("a.", say(1))
    before = count("reasked")
    ear = world.ear(voice.publisher.address, prefixes=["a."], clock=ManualClock())
    world.until(lambda: ear.heard() == [1])
    for _ in range(3):
        voice.publisher._beat(bye=False)
    voice.publisher.publish("a.", say(2))
    world.until(lambda: ear.heard() == [1, 2])
    assert count("reasked") == before


def test_what_was_given_up_and_is_asked_for_again_is_news(world: World) -> None:
    voice = world.voice()
    voice.publisher.publish("a.", say(1))
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(lambda: ear.heard() == [1])
    ear.subscriber.unsubscribe("a.")
    world.until(lambda: not voice.wanted)
    ear.subscriber.subscribe("a.")
    world.until(lambda: ear.heard() == [1, 1])


# Who is gone


def test_a_silent_publisher_is_lost_and_the_very_same_value_is_news_again(world: World) -> None:
    clock = ManualClock()
    voice = world.voice(clock=clock)
    voice.publisher.publish("a.", say(1))
    ear = world.ear(voice.publisher.address, prefixes=["a."], clock=clock)
    world.until(lambda: ear.heard() == [1])
    # Both clocks jump; the publisher's beat comes too late.
    clock.advance(1.0)
    world.until(lambda: ear.losses == [("p", "silent")])
    world.until(lambda: ear.heard() == [1, 1])
    said = [event for event in ear.events if isinstance(event, Delivery)]
    assert said[0] == said[1]


def test_a_publisher_that_beats_is_never_lost(world: World) -> None:
    clock = ManualClock()
    voice = world.voice(clock=clock)
    ear = world.ear(voice.publisher.address, prefixes=["a."], clock=clock)
    world.until(lambda: voice.wanted)
    received = count("received")
    for beats in range(20):
        clock.advance(0.25)
        world.until(partial(_counted_at_least, "received", received + beats + 1))
    assert ear.losses == []


def test_what_comes_later_and_later_is_dropped_and_asked_for_afresh(world: World) -> None:
    clock = ManualClock()
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."], clock=clock)
    world.joined(peer, "a.")
    late_s = [0.0, 0.0, 0.1, 0.7, 0.4, 0.6, 0.8]  # a moment of 0.7 s is no slow line
    for number, late in enumerate(late_s, 1):
        peer.now_ns = partial(_some_time_ago, clock, late)
        peer.beat(number, {"a.": number - 1})
        peer.send("a.", number, say(number))
        world.until(partial(_last_is, ear, "a.", number))
        clock.advance(0.3)
    assert ear.losses == []
    peer.asked.clear()
    peer.beat(len(late_s) + 1)
    world.until(lambda: ear.losses == [("p", "late")])
    world.joined(peer, "a.")


def test_a_publisher_whose_connection_drops_is_lost_at_once(world: World) -> None:
    clock = ManualClock()
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."], clock=clock)
    world.joined(peer, "a.")
    peer.send("a.", 1, say(1))
    world.until(ear.heard)
    world.close(peer)
    world.until(lambda: ear.losses == [("p", "disconnected")])


def test_who_says_bye_is_lost_at_once(world: World) -> None:
    clock = ManualClock()
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."], clock=clock)
    world.joined(peer, "a.")
    peer.send("a.", 1, say(1))
    peer.send("a.", 2, say(2))
    peer.beat(1, bye=True)
    world.until(lambda: ear.losses == [("p", "bye")])
    # Said in the same breath as the bye: void before it could be handed on.
    assert not deliveries_after_a_loss([*ear.events])


def test_a_loss_is_due_at_once(world: World) -> None:
    clock = ManualClock()
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."], clock=clock)
    world.joined(peer, "a.")
    peer.send("a.", 1, say(1))
    world.until(ear.heard)
    assert 0.0 < ear.subscriber.tick() <= 1.0
    clock.advance(1.0)
    assert ear.subscriber.tick() == 0.0


def test_a_peer_that_never_speaks_gets_a_fresh_socket(world: World) -> None:
    clock = ManualClock()
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."], clock=clock)
    world.joined(peer, "a.")
    clock.advance(4.9)
    ear.turn()
    assert peer.asked.count(b"\x01a.") == 1
    clock.advance(0.1)
    world.until(lambda: peer.asked.count(b"\x01a.") == 2)
    assert ear.losses == []


# A consumer that stood still


def test_after_standing_still_nothing_older_is_handed_on(world: World) -> None:
    clock = ManualClock()
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."], clock=clock)
    world.joined(peer, "a.")
    peer.send("a.", 1, say(1))
    world.until(ear.heard)
    for seq in range(2, 50):
        peer.send("a.", seq, say(seq))
    # It is all in the socket when the process goes on.
    assert arrived(ear)
    clock.advance(5.0)
    world.until(lambda: ear.losses == [("p", "silent")])
    world.until(lambda: peer.asked.count(b"\x01a.") == 2)
    peer.send("a.", 50, say(50))
    world.until(lambda: ear.last("a.") == 50)
    assert deliveries_after_a_loss([*ear.events]) == [ear.events[-1]]


class StopsWhenRead(ManualClock):
    """Jumps at the so-manieth reading: the process stands still at that very point."""

    def __init__(self, reading: int) -> None:
        super().__init__()
        self._left = reading

    def monotonic(self) -> float:
        self._left -= 1
        if self._left == 0:
            self.advance(5.0)
        return super().monotonic()


@pytest.mark.parametrize("reading", range(1, 5))
def test_wherever_it_stands_still_nothing_older_is_handed_on(world: World, reading: int) -> None:
    clock = StopsWhenRead(-1)
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."], clock=clock)
    world.joined(peer, "a.")
    peer.send("a.", 1, say(1))
    world.until(ear.heard)
    peer.send("a.", 2, say(2))
    assert arrived(ear)
    clock._left = reading
    ear.events += ear.subscriber.drain()
    ear.events += ear.subscriber.drain()
    if clock._left <= 0:
        assert ear.losses == [("p", "silent")]
        assert ear.heard() in ([1], [1, 2])
        handed_on_late = deliveries_after_a_loss([*ear.events])
        assert handed_on_late == []


# What means nothing


MAKE_ODD: dict[str, Callable[..., tuple[bytes, ...]]] = {
    "not_two_parts": lambda good: (b"a.", good, good),
    "topic_not_text": lambda good: (b"a.\xff", good),
    "bad_envelope": lambda good: (b"a.", good[:-3]),
    "schema_version": lambda good: (b"a.", b"\x96\x02" + good[2:]),
    "bad_body": lambda good: (b"a.", good.replace(b"view", b"vieW")),
    "not_a_heartbeat": lambda good: (b"hb.p", good),
}


@pytest.mark.parametrize("reason", MAKE_ODD)
def test_what_means_nothing_is_counted_by_reason_and_the_next_is_heard(
    world: World, reason: str
) -> None:
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."])
    world.joined(peer, "a.")
    peer.send("a.", 1, say(1))
    world.until(lambda: ear.heard() == [1])
    before = count("undecodable", reason=reason)
    peer.throw(*MAKE_ODD[reason](peer.pack(2, say(2))))
    world.until(lambda: count("undecodable", reason=reason) == before + 1)
    peer.send("a.", 3, say(3))
    world.until(lambda: ear.heard() == [1, 3])
    assert ear.losses == []


def test_one_damaged_number_costs_its_topic_no_more_than_the_next_beat(world: World) -> None:
    peer = world.hand_made()
    ear = world.ear(peer.address, prefixes=["a."])
    world.joined(peer, "a.")
    peer.send("a.", 1, say(1))
    peer.send("a.", 2_000, say(2))
    world.until(lambda: ear.last("a.") == 2)
    peer.send("a.", 3, say(3))
    peer.asked.clear()
    peer.beat(1, {"a.": 3})
    world.until(lambda: peer.asked == [b"\x01a."])
    peer.send("a.", 3, say(3))
    world.until(lambda: ear.last("a.") == 3)


def test_a_first_message_that_lies_about_the_speaker_costs_a_second(world: World) -> None:
    clock = ManualClock()
    peer = world.hand_made(epoch=7)
    ear = world.ear(peer.address, prefixes=["a."], clock=clock)
    world.joined(peer, "a.")
    peer.send("a.", 1, say(1), epoch=2**62)
    world.until(lambda: ear.heard() == [1])
    before = count("dropped", reason="old_epoch")
    peer.beat(1)
    peer.send("a.", 2, say(2))
    world.until(lambda: count("dropped", reason="old_epoch") == before + 2)
    clock.advance(1.0)
    world.until(lambda: ear.losses == [("p", "silent")])
    world.until(lambda: peer.asked.count(b"\x01a.") == 2)
    peer.send("a.", 2, say(2))
    world.until(lambda: ear.last("a.") == 2)


# Addresses


@pytest.mark.parametrize(
    "upstream", ["", "127.0.0.1:5551", "tcp://*:5551", "tcp://127.0.0.1:0", "tcp://a;b:1;c:2"]
)
def test_an_upstream_that_nobody_can_connect_to_is_refused(upstream: str) -> None:
    with pytest.raises(AddressError) as caught:
        Subscriber([upstream], SystemClock())
    assert "\n" not in str(caught.value)


def test_who_is_not_there_yet_is_waited_for(world: World) -> None:
    address = world.address()
    ear = world.ear(address, prefixes=["a."])
    world.turn()
    voice = world.voice(address)
    voice.publisher.publish("a.", say(1))
    world.until(lambda: ear.heard() == [1])


def test_layers_in_one_process_meet_by_inproc(world: World) -> None:
    ear = world.ear("inproc://dragonfly-test", prefixes=["a."])
    voice = world.voice("inproc://dragonfly-test")
    voice.publisher.publish("a.", say(1))
    world.until(lambda: ear.heard() == [1])
    again = world.restarted(voice)
    again.publisher.publish("a.", say(2))
    world.until(lambda: ear.last("a.") == 2)
    assert ear.losses == [("p", "bye")]
