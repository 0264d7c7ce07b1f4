"""Stand-ins at either end of the bus, so that one process can be measured alone.

Workers (see `measuring`): `run_speakers` publishes states made beforehand as listeners or an
aggregator would, `run_hearer` reads an aggregator's views.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from itertools import cycle
from multiprocessing.connection import Connection
from typing import Final, NamedTuple, cast

import msgspec
import zmq
from dragonfly_common import codec
from dragonfly_common.bus import Publisher
from dragonfly_common.clock import SystemClock
from dragonfly_common.messages import Body, EncodedView
from dragonfly_common.topics import ViewKind, view_topic
from dragonfly_protos import market_data_pb2 as pb

__all__ = ["Speaker", "run_hearer", "run_speakers"]

TURN_S: Final = 0.02


class Speaker(NamedTuple):
    """One publisher, and what it says; bodies are encoded."""

    address: str
    name: str
    status: Sequence[tuple[str, bytes]]
    """(topic, body): said once."""
    states: Sequence[tuple[str, Sequence[bytes]]]
    """(topic, bodies): one after another, again and again."""


def run_speakers(pipe: Connection, speakers: Sequence[Speaker]) -> None:
    """Answer `("say", rate, seconds)`: so many states a second in all, of all topics in turns."""
    with ExitStack() as stack:
        publishers = [
            stack.enter_context(closing(Publisher(one.address, one.name, SystemClock())))
            for one in speakers
        ]
        turns = []
        for publisher, speaker in zip(publishers, speakers, strict=True):
            for topic, body in speaker.status:
                publisher.publish(topic, _raw(body))
            turns += [(publisher, topic, cycle(map(_raw, b))) for topic, b in speaker.states]
        for publisher, topic, bodies in turns:
            publisher.publish(topic, next(bodies))
        pipe.send("ready")
        turn = cycle(turns)
        while True:
            while not pipe.poll(TURN_S):
                _tend(publishers)
            _, rate, seconds = pipe.recv()
            began, said, total = time.monotonic(), 0, round(rate * seconds)
            tended = began
            while said < total:
                now = time.monotonic()
                due = min(total, int((now - began) * rate) + 1)
                for _ in range(due - said):
                    publisher, topic, bodies = next(turn)
                    publisher.publish(topic, next(bodies))
                said = due
                if now > tended + TURN_S:
                    _tend(publishers)
                    tended = now
                time.sleep(max(0.0, began + said / rate - time.monotonic()))
            pipe.send(said / (time.monotonic() - began))


def _raw(body: bytes) -> Body:
    # The codec puts encoded bodies as they are into envelopes.
    return cast("Body", msgspec.Raw(body))


def _tend(publishers: Iterable[Publisher]) -> None:
    for publisher in publishers:
        publisher.tick()
        publisher.drain()


def run_hearer(pipe: Connection, address: str, instruments: Sequence[str]) -> None:
    """Ask for views, and take them.

    At a question: answer how many came, and in ns how long after the newest of its books was
    published each did that was looked at, since the last question, which is how many go unread for
    each that is looked at.
    """
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.rcvhwm = 0
    for instrument in instruments:
        socket.subscribe(view_topic(ViewKind.BOOK, instrument))
    socket.connect(address)
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(pipe.fileno(), zmq.POLLIN)
    count, every, lags = 0, 1, array("q")
    while True:
        for ready, _ in poller.poll():
            if ready is socket:
                _, payload = socket.recv_multipart()
                count += 1
                if count % every == 0 and (newest := _newest(payload)):
                    lags.append(time.time_ns() - newest)
            else:
                every = pipe.recv()[0]
                pipe.send((count, lags))
                count, lags = 0, array("q")


def _newest(payload: bytes) -> int:
    """Return when the newest book of a view was published; 0 where no venue is live."""
    view = codec.decode_body(codec.decode_envelope(payload).body)
    assert isinstance(view, EncodedView)
    return max((feed.ts_pub for feed in pb.Book.FromString(view.body).venues), default=0)
