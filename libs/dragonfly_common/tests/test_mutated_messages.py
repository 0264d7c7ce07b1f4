"""Damaged messages: none is fatal, each is accounted for, the next is heard.

Ten thousand of them; with `--long` a hundred thousand.

They go through a real socket to the subscriber's own path, between undamaged ones. The peer keeps
two of the publisher's rules: it beats, and it answers whoever asks again with last values.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from bus_world import HandMade, World, count
from dragonfly_common import codec
from dragonfly_common.bus import Delivery
from dragonfly_common.clock import ManualClock
from dragonfly_common.errors import DecodeError
from dragonfly_common.messages import (
    Body,
    Book,
    EncodedView,
    FeedStanding,
    Heartbeat,
    Instruments,
    VenueStatus,
)
from dragonfly_common.sequencing import BusSequencer
from dragonfly_common.types import FeedState
from prometheus_client import REGISTRY

DAMAGED = 10_000
LONG_DAMAGED = 100_000
AT_ONCE = 500

LEVELS = tuple((100.5 + number, 0.25) for number in range(10))
STATES: dict[str, Body] = {
    "book.ETH-BTC.kraken.": Book(FeedState.LIVE, "", 1, 2, None, 3, LEVELS, LEVELS),
    "book.ADA-USD.kraken.": Book(FeedState.STALE, "silent for 9 s", 1, 2, 3, 4, (), ()),
    "view.bbo.ETH-BTC.": EncodedView(live=True, depth=10, body=bytes(range(100))),
    "status.venue.kraken.": VenueStatus(
        *("kraken", FeedState.LIVE, "", "listener", 1, 2, 2, 3),
        (FeedStanding("ETH-BTC", FeedState.LIVE, 4, 5, agreed=True),),
    ),
    "status.instruments.kraken.": Instruments("kraken", ("ADA-USD", "ETH-BTC", "LTC-BTC")),
}

Frames = tuple[bytes, ...]


class Peer:
    """Says true things and damaged ones, and keeps count of the true ones."""

    def __init__(self, hand_made: HandMade, chance: random.Random) -> None:
        self.hand_made = hand_made
        self.seqs = dict.fromkeys(STATES, 0)
        self._beats = 0
        self._chance = chance

    def publish(self, topic: str) -> None:
        self.seqs[topic] += 1
        self._repeat(topic)

    def beat(self) -> None:
        self._beats += 1
        self.hand_made.beat(self._beats, self.seqs)

    def answer(self) -> None:
        """Send last values to whoever asked again."""
        for asked in self.hand_made.asked:
            for topic in STATES:
                if asked[:1] == b"\x01" and topic.startswith(asked[1:].decode()):
                    self._repeat(topic)
        self.hand_made.asked.clear()

    def damaged(self) -> Iterator[Frames]:
        """Yield one message after the other that was damaged on its way."""
        while True:
            topic = self._chance.choice([*STATES, "hb.p"])
            if topic == "hb.p":
                self._beats += 1
                payload = self.hand_made.pack(self._beats, Heartbeat(self.seqs))
            else:
                self.seqs[topic] += 1
                payload = self.hand_made.pack(self.seqs[topic], STATES[topic])
            yield self._damage([topic.encode(), payload])

    def _repeat(self, topic: str) -> None:
        self.hand_made.send(topic, self.seqs[topic], STATES[topic])

    def _damage(self, frames: list[bytes]) -> Frames:
        chance = self._chance
        kind = chance.randrange(10)
        if kind == 0:
            return tuple(chance.choice([frames[:1], [*frames, b""], frames[::-1], [b"", b""]]))
        which = 0 if kind == 1 else 1
        data = bytearray(frames[which])
        at = chance.randrange(len(data))
        if kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = chance.randbytes(chance.randint(1, 9))
        elif kind == 4:
            # Where who, when and which are.
            at = chance.randrange(min(40, len(data)))
            data[at] = chance.randrange(256)
        else:
            for _ in range(chance.randint(1, 4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        frames[which] = bytes(data)
        return tuple(frames)


def refused() -> float:
    """Return the messages that were counted instead of handed on, whatever the reason."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name in {"dragonfly_bus_dropped", "dragonfly_bus_undecodable"}
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


class Account:
    """What became of every message that arrived."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._received, self._refused = count("received"), refused()
        self.handed_on = 0
        self.beats = 0
        on_beat = BusSequencer.on_beat

        def counted(sequencer: BusSequencer, seq: int, digest: dict[str, int]) -> object:
            self.beats += 1
            return on_beat(sequencer, seq, digest)

        monkeypatch.setattr(BusSequencer, "on_beat", counted)

    @property
    def received(self) -> float:
        return count("received") - self._received

    @property
    def missing(self) -> float:
        return self.received - (refused() - self._refused) - self.handed_on - self.beats


def test_damaged_messages_are_counted_and_the_next_true_one_is_heard(
    world: World, monkeypatch: pytest.MonkeyPatch, *, long: bool
) -> None:
    damages = LONG_DAMAGED if long else DAMAGED
    clock = ManualClock()
    hand_made = world.hand_made(epoch=1_700_000_000_000_000_000)
    hand_made.now_ns = clock.now_ns
    ear = world.ear(hand_made.address, prefixes=[""], clock=clock)
    world.joined(hand_made, "", "hb.")
    peer = Peer(hand_made, random.Random(3))
    account = Account(monkeypatch)
    byes = 0
    heard: dict[str, int] = {}

    def true_states_heard() -> bool:
        nonlocal byes
        peer.answer()
        for event in ear.events:
            if isinstance(event, Delivery):
                account.handed_on += 1
                heard[event.topic] = event.seq
            else:
                assert event.reason in {"bye", "late"}  # a damaged beat can say so
                byes += 1
                clock.advance(0.2)
        ear.events.clear()
        return all(heard.get(topic) == seq for topic, seq in peer.seqs.items())

    for topic in STATES:
        peer.publish(topic)
    world.until(true_states_heard)
    damaged = peer.damaged()
    for _ in range(damages // AT_ONCE):
        for _ in range(AT_ONCE):
            peer.hand_made.throw(*next(damaged))
        # Twice: a damaged message may claim the very number of the next true one, which then is
        # taken for its duplicate; what is promised is the beat that follows the next change.
        for _ in range(2):
            for topic in STATES:
                peer.publish(topic)
            peer.beat()
        clock.advance(0.25)
        world.until(true_states_heard)
    assert account.missing == byes
    assert account.handed_on > damages // AT_ONCE * len(STATES)
    assert account.received > damages


def test_damaged_payloads_are_never_anything_but_a_decode_error(*, long: bool) -> None:
    damages = LONG_DAMAGED if long else DAMAGED
    chance = random.Random(4)
    payloads = [codec.encode_message("p", 1, 2, 3, body) for body in STATES.values()]
    refused = 0
    for _ in range(damages):
        data = bytearray(chance.choice(payloads))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            codec.decode_body(codec.decode_envelope(bytes(data)).body)
        except DecodeError:
            refused += 1
    assert damages / 2 < refused < damages
