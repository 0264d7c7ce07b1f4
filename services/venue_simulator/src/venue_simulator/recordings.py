"""Recorded messages of real venues, rebuilt into the states that their books went through.

Seeds and deltas go in, whole books come out: the simulator can then serve them in any shape that
the venue has. Each `rebuild_*` is a pure function of recorded lines; only `load_recordings` reads
files. A recording that contradicts itself (a lost delta, a wrong checksum) is refused, because
everything served from it is taken for the truth.

A line is `[<url> <arrow> ]<unix time>: <message>`: with the arrow `<-` the client sent it, with
`->` the message is the answer to a REST request, and with neither it came from the socket.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec
from dragonfly_common.errors import ConfigError

from venue_simulator.recorded_messages import (
    BinanceDelta,
    BinanceFrame,
    BinanceInstruments,
    BinanceSeed,
    BitstampBook,
    BitstampFrame,
    BitstampPair,
    KrakenV1Book,
    KrakenV2Book,
    KrakenV2Frame,
)

__all__ = [
    "KEPT_LEVELS",
    "RecordedState",
    "Recording",
    "TextLevel",
    "load_recordings",
    "rebuild_binance",
    "rebuild_bitstamp",
    "rebuild_kraken_v1",
    "rebuild_kraken_v2",
]

KEPT_LEVELS: Final = 100
"""Levels a side of a recorded state: as many as any venue's channel shows."""

TextLevel = tuple[str, str]
"""(price, amount) as the venue printed them."""

_CHECKSUM_LEVELS: Final = 10
_LINE: Final = re.compile(
    r"(?:(?P<url>\S+) (?P<arrow><->|<-|->) )?(?P<at>\d+(?:\.\d+)?): (?P<text>.+)"
)
_OLD_KRAKEN_NAMES: Final = {"XBT": "BTC", "XDG": "DOGE"}


@dataclass(frozen=True, slots=True)
class RecordedState:
    """One state of a book: levels best first, `offset_s` seconds after the recording's first."""

    offset_s: float
    venue_seq: int
    bids: tuple[TextLevel, ...]
    asks: tuple[TextLevel, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """The states of one venue's book, `venue_seq` strictly rising; `symbol` is the venue's name."""

    venue: str
    instrument: str
    symbol: str
    states: tuple[RecordedState, ...]


def load_recordings(directory: Path) -> list[Recording]:
    """Rebuild every book recorded under `directory`, a folder per venue.

    Raises:
        ConfigError: nothing is recorded there, or a recording contradicts itself.
    """
    try:
        recordings = _rebuild_all(directory)
    except (msgspec.MsgspecError, LookupError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the recordings in {str(directory)!r} hold a message of another shape: {error}"
        ) from error
    if not recordings:
        raise ConfigError(
            f"no recorded book in {str(directory)!r}: name a folder that holds "
            "binance/BINANCE.*, bitstamp/BITSTAMP.* or kraken/KRAKEN.*"
        )
    return recordings


def _rebuild_all(directory: Path) -> list[Recording]:
    binance, bitstamp, kraken = (directory / name for name in ("binance", "bitstamp", "kraken"))
    return [
        *rebuild_binance(
            _read(binance, "BINANCE.0"),
            _read(binance, "BINANCE.http.*"),
            _read(binance, "BINANCE.ws.*"),
        ),
        *rebuild_bitstamp(
            _read(bitstamp, "BITSTAMP.0"),
            _read(bitstamp, "BITSTAMP.http.*"),
            _read(bitstamp, "BITSTAMP.ws.*"),
        ),
        *rebuild_kraken_v1(_read(kraken, "KRAKEN.ws.*")),
        *chain.from_iterable(
            rebuild_kraken_v2(path.read_text(encoding="utf-8").splitlines())
            for path in sorted(kraken.glob("*.ndjson"))
        ),
    ]


def rebuild_binance(
    instruments: Iterable[str], seeds: Iterable[str], frames: Iterable[str]
) -> list[Recording]:
    """Rebuild books from `exchangeInfo`, REST depth seeds and `@depth` deltas.

    Follows "How to manage a local order book correctly" of web-socket-streams.md: deltas up to the
    seed are dropped, the first one applied straddles it, and each further one joins the last.

    Raises:
        ConfigError: a delta is missing between the seed and the end.
    """
    names = {
        symbol.symbol: f"{symbol.base}-{symbol.quote}"
        for line in _parse(instruments)
        for symbol in msgspec.json.decode(line.text, type=BinanceInstruments).symbols
    }
    deltas: dict[str, list[tuple[float, BinanceDelta]]] = defaultdict(list)
    for line in _parse(frames):
        if line.received and "@depth" in line.text[:64]:
            delta = msgspec.json.decode(line.text, type=BinanceFrame).data
            deltas[delta.symbol].append((line.at, delta))

    recordings = []
    for line in _parse(seeds):
        seed = msgspec.json.decode(line.text, type=BinanceSeed)
        symbol = parse_qs(urlsplit(line.url).query)["symbol"][0]
        fresh = [(at, delta) for at, delta in deltas[symbol] if delta.last_id > seed.last_id]
        book = _Rebuilding("binance", names[symbol], symbol)
        book.apply(_seed_time(line.at, fresh), seed.last_id, seed.bids, seed.asks)
        last_id = seed.last_id
        for at, delta in fresh:
            if delta.first_id > last_id + 1:
                raise _broken(book, f"no delta holds the update {last_id + 1}")
            book.apply(at, delta.last_id, delta.bids, delta.asks)
            last_id = delta.last_id
        recordings.append(book.recording())
    return recordings


def rebuild_bitstamp(
    instruments: Iterable[str], seeds: Iterable[str], frames: Iterable[str]
) -> list[Recording]:
    """Rebuild books from `trading-pairs-info`, REST books and `diff_order_book_` frames.

    Frames up to the seed's microtimestamp are dropped, the rest applied in order: the venue sends
    nothing else that could show a loss.

    Raises:
        ConfigError: a microtimestamp does not rise.
    """
    names = {
        pair.symbol: pair.name.replace("/", "-")
        for line in _parse(instruments)
        for pair in msgspec.json.decode(line.text, type=list[BitstampPair])
    }
    deltas: dict[str, list[tuple[float, BitstampBook]]] = defaultdict(list)
    for line in _parse(frames):
        if line.received and '"channel":"diff_order_book_' in line.text:
            frame = msgspec.json.decode(line.text, type=BitstampFrame)
            if frame.event == "data":
                symbol = frame.channel.removeprefix("diff_order_book_")
                deltas[symbol].append((line.at, msgspec.json.decode(frame.data, type=BitstampBook)))

    recordings = []
    for line in _parse(seeds):
        seed = msgspec.json.decode(line.text, type=BitstampBook)
        symbol = urlsplit(line.url).path.rstrip("/").rpartition("/")[2]
        fresh = [(at, delta) for at, delta in deltas[symbol] if delta.time_us > seed.time_us]
        book = _Rebuilding("bitstamp", names[symbol], symbol)
        book.apply(_seed_time(line.at, fresh), seed.time_us, seed.bids, seed.asks)
        for at, delta in fresh:
            book.apply(at, delta.time_us, delta.bids, delta.asks)
        recordings.append(book.recording())
    return recordings


def rebuild_kraken_v1(frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from the frames of the first socket, `book-1000`, checking each checksum.

    A message has no id of its own: the latest time among its levels serves, in µs, and where that
    does not rise, one more than the last.

    Raises:
        ConfigError: a checksum does not hold.
    """
    books: dict[str, _Rebuilding] = {}
    for line in _parse(frames):
        if not (line.received and line.text.startswith("[")):
            continue
        _, *parts, channel, pair = msgspec.json.decode(
            line.text, type=list[int | str | KrakenV1Book]
        )
        content = [part for part in parts if isinstance(part, KrakenV1Book)]
        book = books.get(str(pair))
        if book is None:
            symbol = "/".join(_OLD_KRAKEN_NAMES.get(name, name) for name in str(pair).split("/"))
            depth = int(str(channel).removeprefix("book-"))
            book = books[str(pair)] = _Rebuilding("kraken", symbol.replace("/", "-"), symbol, depth)
        bids = [level for part in content for level in (*part.bids, *part.new_bids)]
        asks = [level for part in content for level in (*part.asks, *part.new_asks)]
        time_us = max(int(level[2].replace(".", "")) for level in (*bids, *asks))
        book.apply(line.at, max(time_us, book.venue_seq + 1), bids, asks)
        for part in content:
            if part.checksum is not None:
                book.verify(int(part.checksum))
    return [book.recording() for book in books.values()]


def rebuild_kraken_v2(frames: Iterable[str]) -> list[Recording]:
    """Rebuild books from the frames of the second socket, one JSON object a line, without times.

    Each message is placed at its own timestamp, which also serves as its id, in µs.

    Raises:
        ConfigError: a checksum does not hold.
    """
    depths: dict[str, int] = {}
    books: dict[str, _Rebuilding] = {}
    for text in filter(str.strip, frames):
        frame = msgspec.json.decode(text, type=KrakenV2Frame)
        if frame.result is not None:
            depths[frame.result.symbol] = frame.result.depth
        if frame.channel != "book":
            continue
        for content in msgspec.json.decode(frame.data, type=list[KrakenV2Book]):
            symbol = content.symbol
            if frame.type == "snapshot":
                books[symbol] = _Rebuilding(
                    "kraken", symbol.replace("/", "-"), symbol, depths[symbol]
                )
            book = books[symbol]
            at = datetime.fromisoformat(content.timestamp)
            time_us = int(at.timestamp()) * 1_000_000 + at.microsecond
            book.apply(
                time_us / 1e6,
                max(time_us, book.venue_seq + 1),
                [level.text() for level in content.bids],
                [level.text() for level in content.asks],
            )
            book.verify(content.checksum)
    return [book.recording() for book in books.values()]


class _Ladder:
    """One side of a book as the venue sends it: best first, amount zero removes."""

    def __init__(self, *, falling: bool) -> None:
        self._sign = -1.0 if falling else 1.0
        self._keys: list[float] = []
        self._levels: dict[float, TextLevel] = {}

    def put(self, price: str, amount: str) -> None:
        key = self._sign * float(price)
        if float(amount) > 0:
            if key not in self._levels:
                insort(self._keys, key)
            self._levels[key] = (price, amount)
        elif self._levels.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    def cut(self, depth: int) -> None:
        for key in self._keys[depth:]:
            del self._levels[key]
        del self._keys[depth:]

    def best(self, count: int) -> tuple[TextLevel, ...]:
        return tuple(self._levels[key] for key in self._keys[:count])


class _Rebuilding:
    """One book on its way through the recording, and the states it has been in."""

    def __init__(self, venue: str, instrument: str, symbol: str, depth: int | None = None) -> None:
        self.venue, self.instrument, self.symbol = venue, instrument, symbol
        self._depth = depth
        self._bids, self._asks = _Ladder(falling=True), _Ladder(falling=False)
        self._started_at = 0.0
        self._states: list[RecordedState] = []

    @property
    def venue_seq(self) -> int:
        return self._states[-1].venue_seq if self._states else 0

    def apply(
        self,
        at: float,
        venue_seq: int,
        bids: Iterable[Sequence[str]],
        asks: Iterable[Sequence[str]],
    ) -> None:
        """Apply one message's levels in its order, then note the state."""
        if venue_seq <= self.venue_seq:
            raise _broken(self, f"{venue_seq} comes after {self.venue_seq}")
        for ladder, levels in ((self._bids, bids), (self._asks, asks)):
            for price, amount, *_ in levels:
                ladder.put(price, amount)
            if self._depth is not None:
                # Kraken sends no delete for what leaves the window.
                ladder.cut(self._depth)
        if not self._states:
            self._started_at = at
        self._states.append(
            RecordedState(
                offset_s=at - self._started_at,
                venue_seq=venue_seq,
                bids=self._bids.best(KEPT_LEVELS),
                asks=self._asks.best(KEPT_LEVELS),
            )
        )

    def verify(self, checksum: int) -> None:
        """Check Kraken's CRC32 over the printed text of the ten best asks, then bids."""
        levels = (*self._asks.best(_CHECKSUM_LEVELS), *self._bids.best(_CHECKSUM_LEVELS))
        text = "".join(number.replace(".", "").lstrip("0") for level in levels for number in level)
        if zlib.crc32(text.encode()) != checksum:
            raise _broken(self, f"the checksum {checksum} does not hold")

    def recording(self) -> Recording:
        return Recording(self.venue, self.instrument, self.symbol, tuple(self._states))


class _Line(NamedTuple):
    url: str
    arrow: str
    at: float
    text: str

    @property
    def received(self) -> bool:
        return not self.arrow


def _parse(lines: Iterable[str]) -> Iterator[_Line]:
    for line in lines:
        match = _LINE.fullmatch(line.rstrip("\n"))
        if match is not None:
            yield _Line(match["url"] or "", match["arrow"] or "", float(match["at"]), match["text"])


def _read(folder: Path, pattern: str) -> Iterator[str]:
    for path in sorted(folder.glob(pattern)):
        with path.open(encoding="utf-8") as lines:
            yield from lines


def _seed_time(answered_at: float, fresh: Sequence[tuple[float, object]]) -> float:
    """Place a seed before the deltas that follow it: REST answers later than the socket."""
    return min([answered_at, *(at for at, _ in fresh[:1])])


def _broken(book: _Rebuilding, what: str) -> ConfigError:
    return ConfigError(
        f"the recording of {book.symbol} at {book.venue} is broken: {what}; record it again"
    )
