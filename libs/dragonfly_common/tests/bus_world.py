"""Ends of the bus that a test drives, and a peer made by hand that may say anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import zmq
from dragonfly_common import codec
from dragonfly_common.bus import (
    Delivery,
    Interest,
    Keys,
    Publisher,
    PublisherLost,
    Role,
    Subscriber,
    Waiter,
)
from dragonfly_common.bus.zmq_sockets import new_publisher
from dragonfly_common.bus.zmq_transport import ZmqEndpoint
from dragonfly_common.clock import Clock, SteadyClock
from dragonfly_common.discovery import LookUp, look_up
from dragonfly_common.errors import AddressError
from dragonfly_common.messages import Body, EncodedView, Heartbeat
from dragonfly_common.topics import heartbeat_topic
from patience import PATIENCE_S
from prometheus_client import REGISTRY


def say(number: int) -> EncodedView:
    """Return a state that is told from others by its number."""
    return EncodedView(live=True, depth=10, body=str(number).encode())


def count(metric: str, **labels: str) -> float:
    """Return what a counter of the bus has counted so far."""
    return REGISTRY.get_sample_value(f"dragonfly_bus_{metric}_total", labels) or 0.0


def open_sockets(subscriber: Subscriber) -> int:
    """Return how many of its sockets, monitors included, are open now."""
    return len(subscriber._poller._owners)


class Voice:
    """A publisher, and what was asked of it."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.interests: list[Interest] = []

    @property
    def endpoint(self) -> ZmqEndpoint:
        """Where its socket is."""
        assert isinstance(self.publisher._endpoint, ZmqEndpoint)
        return self.publisher._endpoint

    def turn(self) -> None:
        self.interests += self.publisher.drain()

    @property
    def wanted(self) -> set[str]:
        """Return the prefixes that somebody asks for now, heartbeats apart."""
        last = {interest.prefix: interest.wanted for interest in self.interests}
        return {prefix for prefix, wanted in last.items() if wanted} - {"hb."}


class Ear:
    """A subscriber, and what it handed on."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.events: list[Delivery | PublisherLost] = []

    def turn(self) -> None:
        self.events += self.subscriber.drain()

    def heard(self, topic: str | None = None) -> list[int]:
        """Return the numbers of the states that were handed on, of one topic or of all."""
        return [
            int(event.body.body)
            for event in self.events
            if isinstance(event, Delivery)
            and isinstance(event.body, EncodedView)
            and topic in {None, event.topic}
        ]

    def last(self, topic: str) -> int | None:
        heard = self.heard(topic)
        return heard[-1] if heard else None

    @property
    def losses(self) -> list[tuple[str, str]]:
        return [
            (event.publisher, event.reason)
            for event in self.events
            if isinstance(event, PublisherLost)
        ]


class NameService:
    """Answers what a test says, after a while if it says so."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: Collection[str] = addresses
        self.failing = False
        self.asked = 0
        self.answering = threading.Event()
        self.answering.set()

    def __call__(self, name: str) -> Collection[str]:
        self.asked += 1
        assert self.answering.wait(PATIENCE_S)
        if self.failing:
            raise OSError("Temporary failure in name resolution")
        return self.addresses


class HandMade:
    """Speaks on the bus without the publisher's rules."""

    def __init__(self, address: str, name: str = "p", epoch: int = 1) -> None:
        self.name = name
        self.epoch = epoch
        self.asked: list[bytes] = []
        self.now_ns: Callable[[], int] = lambda: 5
        self._socket = new_publisher(address)
        self._socket.bind(address)
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def turn(self) -> None:
        """Take the subscriptions; nobody answers them."""
        while self._socket.poll(0):
            self.asked.append(self._socket.recv())

    def send(self, topic: str, seq: int, body: Body, *, name: str = "", epoch: int = 0) -> None:
        self.throw(topic.encode(), self.pack(seq, body, name=name, epoch=epoch))

    def beat(self, seq: int, digest: dict[str, int] | None = None, *, bye: bool = False) -> None:
        self.send(heartbeat_topic(self.name), seq, Heartbeat(digest or {}, bye))

    def pack(self, seq: int, body: Body, *, name: str = "", epoch: int = 0) -> bytes:
        return codec.encode_message(
            name or self.name, epoch or self.epoch, seq, self.now_ns(), body
        )

    def throw(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def close(self) -> None:
        self._socket.close()


class World:
    """Makes the ends, drives them in one thread, and closes them."""

    def __init__(self, folder: Path) -> None:
        self.clock: Clock = SteadyClock()
        self._folder = folder
        self._names = 0
        self._open: dict[Voice | Ear | HandMade, None] = {}

    def address(self) -> str:
        self._names += 1
        return f"ipc://{self._folder}/{self._names}"

    def voice(
        self,
        address: str | None = None,
        name: str = "p",
        clock: Clock | None = None,
        look_up: LookUp | None = None,
        keys: Keys | None = None,
    ) -> Voice:
        clock = clock or self.clock
        address = address or self.address()
        voice = Voice(Publisher(address, name, clock, keys=keys, look_up=look_up))
        self._open[voice] = None
        return voice

    def restarted(
        self, voice: Voice, clock: Clock | None = None, keys: Keys | None = None
    ) -> Voice:
        """Return another process in the place of `voice`, as soon as its socket is gone."""
        self.close(voice)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                name = voice.publisher.publisher_id
                return self.voice(voice.publisher.address, name, clock, keys=keys)
            except AddressError:
                assert time.monotonic() < deadline
                self.turn()

    def ear(
        self,
        *upstreams: str,
        prefixes: Iterable[str] = (),
        clock: Clock | None = None,
        look_up: LookUp = look_up,
        keys: Keys | None = None,
        servers: Role | None = None,
    ) -> Ear:
        clock = clock or self.clock
        ear = Ear(Subscriber(upstreams, clock, keys=keys, servers=servers, look_up=look_up))
        self._open[ear] = None
        for prefix in prefixes:
            ear.subscriber.subscribe(prefix)
        return ear

    def hand_made(self, address: str | None = None, name: str = "p", epoch: int = 1) -> HandMade:
        peer = HandMade(address or self.address(), name, epoch)
        self._open[peer] = None
        return peer

    def close(self, end: Voice | Ear | HandMade) -> None:
        del self._open[end]
        if isinstance(end, Voice):
            end.publisher.close()
        elif isinstance(end, Ear):
            end.subscriber.close()
        else:
            end.close()

    def close_all(self) -> None:
        for end in list(self._open):
            self.close(end)

    def turn(self) -> None:
        """Let every end do what it has to."""
        for end in self._open:
            end.turn()
        publishers = [end.publisher for end in self._open if isinstance(end, Voice)]
        subscribers = [end.subscriber for end in self._open if isinstance(end, Ear)]
        if publishers or subscribers:
            Waiter([*publishers, *subscribers]).wait(0.002)

    def until(self, condition: Callable[[], object]) -> None:
        """Drive all ends until `condition` holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            self.turn()

    def joined(self, peer: HandMade, *prefixes: str) -> None:
        """Wait until a peer is asked for `prefixes`: what it says from now on is heard."""
        self.until(lambda: {b"\x01" + prefix.encode() for prefix in prefixes} <= {*peer.asked})
