"""Publishers keep last values, hear interest, beat, and bind only what is free."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import zmq
from bus_world import HandMade, World, count, say
from dragonfly_common import codec
from dragonfly_common.bus import Interest, Publisher, publisher, zmq_sockets
from dragonfly_common.bus.transport import BEAT_INTERVAL_S
from dragonfly_common.clock import ManualClock, SystemClock
from dragonfly_common.errors import AddressError, ExitCode
from dragonfly_common.messages import Heartbeat, Instruments
from dragonfly_common.topics import book_interest, book_topic
from patience import PATIENCE_S


class Tap:
    """A bare socket on a publisher: every message as it was sent, duplicates and all."""

    def __init__(self, address: str, *prefixes: str) -> None:
        self._socket = zmq_sockets.new_subscriber(address)
        for prefix in prefixes:
            self._socket.subscribe(prefix)
        self._socket.connect(address)

    def subscribe(self, prefix: str) -> None:
        self._socket.subscribe(prefix)

    def take(self) -> list[tuple[str, int]]:
        """Return (topic, seq) of what has arrived."""
        taken = []
        while self._socket.poll(0):
            topic, payload = self._socket.recv_multipart()
            taken.append((topic.decode(), codec.decode_envelope(payload).seq))
        return taken

    def has_something(self) -> bool:
        return bool(self._socket.poll(0))

    def beat(self) -> Heartbeat:
        _, payload = self._socket.recv_multipart()
        body = codec.decode_body(codec.decode_envelope(payload).body)
        assert isinstance(body, Heartbeat)
        return body

    def close(self) -> None:
        self._socket.close()


def test_who_joins_gets_the_last_value_and_only_that(world: World) -> None:
    voice = world.voice()
    for number in range(3):
        voice.publisher.publish("a.", say(number))
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(ear.heard)
    assert ear.heard() == [2]


def test_the_second_who_joins_gets_it_too_and_the_first_not_again(world: World) -> None:
    voice = world.voice()
    voice.publisher.publish("a.", say(7))
    first = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(first.heard)
    second = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(second.heard)
    voice.publisher.publish("a.", say(8))
    world.until(lambda: first.last("a.") == second.last("a.") == 8)
    assert first.heard() == second.heard() == [7, 8]


def test_a_subscription_is_answered_with_all_topics_under_it_and_no_other(world: World) -> None:
    voice = world.voice()
    topics = ["a.x.", "a.y.", "ab.", "b.", "a.", "a.z."]
    for number, topic in enumerate(topics):
        voice.publisher.publish(topic, say(number))
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(lambda: len(ear.heard()) == 4)
    assert {topic for topic in topics if ear.heard(topic)} == {"a.", "a.x.", "a.y.", "a.z."}


def test_interest_in_one_instrument_brings_nothing_of_a_longer_one(world: World) -> None:
    voice = world.voice()
    longer, meant = book_topic("ETH-USDT", "kraken"), book_topic("ETH-USD", "kraken")
    voice.publisher.publish(longer, say(1))
    voice.publisher.publish(meant, say(2))
    ear = world.ear(voice.publisher.address, prefixes=[book_interest("ETH-USD")])
    world.until(lambda: ear.heard(meant))
    voice.publisher.publish(longer, say(3))
    voice.publisher.publish(meant, say(4))
    world.until(lambda: ear.last(meant) == 4)
    assert ear.heard(longer) == []


def test_what_is_forgotten_is_told_to_nobody(world: World) -> None:
    voice = world.voice()
    for number, topic in enumerate(("a.1", "a.2", "a.3")):
        voice.publisher.publish(topic, say(number))
    voice.publisher.forget("a.2")
    voice.publisher.forget("never published")
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(lambda: ear.heard("a.1") and ear.heard("a.3"))
    assert ear.heard("a.2") == []
    # It counts on where it was: who heard it before must not take it for a duplicate.
    voice.publisher.publish("a.2", say(9))
    world.until(lambda: ear.heard("a.2") == [9])
    assert ear.events[-1].__class__.__name__ == "Delivery"


def test_interest_is_seen_and_its_end_when_the_last_one_leaves(world: World) -> None:
    voice = world.voice()
    first = world.ear(voice.publisher.address, prefixes=["a."])
    second = world.ear(voice.publisher.address, prefixes=["a.", "b."])
    world.until(lambda: voice.interests.count(Interest("a.", wanted=True)) == 2)
    first.subscriber.unsubscribe("a.")
    second.subscriber.unsubscribe("b.")
    world.until(lambda: voice.wanted == {"a."})
    second.subscriber.unsubscribe("a.")
    world.until(lambda: not voice.wanted)
    assert voice.interests.count(Interest("a.", wanted=False)) == 1


def test_interest_ends_with_the_process_that_had_it(world: World) -> None:
    voice = world.voice()
    program = (
        "import sys, time, zmq\n"
        "s = zmq.Context().socket(zmq.SUB)\n"
        "s.subscribe('a.')\n"
        "s.connect(sys.argv[1])\n"
        "time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, voice.publisher.address])
    try:
        world.until(lambda: voice.wanted == {"a."})
        child.send_signal(signal.SIGKILL)
        world.until(lambda: not voice.wanted)
    finally:
        child.kill()
        child.wait()


def test_what_is_no_subscription_is_counted_and_passed_over(world: World) -> None:
    voice = world.voice()
    before = count("undecodable", reason="not_a_subscription")
    before_text = count("undecodable", reason="subscription_not_text")
    odd: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.XSUB)
    odd.setsockopt(zmq.LINGER, 0)
    odd.connect(voice.publisher.address)
    for frame in (b"", b"hello", b"\x02a.", b"\x01\xff\xfe", b"\x01a."):
        odd.send(frame)
    world.until(lambda: voice.wanted == {"a."})
    odd.close()
    assert count("undecodable", reason="not_a_subscription") - before == 3
    assert count("undecodable", reason="subscription_not_text") - before_text == 1


def test_a_beat_leaves_at_once_and_then_at_its_interval(world: World) -> None:
    clock = ManualClock()
    voice = world.voice(clock=clock)
    voice.publisher.tick()  # nobody is there yet
    tap = Tap(voice.publisher.address, "hb.")
    world.until(lambda: voice.interests)
    world.until(tap.has_something)
    assert tap.beat() == Heartbeat({})  # who follows its beats is told one at once
    assert voice.publisher.tick() == pytest.approx(BEAT_INTERVAL_S)
    clock.advance(BEAT_INTERVAL_S - 0.05)
    assert voice.publisher.tick() == pytest.approx(0.05)
    clock.advance(0.06)
    assert voice.publisher.tick() == pytest.approx(BEAT_INTERVAL_S)
    world.until(tap.has_something)
    assert tap.beat() == Heartbeat({})
    assert not tap.has_something()
    tap.close()


def test_a_beat_names_what_was_sent_since_the_last_one(world: World) -> None:
    clock = ManualClock()
    voice = world.voice(clock=clock)
    voice.publisher.tick()
    tap = Tap(voice.publisher.address, "hb.")
    world.until(lambda: voice.interests)
    world.until(tap.has_something)
    assert tap.beat() == Heartbeat({})  # who follows its beats is told one at once

    def next_beat() -> Heartbeat:
        clock.advance(BEAT_INTERVAL_S)
        voice.publisher.tick()
        world.until(tap.has_something)
        return tap.beat()

    for topic in ("a.", "b.", "a.", "gone."):
        voice.publisher.publish(topic, say(1))
    voice.publisher.forget("gone.")
    assert next_beat() == Heartbeat({"a.": 2, "b.": 1})
    assert next_beat() == Heartbeat({})
    # A last value that is sent again may overflow like any other message.
    asking = Tap(voice.publisher.address, "b.")
    world.until(lambda: voice.wanted == {"b."})
    assert next_beat() == Heartbeat({"b.": 1})
    asking.close()
    tap.close()


def test_a_beat_has_room_for_so_many_topics_and_the_next_names_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "MOST_NAMED", 2)
    clock = ManualClock()
    voice = world.voice(clock=clock)
    voice.publisher.tick()
    tap = Tap(voice.publisher.address, "hb.")
    world.until(lambda: voice.interests)
    world.until(tap.has_something)
    assert tap.beat() == Heartbeat({})  # who follows its beats is told one at once
    for topic in ("a.", "b.", "c."):
        voice.publisher.publish(topic, say(1))
    digests = []
    for _ in range(3):
        clock.advance(BEAT_INTERVAL_S)
        world.until(tap.has_something)
        digests.append(tap.beat().digest)
    assert digests == [{"a.": 1, "b.": 1}, {"c.": 1}, {}]
    tap.close()


def test_a_state_too_large_for_any_subscriber_is_counted_and_harms_nobody(world: World) -> None:
    before = count("dropped", reason="oversized")
    voice = world.voice()
    ear = world.ear(voice.publisher.address, prefixes=[""])
    voice.publisher.publish("a.", say(1))
    world.until(lambda: ear.heard() == [1])
    names = tuple(f"COIN{number}-USDT" for number in range(100_000))
    voice.publisher.publish("status.", Instruments("v", names))
    voice.publisher.publish("a.", say(2))
    world.until(lambda: ear.heard() == [1, 2])
    assert ear.losses == []
    assert count("dropped", reason="oversized") - before == 1


def test_tcp_port_zero_becomes_a_port_that_can_be_connected_to(world: World) -> None:
    voice = world.voice("tcp://127.0.0.1:0")
    assert voice.publisher.address.startswith("tcp://127.0.0.1:")
    assert not voice.publisher.address.endswith(":0")
    port = voice.publisher.address.rpartition(":")[2]
    voice.publisher.publish("a.", say(1))
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    by_name = world.ear(f"tcp://localhost:{port}", prefixes=["a."])
    world.until(lambda: ear.heard() == by_name.heard() == [1])


def test_every_interface_is_a_wildcard(world: World) -> None:
    voice = world.voice("tcp://*:0")
    voice.publisher.publish("a.", say(1))
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(lambda: ear.heard() == [1])


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_is_spoken_where_it_is_written(world: World) -> None:
    try:
        voice = world.voice("tcp://[::1]:0")
    except AddressError:
        pytest.skip("this machine has no IPv6 loopback")
    voice.publisher.publish("a.", say(1))
    ear = world.ear(voice.publisher.address, prefixes=["a."])
    world.until(lambda: ear.heard() == [1])


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_an_address_that_is_taken_is_refused_and_its_holder_unharmed(
    world: World, kind: str
) -> None:
    holder = world.voice("tcp://127.0.0.1:0" if kind == "tcp" else None)
    address = holder.publisher.address
    ear = world.ear(address, prefixes=["a."])
    with pytest.raises(AddressError, match="choose another --bind") as caught:
        Publisher(address, "q", SystemClock())
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.CONFIG
    holder.publisher.publish("a.", say(1))
    world.until(lambda: ear.heard() == [1])


@pytest.mark.parametrize(
    "address",
    ["ipc:///no/such/folder/x", "tcp://192.0.2.1:5551"],
)
def test_an_address_that_cannot_be_had_is_refused_in_one_sentence(address: str) -> None:
    with pytest.raises(AddressError) as caught:
        Publisher(address, "p", SystemClock())
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_in_the_way_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("keep me")
    with pytest.raises(AddressError, match="it is no socket"):
        Publisher(f"ipc://{path}", "p", SystemClock())
    assert path.read_text() == "keep me"


def test_a_socket_that_a_killed_process_left_behind_is_no_obstacle(world: World) -> None:
    address = world.address()
    program = (
        "import sys, time, zmq\n"
        "s = zmq.Context().socket(zmq.XPUB)\n"
        "s.bind(sys.argv[1])\n"
        "print('bound', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, address], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "bound\n"
        child.kill()
        child.wait(PATIENCE_S)
    assert Path(address[6:]).is_socket()
    voice = world.voice(address)
    voice.publisher.publish("a.", say(1))
    ear = world.ear(address, prefixes=["a."])
    world.until(lambda: ear.heard() == [1])


def test_three_thousand_topics_flow_again_after_a_restart(world: World) -> None:
    """More subscriptions than a default high-water mark holds (libzmq#4064)."""
    topics = [f"book.COIN{number}-USDT." for number in range(3000)]
    voice = world.voice()
    ear = world.ear(voice.publisher.address, prefixes=topics)
    world.until(lambda: len(voice.wanted) == 3000)
    for number, topic in enumerate(topics):
        voice.publisher.publish(topic, say(number))
    world.until(lambda: len(ear.heard()) == 3000)
    again = world.restarted(voice)
    for number, topic in enumerate(topics):
        again.publisher.publish(topic, say(10_000 + number))
    world.until(lambda: len(ear.heard()) >= 6000)
    assert {ear.last(topic) for topic in topics} == {10_000 + number for number in range(3000)}
    assert len(again.wanted) == 3000


def test_last_words_leave_before_the_process_does_and_no_file_stays(world: World) -> None:
    address = world.address()
    ear = world.ear(address, prefixes=["a."])
    program = (
        "import sys\n"
        "from dragonfly_common.bus import Publisher\n"
        "from dragonfly_common.clock import SystemClock\n"
        "p = Publisher(sys.argv[1], 'p', SystemClock())\n"
        "p.publish('a.', __import__('dragonfly_common.messages').messages.Instruments('v', ()))\n"
        "while not any(i.prefix == 'a.' for i in p.drain()):\n"
        "    p.tick()\n"
        "sys.stdin.read()\n"
        "p.close()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, address], stdin=subprocess.PIPE, env=os.environ
    ) as child:
        world.until(lambda: ear.events)
        assert child.stdin is not None
        child.stdin.close()
        world.until(lambda: ear.losses)
        child.wait(PATIENCE_S)
    assert ear.losses[0][0] == "p"
    assert not Path(address.removeprefix("ipc://")).exists()


def test_the_options_that_guard_the_bus_are_set(world: World) -> None:
    peer: HandMade = world.hand_made()
    subscriber = zmq_sockets.new_subscriber(peer.address)
    for checked in (peer._socket, subscriber):
        assert checked.getsockopt(zmq.LINGER) == 0
        assert checked.getsockopt(zmq.MAXMSGSIZE) in {1 << 20, 512}
        # A ping behind a full queue makes libzmq 4.3.5 abort when its sender is gone.
        assert checked.getsockopt(zmq.HEARTBEAT_IVL) == 0
        assert checked.getsockopt(zmq.TCP_KEEPALIVE) == 1
    # Subscriptions are messages: none may be dropped. Who takes them lets their sender wait.
    assert subscriber.getsockopt(zmq.SNDHWM) == 0
    assert peer._socket.getsockopt(zmq.RCVHWM) == zmq_sockets.SUBSCRIPTION_HWM
    subscriber.close()
