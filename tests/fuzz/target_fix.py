"""Bytes of FIX: the codec, and a session that is logged on.

An input of the session is a msgpack array of messages, each an array of [tag, value]; they get the
right length and checksum. What is no such array is sent as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from dragonfly_common.clock import ManualClock
from dragonfly_fix.codec import FixDecoder, FixMessage, encode, encode_fields
from dragonfly_fix.fix44 import FIX44
from dragonfly_fix.session import Acceptor, LogonAdmitted, LogonRefused, Received
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.store import MemoryStore
from dragonfly_fix.timestamps import format_timestamp
from fuzzing import Target
from mutation import Form
from venue_simulator.exchange import Exchange
from venue_simulator.seeded import SeededDriver
from venue_simulator.truth import Truth
from venue_simulator.venue import Send
from venue_simulator.venues import VENUES
from venue_simulator.venues.binance.fix import BinanceFix

__all__ = ["BODIES", "EPOCH", "ORDER", "TARGETS", "fields", "framed", "numbered", "wire"]

EPOCH: Final = 1_790_000_000_000_000_000
NOW: Final = format_timestamp(EPOCH).decode()
HUGE: Final = 10**15
"""A number that only a SequenceReset leads to, and only another Logon with 141=Y back from."""
ORDER: Final = f"11=c|55=BTC-USD|54=1|60={NOW}|40=2|44=1|38=2|453=1|448=p|447=D|452=1"
BODIES: Final = (
    "35=0",
    "35=1|112=hello",
    "35=2|7=1|16=0",
    "35=2|7=2|16=3",
    "35=3|45=2|58=no",
    "35=4|36=9|123=Y",
    "35=4|36=9",
    f"35=4|43=Y|122={NOW}|36=4|123=Y",
    "35=5|58=bye",
    "35=A|98=0|108=10|141=Y",
    f"35=D|{ORDER}",
    f"35=D|43=Y|122={NOW}|{ORDER}",
    f"35=D|97=Y|115=desk|{ORDER}|847=1001|848=a=1|957=1|958=a|959=1|960=1",
    "35=V|262=m|263=1|264=10|265=0|266=N|267=2|269=0|269=1|146=1|55=BTC-USD|207=KRAKEN",
    "35=B|148=news|33=2|58=a|58=b|95=3|96=abc",
    "35=S",
)


class FixCodec(Target):
    """A stream of bytes: what was read can be written and read again."""

    name = "fix.codec"

    def seeds(self) -> Sequence[bytes]:
        return [framed(fields(text, 2)) * 2 for text in BODIES]

    def feed(self, data: bytes) -> str:
        decoder = FixDecoder(longest=1 << 12)
        found = [each for part in (data[:70], data[70:]) for each in decoder.feed(part)]
        assert len(decoder._buffer) < (1 << 12) + 64
        kinds = set[str]()
        for each in found:
            kinds.add(type(each).__name__)
            if isinstance(each, FixMessage) and all(value for _, value in each.fields):
                again = encode(each.type, encode_fields(each.fields), b"")
                [read] = FixDecoder().feed(again)
                assert read[:2] == each[:2]
        return " ".join(sorted(kinds)) or "nothing"

    def mend(self, data: bytes) -> bytes:
        parts = data.split(b"8=FIX.4.4\x019=")[1:]
        return b"".join(
            _enclosed(part.partition(b"\x01")[2].rpartition(b"10=")[0]) for part in parts
        )


class _Kept(MemoryStore):
    """A store that sees to it that no number is used twice."""

    def save(self, number: int, frame: bytes | None) -> None:
        assert number == self.next_out
        super().save(number, frame)


class LoggedOnSession(Target):
    """A session that is logged on, and an application that answers whatever it is handed.

    What it says is right by the dictionary; it uses no number twice and delivers none twice; and
    afterwards, on another connection, it sends again all that it must and asks for what it lacks.
    """

    name = "fix.session"
    form = Form.MSGPACK
    weight = 20

    def seeds(self) -> Sequence[bytes]:
        turns = [[fields(text, 2)] for text in BODIES]
        turns.append([fields(f"35=D|{ORDER}", number) for number in range(2, 8)])
        turns.append([fields(text, 2 + number) for number, text in enumerate(BODIES[:6])])
        return [msgspec.msgpack.encode(messages) for messages in turns]

    def reset(self) -> None:
        self._store = _Kept()
        self._said: dict[int, tuple[bytes, bytes | None]] = {}
        """Types and texts of application messages by number."""
        self._newest = 0
        """The number that was used last."""
        self._delivered = 0
        self._now = 0.0
        self._connect()

    def feed(self, data: bytes) -> str:
        self._now += 0.01
        if self._session.state is not SessionState.ACTIVE:
            self._connect()
        before = self._delivered
        kinds = {each.type.decode() for each in self._hear(wire(data))}
        self._session.tick(self._now, EPOCH)
        kinds |= {each.type.decode() for each in self._read()}
        if self._delivered != before:
            kinds.add("delivered")
        return " ".join([self._session.state.name, *sorted(kinds)])

    def mend(self, data: bytes) -> bytes:
        """Let the messages have the numbers that are expected."""
        return numbered(data, self._store.next_in)

    def check(self) -> None:
        self._connect()
        self._is_sent_again()
        self._asks_for_what_it_lacks()

    def _connect(self) -> None:
        self._now += 1.0
        self._session = Acceptor(lambda _: LogonAdmitted(self._store), self._now)
        reset = "|141=Y" if self._store.next_in > HUGE else ""
        number = 1 if reset else self._store.next_in
        answer, *_ = self._hear(framed(fields(f"35=A|98=0|108=10{reset}", number)))
        assert answer.type == b"A"
        assert self._session.state is SessionState.ACTIVE

    def _is_sent_again(self) -> None:
        last = self._store.next_out - 1
        request = fields("35=2|7=1|16=0", self._store.next_in)
        covered = 1
        for each in self._hear(framed(request)):
            if each.get(43) == b"Y" and covered <= last:
                number = int(each.get(34) or 0)
                assert number == covered
                if each.type == b"4":
                    covered = int(each.get(36) or 0)
                    assert not self._said.keys() & set(range(number, covered))
                else:
                    assert (each.type, each.get(148)) == self._said[number]
                    covered += 1
        assert covered == last + 1

    def _asks_for_what_it_lacks(self) -> None:
        expected = self._store.next_in
        numbers = [expected + 2, expected, expected + 1]
        frames = [framed(fields(f"35=D|{ORDER}", number)) for number in numbers]
        [asked] = self._hear(frames[0])
        assert (asked.type, asked.get(7)) == (b"2", b"%d" % expected)
        answers = self._hear(b"".join(frames[1:]))
        assert [each.get(148) for each in answers] == [b"%d" % number for number in sorted(numbers)]

    def _hear(self, data: bytes) -> Iterator[FixMessage]:
        for event in self._session.receive(data, self._now, EPOCH):
            if isinstance(event, Received):
                self._deliver(event.message)
        yield from self._read()

    def _deliver(self, message: FixMessage) -> None:
        number = int(message.get(34) or 0)
        # A reset within this input has not been read yet.
        assert number > self._delivered or number == self._store.next_in
        self._delivered = number
        if self._session.state is SessionState.ACTIVE:
            body = encode_fields([(148, b"%d" % number), (33, b"1"), (58, b"x")])
            self._session.send(b"B", body, self._now, EPOCH)

    def _read(self) -> Iterator[FixMessage]:
        """Yield what the session wrote, which is right; a replay is made as it is read."""
        decoder = FixDecoder()
        written = chain.from_iterable(map(decoder.feed, iter(self._session.output, b"")))
        for each in written:
            assert isinstance(each, FixMessage), each
            FIX44.check(each, strict=True)
            yield each
            if each.get(43) == b"Y":
                continue
            number = int(each.get(34) or 0)
            if each.type == b"A" and each.get(141) == b"Y":
                self._newest = 0
                self._said.clear()
            assert number == self._newest + 1
            self._newest = number
            if each.type in {b"B", b"j"}:
                self._said[number] = (each.type, each.get(148))


class SimulatedVenue(Target):
    """What Binance's simulated market data does with a client's Logon, requests and lists.

    Whoever it lets in is told something, or followed; and a good request is served afterwards.
    """

    name = "fix.simulator"
    form = Form.MSGPACK
    weight = 5

    def seeds(self) -> Sequence[bytes]:
        book = "267=2|269=0|269=1|146=1|55=ETHBTC"
        texts = (
            f"35=V|262=d|263=1|264=10|266=Y|{book}",
            f"35=V|262=t|263=1|264=1|{book}|25000=5",
            "35=V|262=d|263=2",
            "35=x|320=l|559=4",
            "35=x|320=l|559=0|55=ETHBTC",
        )
        return [msgspec.msgpack.encode([fields(text, 2, "SPOT")]) for text in texts]

    def reset(self) -> None:
        clock = ManualClock()
        exchange = Exchange(VENUES["binance"], clock, Truth())
        SeededDriver({"binance": exchange}, [], seed=1, rate=0.0)
        desk = BinanceFix(lambda _key, _signature, _signed: True)
        self._rules, self._exchange, self._desk = desk.rules, exchange, desk
        self._now = 0.0
        self._connect()

    def feed(self, data: bytes) -> str:
        if self._session.state is not SessionState.ACTIVE:
            self._connect()
        return self._hear(wire(data))

    def mend(self, data: bytes) -> bytes:
        return numbered(data, self._store.next_in)

    def check(self) -> None:
        self._connect()
        asked = fields("35=x|320=l|559=0|55=ETHBTC", self._store.next_in, "SPOT")
        assert self._hear(framed(asked)).split()[-1] == "y"

    def _connect(self) -> None:
        self._now += 2.0  # one account may try 300 times in 300 s
        self._store = MemoryStore(keeps=False)
        self._session = Acceptor(self._admit, self._now, self._rules)
        self._conversation = self._desk.converse(self._exchange, lambda: False)
        self._hear(framed(fields("35=A|98=0|108=30|141=Y|95=1|96==|553=K|25035=1", 1, "SPOT")))
        assert self._session.state is SessionState.ACTIVE, self._session.reason

    def _admit(self, logon: FixMessage) -> LogonAdmitted | LogonRefused:
        refused = self._desk.admit(logon, self._now, EPOCH, in_use=False)
        self._desk.release(logon, self._now, clean=True)
        return refused or LogonAdmitted(self._store, self._desk.greeting)

    def _hear(self, data: bytes) -> str:
        kinds = []
        for event in self._session.receive(data, self._now, EPOCH):
            if isinstance(event, Received):
                for action in self._conversation.receive(event.message, EPOCH):
                    kinds.append(type(action).__name__)
                    if isinstance(action, Send):
                        assert isinstance(action.frame, bytes)
                        kinds[-1] = action.frame[3:4].decode()
        written = list(FixDecoder().feed(b"".join(iter(self._session.output, b""))))
        assert all(isinstance(each, FixMessage) for each in written)
        return " ".join([self._session.state.name, *kinds])


def fields(text: str, number: int, target: str = "YOU") -> list[list[Any]]:
    kind, *rest = (field.split("=", 1) for field in text.split("|"))
    header = [[34, str(number)], [49, "ME"], [52, NOW], [56, target]]
    return [[35, kind[1]], *header, *([int(tag), value] for tag, value in rest)]


def framed(message: Iterable[Any]) -> bytes:
    inside = b"".join(b"%b=%b\x01" % tuple(map(_text, field)) for field in message)
    return _enclosed(inside) if inside else b""


def _enclosed(inside: bytes) -> bytes:
    framed = b"8=FIX.4.4\x019=%d\x01%b" % (len(inside), inside)
    return b"%b10=%03d\x01" % (framed, sum(framed) % 256)


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


def _messages(data: bytes) -> list[Any]:
    """Return the messages that an input describes; none where it is no array of them."""
    try:
        found = msgspec.msgpack.decode(data, type=list[list[tuple[Any, Any]]])
    except (msgspec.MsgspecError, UnicodeError, ValueError, TypeError, RecursionError):
        return []
    return [[list(field) for field in message] for message in found]


def numbered(data: bytes, first: int) -> bytes:
    messages = _messages(data)
    for number, message in enumerate(messages, first):
        for field in message:
            if field[0] == 34:
                field[1] = str(number)
    return msgspec.msgpack.encode(messages) if messages else data


def wire(data: bytes) -> bytes:
    messages = _messages(data)
    return b"".join(map(framed, messages)) if messages else data


TARGETS: Final = (FixCodec, LoggedOnSession, SimulatedVenue)
