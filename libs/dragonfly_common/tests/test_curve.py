"""Over tcp with keys: who is trusted gets in, who is not is refused, logged and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
import zmq
from bus_world import Ear, World, count, open_sockets, say
from dragonfly_common.bus import Keys, Role, curve, flood_guard, zmq_sockets
from dragonfly_common.bus.curve import new_pair, short
from dragonfly_common.clock import ManualClock
from structlog.typing import EventDict

TCP = "tcp://127.0.0.1:0"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve, "RECHECK_INTERVAL_S", 0.01)


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """Return all that is logged."""
    with structlog.testing.capture_logs() as entries:
        yield entries


class Ring:
    """Key files of a test, and the trust file that all its processes share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.trust = folder / "trust"
        self.lines: list[str] = []
        self.secrets: list[str] = []
        self._write()

    def pair(self, role: Role, *, trusted: bool = True) -> Path:
        """Return a new key file."""
        public, secret = (key.decode() for key in new_pair())
        self.secrets.append(secret)
        path = self._folder / f"{role}-{len(self.secrets)}.key"
        path.write_text(f"public {public}\nsecret {secret}\n")
        path.chmod(0o400)
        if trusted:
            self.add(role, path)
        return path

    def add(self, role: Role, pair: Path) -> None:
        self.lines.append(f"{role} {public_of(pair)} {pair.name}")
        self._write()

    def remove(self, pair: Path) -> None:
        self.lines = [line for line in self.lines if public_of(pair) not in line]
        self._write()

    def keys(self, role: Role, pair: Path | None = None) -> Keys:
        """Return what a process of `role` holds; with a trusted pair of its own by default."""
        return Keys(role, pair or self.pair(role), self.trust)

    def _write(self) -> None:
        self.trust.write_text("\n".join(self.lines))


def public_of(pair: Path) -> str:
    return pair.read_text().split()[1]


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring(tmp_path)


def failed(side: str, kind: str) -> Callable[[], bool]:
    """Return whether more handshakes have failed than at the time of the call."""
    before = count("handshake_failures", side=side, kind=kind)
    return lambda: count("handshake_failures", side=side, kind=kind) > before


def passing(clock: ManualClock, condition: Callable[[], object]) -> Callable[[], object]:
    """Let a little time pass whenever `condition` is asked for."""

    def asked() -> object:
        clock.advance(0.01)
        return condition()

    return asked


def events(logged: list[EventDict], name: str) -> list[EventDict]:
    return [entry for entry in logged if entry["event"] == name]


# Who gets in


@pytest.mark.parametrize(
    ("publisher", "subscriber"),
    [
        (Role.LISTENER, Role.AGGREGATOR),
        (Role.LISTENER, Role.LISTENER),
        (Role.AGGREGATOR, Role.GATEWAY),
        (Role.AGGREGATOR, Role.AGGREGATOR),
    ],
)
def test_who_is_trusted_and_of_a_fitting_role_hears(
    world: World, ring: Ring, publisher: Role, subscriber: Role
) -> None:
    voice = world.voice(TCP, keys=ring.keys(publisher))
    ear = world.ear(
        voice.publisher.address, prefixes=["a."], keys=ring.keys(subscriber), servers=publisher
    )
    voice.publisher.publish("a.", say(1))
    world.until(lambda: ear.heard() == [1])
    assert voice.endpoint.socket.getsockopt(zmq.MECHANISM) == zmq.CURVE


@pytest.mark.parametrize(
    ("publisher", "subscriber"),
    [
        (Role.LISTENER, Role.GATEWAY),
        (Role.AGGREGATOR, Role.LISTENER),
        (Role.GATEWAY, Role.AGGREGATOR),
    ],
)
def test_a_trusted_key_of_another_role_is_refused(
    world: World,
    ring: Ring,
    publisher: Role,
    subscriber: Role,
    logged: list[EventDict],
) -> None:
    pairs = ring.pair(publisher), ring.pair(subscriber)
    ours, theirs = ring.keys(publisher, pairs[0]), ring.keys(subscriber, pairs[1])
    voice = world.voice(TCP, keys=ours)
    refused = failed("publisher", "auth")
    ear = world.ear(voice.publisher.address, prefixes=["a."], keys=theirs, servers=publisher)
    world.until(refused)
    assert ear.events == []
    reasons = {entry["reason"] for entry in events(logged, "subscriber refused")}
    assert reasons == {f"a key of role {subscriber} may not subscribe to role {publisher}"}


def test_an_unknown_key_is_refused_logged_once_and_counted_on_both_sides(
    world: World, ring: Ring, logged: list[EventDict]
) -> None:
    clock = ManualClock()
    voice = world.voice(TCP, keys=ring.keys(Role.LISTENER))
    stranger = ring.pair(Role.AGGREGATOR, trusted=False)
    here, there = failed("publisher", "auth"), failed("subscriber", "auth")
    ear = world.ear(
        voice.publisher.address,
        prefixes=["a."],
        keys=ring.keys(Role.AGGREGATOR, stranger),
        clock=clock,
    )
    voice.publisher.publish("a.", say(1))
    world.until(lambda: here() and there())
    again = failed("subscriber", "auth")
    clock.advance(1.0)
    world.until(again)
    assert ear.events == []
    assert [(entry["peer"], entry["key"]) for entry in events(logged, "subscriber refused")] == [
        ("127.0.0.1", short(public_of(stranger).encode()))
    ]
    assert [entry["kind"] for entry in events(logged, "handshake failed")] == ["auth"]
    assert len(events(logged, "own key not trusted")) == 1


def test_no_key_is_refused_on_either_side(
    world: World, ring: Ring, logged: list[EventDict]
) -> None:
    guarded = world.voice(TCP, name="guarded", keys=ring.keys(Role.LISTENER))
    here, there = failed("publisher", "mechanism"), failed("subscriber", "mechanism")
    plain = world.ear(guarded.publisher.address, prefixes=["a."])
    guarded.publisher.publish("a.", say(1))
    world.until(lambda: here() and there())
    opened = world.voice(TCP, name="open")
    opened.publisher.publish("a.", say(2))
    there = failed("subscriber", "mechanism")
    secure = world.ear(opened.publisher.address, prefixes=["a."], keys=ring.keys(Role.AGGREGATOR))
    world.until(there)
    assert plain.events == secure.events == []
    assert [entry["reason"] for entry in events(logged, "subscriber refused")] == ["mechanism"]


def test_a_publisher_with_a_wrong_key_is_not_believed(
    world: World, ring: Ring, logged: list[EventDict]
) -> None:
    ring.pair(Role.LISTENER)
    impostor = world.voice(
        TCP, keys=ring.keys(Role.LISTENER, ring.pair(Role.LISTENER, trusted=False))
    )
    impostor.publisher.publish("a.", say(666))
    here, there = failed("publisher", "wrong_server_key"), failed("subscriber", "no_detail")
    ear = world.ear(impostor.publisher.address, prefixes=["a."], keys=ring.keys(Role.AGGREGATOR))
    world.until(lambda: here() and there())
    assert ear.events == []
    (said,) = events(logged, "handshake failed")
    assert said["expected"] == "a key of listener"


def test_without_its_authenticator_a_publisher_lets_nobody_in(
    world: World, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(zmq_sockets._COMMON, zmq.HANDSHAKE_IVL, 300)
    # A context of its own: the authenticator of all other tests goes on.
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    monkeypatch.setattr(zmq.Context, "instance", lambda: context)
    monkeypatch.setattr(curve._Authenticator, "_one", None)
    voice = world.voice(TCP, keys=ring.keys(Role.LISTENER))
    voice.publisher.publish("a.", say(1))
    authenticator = curve._Authenticator._one
    assert authenticator is not None
    authenticator.stop()
    with pytest.raises(RuntimeError, match="authenticator"):
        voice.publisher.tick()
    # Anybody's: were it not for the authenticator, encryption would be all that is asked.
    tap = zmq_sockets.new_subscriber(voice.publisher.address)
    public, secret = new_pair()
    tap.curve_publickey, tap.curve_secretkey = public, secret
    tap.curve_serverkey = ring.lines[0].split()[1].encode()
    tap.subscribe("")
    monitor = tap.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
    tap.connect(voice.publisher.address)
    event = zmq.utils.monitor.recv_monitor_message(monitor)["event"]
    assert event == zmq.EVENT_DISCONNECTED
    assert tap.poll(0) == 0
    tap.disable_monitor()
    monitor.close()
    tap.close()
    world.close(voice)
    context.term()


def test_strangers_cannot_fill_the_log(
    world: World, ring: Ring, monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]
) -> None:
    monkeypatch.setattr(curve, "MOST_REMEMBERED", 3)
    clock = ManualClock()
    voice = world.voice(TCP, keys=ring.keys(Role.LISTENER), clock=clock)
    guard = voice.endpoint._auth
    assert guard is not None
    for number in range(10):
        assert not guard.callback("", str(number).encode())
    assert len(events(logged, "subscriber refused")) == 3
    clock.advance(curve.REPEAT_INTERVAL_S)
    assert not guard.callback("", b"0")
    assert len(events(logged, "subscriber refused")) == 4


def test_only_tcp_needs_keys(world: World, ring: Ring) -> None:
    for number, address in enumerate([world.address(), "inproc://dragonfly-keys"]):
        voice = world.voice(address, name=str(number), keys=ring.keys(Role.LISTENER))
        voice.publisher.publish("a.", say(1))
        ear = world.ear(voice.publisher.address, prefixes=["a."])
        keyed = world.ear(voice.publisher.address, prefixes=["a."], keys=ring.keys(Role.AGGREGATOR))
        world.until(lambda: ear.heard() == keyed.heard() == [1])  # noqa: B023 - called at once


# While they run


def test_a_key_allowed_later_flows_within_seconds(world: World, ring: Ring) -> None:
    clock = ManualClock()
    voice = world.voice(TCP, keys=ring.keys(Role.LISTENER), clock=clock)
    voice.publisher.publish("a.", say(1))
    late = ring.pair(Role.AGGREGATOR, trusted=False)
    denied = failed("subscriber", "auth")
    ear = world.ear(
        voice.publisher.address,
        prefixes=["a."],
        keys=ring.keys(Role.AGGREGATOR, late),
        clock=clock,
    )
    world.until(passing(clock, denied))
    ring.add(Role.AGGREGATOR, late)
    allowed_at = clock.monotonic()

    world.until(passing(clock, ear.heard))
    assert ear.heard() == [1]
    assert clock.monotonic() - allowed_at < 5.0


def test_a_publisher_that_nobody_could_trust_yet_is_heard_when_its_key_is(
    world: World, ring: Ring, logged: list[EventDict]
) -> None:
    clock = ManualClock()
    pair = ring.pair(Role.LISTENER, trusted=False)
    voice = world.voice(TCP, keys=ring.keys(Role.LISTENER, pair), clock=clock)
    voice.publisher.publish("a.", say(1))
    ear = world.ear(
        voice.publisher.address, prefixes=["a."], keys=ring.keys(Role.AGGREGATOR), clock=clock
    )
    assert open_sockets(ear.subscriber) == 0
    ring.add(Role.LISTENER, pair)

    world.until(passing(clock, ear.heard))
    assert [entry["role"] for entry in events(logged, "no key trusted")] == ["listener"]


def test_a_pair_is_replaced_while_its_neighbours_run(
    world: World, ring: Ring, logged: list[EventDict]
) -> None:
    clock = ManualClock()
    old = ring.pair(Role.LISTENER)
    # Before the publisher reads whom to trust: it would refuse who connects faster than it looks.
    hearing = ring.keys(Role.AGGREGATOR)
    voice = world.voice(TCP, keys=ring.keys(Role.LISTENER, old), clock=clock)
    voice.publisher.publish("a.", say(1))
    ear = world.ear(voice.publisher.address, prefixes=["a."], keys=hearing, clock=clock)
    world.until(passing(clock, lambda: ear.heard() == [1]))
    new = ring.pair(Role.LISTENER)
    trusted = ear.subscriber._servers
    assert trusted is not None
    world.until(passing(clock, lambda: len(trusted.trusted) == 2))
    assert ear.losses == []
    lost_at = clock.monotonic()
    voice = world.restarted(voice, clock, ring.keys(Role.LISTENER, new))
    voice.publisher.publish("a.", say(2))

    world.until(passing(clock, lambda: ear.last("a.") == 2))
    assert clock.monotonic() - lost_at < 5.0
    assert len(ear.losses) == 1
    ring.remove(old)
    world.until(passing(clock, lambda: trusted.trusted == (public_of(new).encode(),)))
    voice.publisher.publish("a.", say(3))
    world.until(passing(clock, lambda: ear.last("a.") == 3))
    assert len(ear.losses) == 1
    # One wrong key of two is how a right one is found.
    assert events(logged, "handshake failed") == []


def test_the_right_one_of_several_keys_is_found_soon(world: World, ring: Ring) -> None:
    clock = ManualClock()
    pairs = [ring.pair(Role.LISTENER) for _ in range(3)]
    voice = world.voice(TCP, keys=ring.keys(Role.LISTENER, pairs[2]), clock=clock)
    voice.publisher.publish("a.", say(1))
    begun = clock.monotonic()
    ear = world.ear(
        voice.publisher.address, prefixes=["a."], keys=ring.keys(Role.AGGREGATOR), clock=clock
    )

    world.until(passing(clock, ear.heard))
    assert clock.monotonic() - begun < 2.0


def test_a_publisher_whose_key_is_trusted_no_more_is_lost(world: World, ring: Ring) -> None:
    clock = ManualClock()
    pair = ring.pair(Role.LISTENER)
    ring.pair(Role.LISTENER)
    voice = world.voice(TCP, keys=ring.keys(Role.LISTENER, pair), clock=clock)
    voice.publisher.publish("a.", say(1))
    ear = world.ear(
        voice.publisher.address, prefixes=["a."], keys=ring.keys(Role.AGGREGATOR), clock=clock
    )
    world.until(passing(clock, lambda: ear.heard() == [1]))
    ring.remove(pair)

    world.until(passing(clock, lambda: ear.losses))
    assert ear.losses == [("p", "untrusted")]


def test_a_subscriber_whose_key_is_trusted_no_more_is_cut_off_and_no_other(
    world: World, ring: Ring, logged: list[EventDict]
) -> None:
    voice = world.voice(TCP, keys=ring.keys(Role.LISTENER))
    pairs = [ring.pair(Role.AGGREGATOR) for _ in range(3)]
    ears: list[Ear] = []
    for pair in pairs:
        held = ring.keys(Role.AGGREGATOR, pair)
        ear = world.ear(voice.publisher.address, prefixes=["a."], keys=held)
        voice.publisher.publish("a.", say(len(ears)))
        world.until(ear.heard)
        ears.append(ear)
    ring.remove(pairs[1])
    world.until(lambda: ears[1].losses)
    assert ears[1].losses == [("p", "disconnected")]
    before = len(ears[1].heard())
    voice.publisher.publish("a.", say(9))
    world.until(lambda: ears[0].last("a.") == ears[2].last("a.") == 9)
    world.until(failed("publisher", "auth"))
    assert len(ears[1].heard()) == before
    assert ears[0].losses == ears[2].losses == []
    (said,) = events(logged, "subscribers cut off")
    assert said["connections"] == 1


def test_neighbours_that_come_at_once_do_not_answer_for_each_other(
    world: World, ring: Ring, logged: list[EventDict]
) -> None:
    pairs = [ring.pair(Role.AGGREGATOR) for _ in range(3)]
    held = [ring.keys(Role.AGGREGATOR, pair) for pair in pairs]
    voice = world.voice(TCP, keys=ring.keys(Role.LISTENER))
    voice.publisher.publish("a.", say(1))
    ears = [world.ear(voice.publisher.address, prefixes=["a."], keys=keys) for keys in held]
    world.until(lambda: all(ear.heard() for ear in ears))
    ring.remove(pairs[1])
    world.until(lambda: ears[1].losses and events(logged, "subscribers cut off"))
    voice.publisher.publish("a.", say(2))
    world.until(lambda: ears[0].last("a.") == ears[2].last("a.") == 2)
    assert ears[0].losses == ears[2].losses == []
    assert [said["connections"] for said in events(logged, "subscribers cut off")] == [1]


def test_who_first_subscribes_when_its_key_is_trusted_no_more_hears_nothing(
    world: World, ring: Ring, logged: list[EventDict]
) -> None:
    pair = ring.pair(Role.AGGREGATOR)
    held, keys = ring.keys(Role.AGGREGATOR, pair), ring.keys(Role.LISTENER)
    voice = world.voice(TCP, keys=keys)
    tap = zmq_sockets.new_subscriber(voice.publisher.address)
    tap.curve_publickey, tap.curve_secretkey = held.public, held.secret
    tap.curve_serverkey = keys.public
    monitor = tap.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
    tap.connect(voice.publisher.address)
    world.until(lambda: monitor.poll(0))
    event = zmq.utils.monitor.recv_monitor_message(monitor)["event"]
    assert event == zmq.EVENT_HANDSHAKE_SUCCEEDED
    ring.remove(pair)
    world.until(lambda: keys.refusal(held.public))
    tap.subscribe("a.")
    world.until(lambda: monitor.poll(0))
    event = zmq.utils.monitor.recv_monitor_message(monitor)["event"]
    assert event == zmq.EVENT_DISCONNECTED
    assert voice.wanted == set()
    tap.disable_monitor()
    monitor.close()
    tap.close()


def test_no_log_holds_a_secret(world: World, ring: Ring, logged: list[EventDict]) -> None:
    listener = ring.keys(Role.LISTENER)
    voice = world.voice(TCP, keys=listener)
    refused = failed("publisher", "auth")
    stranger = ring.keys(Role.AGGREGATOR, ring.pair(Role.AGGREGATOR, trusted=False))
    world.ear(voice.publisher.address, keys=stranger)
    world.until(refused)
    ring.trust.write_text("nonsense")
    world.until(lambda: events(logged, "trust file not read"))
    text = f"{logged} {listener!r} {stranger!r} {listener}"
    assert not [secret for secret in ring.secrets if secret in text]
    assert logged


def test_a_trusted_key_gives_no_right_to_more_than_anybody_needs(
    world: World, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood_guard, "MOST_OF_A_PEER", 10)
    voice = world.voice(TCP, keys=ring.keys(Role.AGGREGATOR))
    before = count("cut_off", reason="too_many")
    address, held = voice.publisher.address, ring.keys(Role.GATEWAY)
    good = world.ear(address, prefixes=["a.", "b."], keys=held)
    world.until(lambda: voice.wanted == {"a.", "b."})
    bad = world.ear(address, prefixes=[f"x{number}." for number in range(11)], keys=held)
    world.until(lambda: count("cut_off", reason="too_many") > before)
    world.close(bad)
    world.until(lambda: voice.wanted == {"a.", "b."})
    assert good.losses == []
