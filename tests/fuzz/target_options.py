"""What a person writes: options, key and trust files, tokens, faults; and the simulator's page."""

from __future__ import annotations

import asyncio
import contextlib
import io
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlencode

import click
import msgspec
from aggregator.cli import aggregator
from dragonfly_common.bus import Keys, Role
from dragonfly_common.bus.curve import new_pair
from dragonfly_common.clock import ManualClock
from dragonfly_common.discovery import check_address, check_upstream
from dragonfly_common.equivalence import is_market, normalise_market
from dragonfly_common.errors import ConfigError, UserError
from dragonfly_common.types import is_instrument, normalise_instrument
from dragonfly_venues.registry import find_venue
from dragonfly_venues.transport import STREAM_SCHEMES, check_url
from dragonfly_venues.venue import Ask
from dragonfly_views.access import read_tokens
from dragonfly_views.tokens import write_entry
from feed_listener.cli import listener
from fuzzing import Target
from grpc_gateway.cli import gateway
from mutation import Form
from supervisor.cli import demo, up
from supervisor.options import by_venue
from target_venues import stream_symbol, ws_path
from terminal.cli import watch
from venue_simulator import control
from venue_simulator.cli import simulator
from venue_simulator.exchange import Exchange
from venue_simulator.fault_injection import FaultInjection
from venue_simulator.faults import Fault, FaultKind, parse_planned_fault
from venue_simulator.recordings import load_recordings
from venue_simulator.seeded import SeededDriver
from venue_simulator.simulator import Simulator
from venue_simulator.truth import Truth
from venue_simulator.venues import VENUES

__all__ = ["TARGETS"]


def refused_in_a_sentence(error: Exception) -> str:
    sentence = str(error)
    assert sentence, repr(error)
    return type(error).__name__


class Words(Target):
    """Single words: instruments, addresses, URLs, venues, faults."""

    name = "options.words"

    PARSERS: ClassVar[Mapping[str, Callable[[str], object]]] = {
        "instrument": normalise_instrument,
        "market": normalise_market,
        "address": check_address,
        "upstream": check_upstream,
        "url": lambda text: check_url(text, "--ws-url", STREAM_SCHEMES),
        "venue": find_venue,
        "pair": lambda text: by_venue("--ws-url", [text], ["kraken"]),
        "fault": lambda text: parse_planned_fault(text, ["kraken"]),
    }

    def seeds(self) -> Sequence[bytes]:
        return [
            b"instrument ETH-BTC",
            b"market BTC-USD+BTC-USDT*USDT-USD+1000BTC-USDC/1000@0.99",
            b"address tcp://127.0.0.1:5551",
            b"address ipc:///tmp/x",
            b"upstream tcp://[::1]:5551",
            b"upstream inproc://x",
            b"url wss://host:443/path",
            b"venue kraken",
            b"pair kraken=ws://host",
            *(b"fault kraken %s at=1 for=2 every=9" % kind.encode() for kind in FaultKind),
            b"fault kraken gap at=1 instrument=ETH-BTC",
        ]

    def feed(self, data: bytes) -> str:
        # As the words of a command line come: bytes that are no text are kept as surrogates.
        kind, _, text = os.fsdecode(data).partition(" ")
        parse = self.PARSERS.get(kind)
        if parse is None:
            return "no parser"
        try:
            found = parse(text)
        except UserError as error:
            return f"{kind} {refused_in_a_sentence(error)}"
        if kind in {"instrument", "market"}:
            assert isinstance(found, str)
            assert is_instrument(found) or (kind == "market" and is_market(found)), repr(found)
        return kind


class Commands(Target):
    """Command lines. Nothing is started."""

    name = "options.commands"
    form = Form.JSON
    weight = 2

    COMMANDS: ClassVar[Mapping[str, click.Command]] = {
        command.name or "": command
        for command in (listener, aggregator, gateway, simulator, up, demo, watch)
    }

    def seeds(self) -> Sequence[bytes]:
        common = "--linger-s 3 --depth 5 --instrument ETH-BTC --log-level info --id x"
        shared = "--peer tcp://h:1 --redundancy 2 --handover-s 3"
        lines = [
            f"listener --venue kraken --bind tcp://127.0.0.1:1 {shared} {common}",
            f"aggregator --upstream ipc:///x --bind ipc:///y {shared} {common}",
            f"gateway --upstream ipc:///x --ack-timeout-s 2 --pong-timeout-s 2 --window 9 {common}",
            "simulator --rate 3 --speed 2 --seed 1 --fault kraken-gap --port 0",
            "up --venue kraken --instrument ETH-BTC --ws-url kraken=ws://h",
            "demo --fault kraken-gap",
            "watch ETH-BTC --gateway 127.0.0.1:50051",
        ]
        return [msgspec.json.encode(line.split()) for line in lines]

    def feed(self, data: bytes) -> str:
        try:
            name, *words = msgspec.json.decode(data, type=list[str])
        except (msgspec.MsgspecError, UnicodeError, ValueError):
            return "no command line"
        command = self.COMMANDS.get(name)
        if command is None:
            return "no command"
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                context = command.make_context(name, words)
        except (click.ClickException, UserError) as error:
            return f"{name} {refused_in_a_sentence(error)}"
        except click.exceptions.Exit:
            return f"{name} help"
        for option, value in context.params.items():
            assert not (isinstance(value, float) and math.isnan(value)), f"{option} is {value}"
        return name


class _File(Target):
    """A file's text, by the way it is read."""

    weight = 4

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(
            prefix="dragonfly-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None
        )
        self.folder = Path(self._folder.name)

    def close(self) -> None:
        self._folder.cleanup()


class KeyFiles(_File):
    name = "files.keys"

    def seeds(self) -> Sequence[bytes]:
        public, secret = new_pair()
        return [b"public %s\nsecret %s\n" % (public, secret), b"# a comment\npublic x\n"]

    def feed(self, data: bytes) -> str:
        public, _ = new_pair()
        (self.folder / "trust").write_bytes(b"aggregator " + public)
        (self.folder / "key").write_bytes(data)
        try:
            Keys(Role.LISTENER, self.folder / "key", self.folder / "trust")
        except ConfigError as error:
            return refused_in_a_sentence(error)
        return "a pair"


class TrustFiles(_File):
    name = "files.trust"

    def __init__(self) -> None:
        super().__init__()
        public, secret = new_pair()
        (self.folder / "key").write_bytes(b"public %s\nsecret %s\n" % (public, secret))
        (self.folder / "trust").write_bytes(b"listener " + public)
        self._keys = Keys(Role.LISTENER, self.folder / "key", self.folder / "trust")
        self._now = 0.0

    def seeds(self) -> Sequence[bytes]:
        keys = [new_pair()[0] for _ in Role]
        return [
            b"\n".join(
                b"%s %s host" % pair for pair in zip(map(str.encode, Role), keys, strict=True)
            )
        ]

    def feed(self, data: bytes) -> str:
        """Let the file change under a running process."""
        (self.folder / "trust").write_bytes(data)
        version = self._keys.version
        self._now += 2.0
        self._keys.refresh(self._now)
        for role in Role:
            assert all(len(key) == 40 for key in self._keys.trusted(role))
        return "taken" if self._keys.version > version else "as before"


class TokenFiles(_File):
    name = "files.tokens"

    def seeds(self) -> Sequence[bytes]:
        one, two = write_entry("a.bot", "ab" * 32), write_entry("b", "cd" * 32)
        return [one.encode(), (one + two).encode(), b"[bots]\n", b"a = [{b = 1.5e3}]\n"]

    def feed(self, data: bytes) -> str:
        (self.folder / "tokens").write_bytes(data)
        try:
            tokens = read_tokens(self.folder / "tokens")
        except ConfigError as error:
            return refused_in_a_sentence(error)
        for bot in tokens:
            quota = bot.quota
            for value in (quota.streams, quota.instruments, quota.connections_per_s):
                assert value is None or 0 < value < math.inf, quota
        return f"{len(list(tokens))} bots"


class Recordings(_File):
    """Recorded lines of a venue: a recording, or one sentence."""

    name = "files.recordings"
    weight = 2

    def seeds(self) -> Sequence[bytes]:
        bitstamp = (
            b'1.5: {"data":{"timestamp":"1","microtimestamp":"1500000","bids":[["2.0","1"]],'
            b'"asks":[["3.0","1"]]},"channel":"order_book_btcusd","event":"data"}'
        )
        kraken = (
            b'2.5: {"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":'
            b'[{"price":2.0,"qty":1.0}],"asks":[{"price":3.0,"qty":1.0}],"checksum":1,'
            b'"timestamp":"2026-08-16T23:37:01.849274Z"}]}'
        )
        binance = (
            b'1.5: {"stream":"ethbtc@depth","data":{"e":"depthUpdate","E":1,"s":"ETHBTC","U":1,'
            b'"u":2,"b":[["2","1"]],"a":[]}}'
        )
        gateio = (
            b'1.5: {"time":1,"channel":"spot.order_book_update","event":"update","result":{"t":1,'
            b'"e":"depthUpdate","E":1,"s":"BTC_USDT","U":5,"u":5,"b":[["6","1"]],"a":[]}}'
        )
        gemini = (
            b'1.5: {"type":"l2_updates","symbol":"BTCUSD","changes":[["buy","6","1"],'
            b'["sell","7","1"]],"trades":[]}'
        )
        kucoin = (
            b'1.5: {"data":{"sequenceStart":5,"symbol":"BTC-USDT","changes":{"asks":[],"bids":'
            b'[["6","1","5"]]},"sequenceEnd":5},"topic":"/market/level2:BTC-USDT"}'
        )
        okx = (
            b'1.5: {"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":['
            b'{"asks":[["3366.8","9","0","1"],["3368","8","0","1"],["3372","8","0","1"]],"bids":'
            b'[["3366.1","7","0","1"]],"ts":"1500","checksum":831078360}]}'
        )
        samples = {
            "BINANCE": binance,
            "BITSTAMP": bitstamp,
            "GATEIO": gateio,
            "GEMINI": gemini,
            "KRAKEN": kraken,
            "KUCOIN": kucoin,
            "OKX": okx,
        }
        found = [f"{name}.ws.1.0\n".encode() + line for name, line in samples.items()]
        return [*found, *_captured()]

    def feed(self, data: bytes) -> str:
        name, _, text = data.partition(b"\n")
        venue = name.split(b".")[0].decode("ascii", "ignore").lower()
        if venue not in VENUES:
            return "no venue"
        for folder in self.folder.iterdir():
            for file in folder.iterdir():
                file.unlink()
        (self.folder / venue).mkdir(exist_ok=True)
        (self.folder / venue / f"{venue.upper()}.ws.1.0").write_bytes(text)
        try:
            recordings = load_recordings(self.folder)
        except ConfigError as error:
            return refused_in_a_sentence(error)
        return f"{venue} {len(recordings)}"


def _captured() -> list[bytes]:
    """Return the beginnings of recorded files, where the project has them beside it."""
    found = []
    for path in sorted((Path(__file__).resolve().parents[3] / "shared/captures").glob("*/*.ws.*")):
        if path.parent.name in VENUES:
            with path.open("rb") as file:
                lines = b"".join(file.readlines(40_000)[:30])
            found.append(path.name.encode() + b"\n" + lines)
    return found


class Control(Target):
    """The page by which a running simulator is told what to do."""

    name = "simulator.control"
    weight = 4

    def seeds(self) -> Sequence[bytes]:
        queries = [
            {"venue": "kraken", "kind": kind.value, "instrument": "ETH-BTC"} for kind in FaultKind
        ]
        return [
            *(f"/fault?{urlencode(query)}".encode() for query in queries),
            b"/fault?venue=kraken&kind=gap&seconds=2.5",
            b"/clear?venue=kraken&kind=gap&instrument=ETH-BTC",
            b"/clear",
            b"/subscriptions",
            b"/step?count=3",
        ]

    def reset(self) -> None:
        clock, truth = ManualClock(), Truth()
        exchanges = {name: Exchange(venue, clock, truth) for name, venue in VENUES.items()}
        driver = SeededDriver(exchanges, [], seed=1, rate=0.0)
        faults = _Timeless(exchanges, clock, truth)
        self._simulator = Simulator(exchanges, driver, faults, truth)

    def feed(self, data: bytes) -> str:
        path, _, query = data.decode(errors="replace").partition("?")
        reply = control.answer(self._simulator, path, dict(parse_qsl(query)))
        said: Any = msgspec.json.decode(reply.body)
        assert reply.status == 200 or said["error"]
        return f"{path[:12]} {reply.status}"

    def check(self) -> None:
        reply = control.answer(self._simulator, "/step", {"count": "1"})
        assert reply.status == 200, reply


_LOOP: Final = asyncio.new_event_loop()
_LOOP.close()


class _Timeless(FaultInjection):
    def _after(self, seconds: float, act: Callable[[], None], fault: Fault) -> asyncio.TimerHandle:
        """Keep no timers: they need a loop that runs."""
        assert 0 <= seconds < math.inf
        return asyncio.TimerHandle(0.0, act, (), _LOOP)


UNASKED: Final = b'okx {"op":"subscribe","args":[{"channel":"bbo-tbt","instId":"ETH-BTC"}]}'
"""What a simulated venue answers, and no listener asks."""


def _requests(venue: str) -> Iterator[str]:
    """Yield each kind of frame that a listener sends to `venue`."""
    rules = find_venue(venue)
    yield from rules.greeting
    for subscribe in (True, False):
        yield from rules.requests(
            Ask(
                symbols=[stream_symbol(venue)],
                request_id=1,
                depth=10,
                subscribe=subscribe,
                handles={stream_symbol(venue): 1},
                bbo=rules.audits.bbo,
            )
        )
    for write in (rules.probe, rules.keepalive):
        if write is not None:
            yield write(2)
    if rules.instruments.ws_request is not None:
        yield rules.instruments.ws_request


class Requests(Target):
    """What clients send to simulated venues."""

    name = "simulator.requests"
    weight = 4

    def seeds(self) -> Sequence[bytes]:
        ours = [f"{name} {frame}".encode() for name in VENUES for frame in _requests(name)]
        return [*ours, UNASKED]

    def reset(self) -> None:
        clock = ManualClock()
        self._exchanges = {name: Exchange(venue, clock, Truth()) for name, venue in VENUES.items()}
        SeededDriver(self._exchanges, [], seed=1, rate=0.0)
        self._sessions = {
            name: exchange.venue.session(ws_path(exchange), exchange, 1)
            for name, exchange in self._exchanges.items()
        }
        self._now_ns = clock.now_ns()

    def feed(self, data: bytes) -> str:
        name, _, frame = data.partition(b" ")
        session = self._sessions.get(name.decode(errors="replace"))
        if session is None:
            return "no venue"
        self._now_ns += 10**9
        actions = session.receive(frame, self._now_ns)
        return " ".join(sorted({type(action).__name__ for action in actions}))


TARGETS: Final = (
    Words,
    Commands,
    KeyFiles,
    TrustFiles,
    TokenFiles,
    Recordings,
    Control,
    Requests,
)
