"""Recorded frames of real venues through the decoders, held against an independent rebuild."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from dragonfly_common.types import Side
from dragonfly_venues.binance import seed as binance
from dragonfly_venues.binance.decoder import BinanceChangesDecoder
from dragonfly_venues.bitfinex.decoder import BitfinexDecoder
from dragonfly_venues.coinbase.decoder import CoinbaseDecoder
from dragonfly_venues.decoding.delta_books import DeltaDecoder
from dragonfly_venues.deribit.decoder import DeribitChangesDecoder
from dragonfly_venues.events import BookTop, Broken, Event, SeedWanted, Unchanged, Verified
from dragonfly_venues.gateio.decoder import GateioDecoder
from dragonfly_venues.gemini.decoder import GeminiChangesDecoder
from dragonfly_venues.htx.decoder import HtxDecoder
from dragonfly_venues.kucoin import seed as kucoin
from dragonfly_venues.kucoin.decoder import KucoinDecoder
from dragonfly_venues.okx.decoder import OkxDecoder
from venue_simulator.book import Levels
from venue_simulator.rebuilding import RecordedState, Recording, parse_lines, read_lines, read_parts
from venue_simulator.venues.binance.recording import rebuild as rebuild_binance
from venue_simulator.venues.bitfinex.recording import rebuild as rebuild_bitfinex
from venue_simulator.venues.coinbase.recording import rebuild as rebuild_coinbase
from venue_simulator.venues.deribit.recording import rebuild_books as rebuild_deribit
from venue_simulator.venues.gateio.recording import rebuild as rebuild_gateio
from venue_simulator.venues.gemini.recording import rebuild as rebuild_gemini
from venue_simulator.venues.htx.recording import read_frames as read_htx
from venue_simulator.venues.htx.recording import rebuild as rebuild_htx
from venue_simulator.venues.kucoin.recording import rebuild as rebuild_kucoin
from venue_simulator.venues.okx.recording import rebuild as rebuild_okx

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
DEPTH = 10

pytestmark = pytest.mark.needs(CAPTURES)


def numbers(levels: Levels) -> Side:
    return tuple((float(price), float(amount)) for price, amount in levels[:DEPTH])


def tops(state: RecordedState) -> tuple[Side, Side]:
    return numbers(state.bids), numbers(state.asks)


def test_gateio_changes_are_the_recorded_books() -> None:
    folder = CAPTURES / "gateio"
    rebuilt = {
        recording.symbol: {state.venue_seq: tops(state) for state in recording.states}
        for recording in rebuild_gateio(folder)
    }
    decoder = GateioDecoder(DEPTH)
    shown: Counter[str] = Counter()
    last: dict[str, int] = {}
    _, seeds, frames = read_parts(folder, "GATEIO")
    # Recorded was the older channel, whose books REST began: here they begin in the stream.
    messages = []
    for line in parse_lines(seeds):
        symbol = parse_qs(urlsplit(line.url).query)["currency_pair"][0]
        book = json.loads(line.text)
        last[symbol] = book["id"]
        sides = {"t": 0, "full": True, "u": book["id"], "b": book["bids"], "a": book["asks"]}
        messages.append((symbol, sides))
    for line in parse_lines(frames):
        if line.received and '"spot.order_book_update","event":"update"' in line.text:
            result = json.loads(line.text)["result"]
            if result["u"] > last[result["s"]]:
                messages.append((result["s"], result))
    for symbol, result in messages:
        if not result.get("full"):
            assert result["U"] <= last[symbol] + 1 <= result["u"]
            result |= {"U": last[symbol] + 1}
        last[symbol] = result["u"]
        push = {"channel": "spot.obu", "result": result | {"s": f"ob.{symbol}.50"}}
        (event,) = decoder.decode(json.dumps(push, separators=(",", ":")).encode())
        assert not isinstance(event, Broken), event
        if isinstance(event, BookTop):
            shown[symbol] += 1
            assert (event.bids, event.asks) == rebuilt[symbol][event.venue_seq]
            assert not (event.bids and event.asks) or event.bids[0] < event.asks[0]
    assert set(shown) == set(rebuilt)
    assert len(messages) == 169
    for symbol, states in rebuilt.items():
        assert decoder.seq(symbol) == max(states)


def test_gemini_changes_are_the_recorded_books() -> None:
    folder = CAPTURES / "gemini"
    rebuilt = {recording.symbol: iter(recording.states) for recording in rebuild_gemini(folder)}
    decoder = GeminiChangesDecoder(DEPTH)
    shown: Counter[str] = Counter()
    number = 0
    _, _, frames = read_parts(folder, "GEMINI")
    for line in parse_lines(frames):
        if not (line.received and '"type":"l2_updates"' in line.text):
            continue
        # Recorded was the older socket, whose messages have no numbers.
        told = json.loads(line.text)
        symbol, whole = told["symbol"].lower(), "trades" in told
        number += 3
        changes = {
            side: [[price, amount] for name, price, amount in told["changes"] if name == wanted]
            for side, wanted in (("b", "buy"), ("a", "sell"))
        }
        first = number if whole else decoder.seq(symbol)
        numbers = {"e": "depthUpdate", "E": 0, "s": symbol, "U": first, "u": number}
        (event,) = decoder.decode(json.dumps(numbers | changes, separators=(",", ":")).encode())
        assert not isinstance(event, Broken), event
        state = next(rebuilt[symbol])
        if isinstance(event, BookTop):
            shown[symbol] += 1
            assert (event.bids, event.asks) == tops(state)
            assert event.bids[0] < event.asks[0]
    assert set(shown) == set(rebuilt)
    assert number == 3 * 655
    assert not any(next(states, None) for states in rebuilt.values())


def test_kucoin_changes_and_seeds_are_the_recorded_books() -> None:
    # As many levels as anybody gets without a key.
    shown = seeded_books(
        "kucoin",
        rebuild_kucoin,
        KucoinDecoder(DEPTH),
        kucoin.SOURCE.parse,
        kucoin.LEVELS,
        "/market/level2:",
    )
    assert shown > 500


def test_binance_changes_and_seeds_are_the_recorded_books() -> None:
    shown = seeded_books(
        "binance",
        rebuild_binance,
        BinanceChangesDecoder(DEPTH),
        binance.SOURCE.parse,
        binance.SEED_LEVELS,
        "@depth@",
    )
    assert shown == 140


def seeded_books(
    venue: str,
    rebuild: Callable[[Path], Sequence[Recording]],
    decoder: DeltaDecoder,
    parse: Callable[[bytes, str, int], BookTop],
    levels: int,
    channel: str,
) -> int:
    """Hold a recording's changes, joined with the books REST gave, against the rebuild.

    Return how many books were shown; none of them broke.
    """
    folder = CAPTURES / venue
    rebuilt = {
        recording.symbol.lower(): {state.venue_seq: tops(state) for state in recording.states}
        for recording in rebuild(folder)
    }
    _, seeds, frames = read_parts(folder, venue.upper())
    lines = sorted([*parse_lines(seeds), *parse_lines(frames)], key=lambda line: line.at)
    streams: dict[str, str] = {}
    shown: Counter[str] = Counter()
    for line in lines:
        events: Sequence[Event] = ()
        if line.arrow == "->":
            symbol = parse_qs(urlsplit(line.url).query)["symbol"][0]
            symbol = streams.get(symbol.lower(), symbol)
            book = parse(line.text.encode(), symbol, levels)
            events = decoder.seed(book)
            assert decoder.seq(symbol) >= book.venue_seq
        elif line.received and channel in line.text:
            events = decoder.decode(line.text.encode())
        for event in events:
            assert not isinstance(event, Broken), event
            if isinstance(event, SeedWanted):
                streams[event.symbol.lower()] = event.symbol
            if isinstance(event, BookTop):
                shown[event.symbol] += 1
                assert (event.bids, event.asks) == rebuilt[event.symbol.lower()][event.venue_seq]
    assert {symbol.lower() for symbol in shown} == set(rebuilt)
    for symbol, states in rebuilt.items():
        assert decoder.seq(streams[symbol]) == max(states)
    return sum(shown.values())


def test_deribit_snapshots_and_changes_are_the_recorded_books() -> None:
    lines = list(read_lines(CAPTURES / "deribit", "DERIBIT.ws.*"))
    rebuilt = {
        recording.symbol: {state.venue_seq: tops(state) for state in recording.states}
        for recording in rebuild_deribit((), lines)
    }
    decoder = DeribitChangesDecoder(DEPTH)
    shown = 0
    for line in parse_lines(lines):
        if not (line.received and '"channel":"book.' in line.text):
            continue
        # The channel of every change, which needs a login, is that of 100 ms but for its name.
        (event,) = decoder.decode(line.text.replace('.raw"', '.100ms"', 1).encode())
        assert isinstance(event, BookTop | Unchanged)
        if isinstance(event, BookTop):
            shown += 1
            assert (event.bids, event.asks) == rebuilt[event.symbol][event.venue_seq]
    assert (len(rebuilt), sum(map(len, rebuilt.values()))) == (10, 46)
    assert shown > 30
    for symbol, states in rebuilt.items():
        assert decoder.seq(symbol) == max(states)


def test_htx_whole_depths_are_the_recorded_books() -> None:
    folder = CAPTURES / "htx"
    rebuilt = {
        recording.symbol: {state.venue_seq: tops(state) for state in recording.states}
        for recording in rebuild_htx(folder)
    }
    decoder = HtxDecoder(DEPTH)
    said: Counter[str] = Counter()
    for _, text in read_htx(read_lines(folder, "HUOBI.ws.*")):
        if ".trade.detail" in text:
            continue
        if '"ch"' not in text:
            said.update(type(event).__name__ for event in decoder.decode(text.encode()))
            continue
        # The channel of whole depths counts as that of whole tops does, in another place.
        head, version = text.split(',"version":')
        number, ts = version.split(",", 1)
        head = head.replace('"tick":{', f'"tick":{{"seqNum":{number},')
        [event] = decoder.decode(f"{head},{ts}".replace("depth.step0", "mbp.refresh.20").encode())
        said[type(event).__name__] += 1
        if isinstance(event, BookTop):
            assert (event.bids, event.asks) == rebuilt[event.symbol][event.venue_seq]
    assert said == {"BookTop": 287, "Unchanged": 5, "Acked": 10, "Reply": 6}
    for symbol, states in rebuilt.items():
        assert decoder.seq(symbol) == max(states)


def test_okx_snapshots_and_updates_are_the_recorded_books() -> None:
    folder = CAPTURES / "okx"
    (recording,) = rebuild_okx(folder)
    states = iter(recording.states)
    decoder = OkxDecoder(DEPTH)
    shown, checksums, numbers = 0, 0, Counter[str]()
    _, _, frames = read_parts(folder, "OKX")
    for line in parse_lines(frames):
        if not (line.received and line.text.startswith('{"arg":{"channel":"books"')):
            continue
        # Numbers came later than this recording, which checksums prove.
        push = json.loads(line.text)
        symbol = push["arg"]["instId"]
        before = -1 if push["action"] == "snapshot" else numbers[symbol]
        numbers[symbol] += 3
        push["data"][0] |= {"prevSeqId": before, "seqId": numbers[symbol]}
        event, verified = decoder.decode(json.dumps(push, separators=(",", ":")).encode())
        assert verified == Verified(symbol)
        checksums += 1
        assert decoder.seq(symbol) == numbers[symbol]
        if symbol != recording.symbol:
            continue
        state = next(states)
        if isinstance(event, BookTop):
            shown += 1
            assert (event.bids, event.asks) == tops(state)
    assert next(states, None) is None
    assert shown > 50
    assert checksums == 290


def test_coinbase_snapshots_and_updates_are_the_recorded_books() -> None:
    folder = CAPTURES / "coinbase"
    states = {recording.symbol: iter(recording.states) for recording in rebuild_coinbase(folder)}
    decoder = CoinbaseDecoder(DEPTH)
    shown: Counter[str] = Counter()
    for line in parse_lines(read_parts(folder, "COINBASE")[2]):
        if not (line.received and line.text.startswith(('{"type":"snapshot"', '{"type":"l2up'))):
            continue
        (event,) = decoder.decode(line.text.encode())
        assert isinstance(event, BookTop | Unchanged)
        state = next(states[event.symbol])
        if isinstance(event, BookTop):
            shown[event.symbol] += 1
            assert (event.bids, event.asks) == tops(state)
            assert event.bids[0] < event.asks[0]
    assert all(next(left, None) is None for left in states.values())
    assert (len(shown), sum(shown.values())) == (10, 6648)


def test_bitfinex_frames_are_numbered_without_a_gap_and_make_the_recorded_books() -> None:
    folder = CAPTURES / "bitfinex"
    states = {one.symbol: iter(one.states) for one in rebuild_bitfinex(folder)}
    decoder = BitfinexDecoder(DEPTH)
    arrays, said = 0, Counter[str]()
    for line in parse_lines(read_lines(folder, "BITFINEX.ws.*")):
        if not line.received:
            continue
        arrays += line.text.startswith("[")
        # Tickers and trades are numbered too, and early heartbeats.
        for event in decoder.decode(line.text.encode()):
            said[type(event).__name__] += 1
            if isinstance(event, BookTop | Unchanged):
                state = next(states[event.symbol])
            if isinstance(event, BookTop):
                assert (event.bids, event.asks) == tops(state)
    assert [name for name, left in states.items() if next(left, None) is not None] == []
    assert arrays == 1670
    assert (said["BookTop"] + said["Unchanged"], said["Lost"], said["Broken"]) == (1600, 0, 0)
