"""What one frame costs each venue's decoder, beside decoding all of it as JSON.

    python bench/decoders.py [ROUNDS]

Prints µs per frame whose top of book changed, and per frame that changes nothing in it, and what
multiple of a full decode (msgspec, to floats, nothing checked) each is. The best of ROUNDS
(default 7) counts: noise only ever adds.
"""

from __future__ import annotations

import random
import sys
import timeit
from collections.abc import Callable, Sequence
from typing import Final
from zlib import crc32

import msgspec
from dragonfly_venues.events import BookTop, Unchanged
from dragonfly_venues.registry import find_venue

DEPTH: Final = 10
FRAMES: Final = 1000

TextSide = list[tuple[str, str]]
Pairs = tuple[tuple[float, float], ...]


class Sides(msgspec.Struct):
    bids: Pairs
    asks: Pairs


class WholeTop(msgspec.Struct):
    data: Sides


class KrakenLevel(msgspec.Struct):
    price: float
    qty: float


class KrakenSides(msgspec.Struct):
    bids: list[KrakenLevel]
    asks: list[KrakenLevel]
    checksum: int
    timestamp: str


class KrakenFrame(msgspec.Struct):
    data: list[KrakenSides]


def binance(kind: str, seq: int, bids: TextSide, asks: TextSide, changed: TextSide) -> bytes:
    data = {"lastUpdateId": seq, "bids": bids[:20], "asks": asks[:20]}
    return msgspec.json.encode({"stream": "btcusdt@depth20@100ms", "data": data})


def bitstamp(kind: str, seq: int, bids: TextSide, asks: TextSide, changed: TextSide) -> bytes:
    stamp = 1643673600000000 + seq
    stamps = {"timestamp": str(stamp // 10**6), "microtimestamp": str(stamp)}
    data = {**stamps, "bids": bids, "asks": asks}
    return msgspec.json.encode({"data": data, "channel": "order_book_btcusd", "event": "data"})


def kraken(kind: str, seq: int, bids: TextSide, asks: TextSide, changed: TextSide) -> bytes:
    best = [*asks[:10], *bids[:10]]
    digits = "".join(text.replace(".", "").lstrip("0") for level in best for text in level)
    sent = (bids[:25], asks[:25]) if kind == "snapshot" else (changed, [])
    texts = [",".join(f'{{"price":{p},"qty":{q}}}' for p, q in side) for side in sent]
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD","bids":[{texts[0]}],'
        f'"asks":[{texts[1]}],"checksum":{crc32(digits.encode())},'
        f'"timestamp":"2026-08-16T23:37:04.{seq:06}Z"}}]}}'
    ).encode()


Write = Callable[[str, int, TextSide, TextSide, TextSide], bytes]


def frames_of(write: Write, depth: int) -> tuple[bytes, list[bytes], list[bytes]]:
    """Return a first frame, then frames that each change one bid above `depth`, then below it."""
    rng = random.Random(1)
    bids = [(f"{38500 - n}.10", f"{rng.uniform(0.001, 9):.8f}") for n in range(100)]
    asks = [(f"{38501 + n}.20", f"{rng.uniform(0.001, 9):.8f}") for n in range(100)]
    seq = 0

    def change(at: int) -> bytes:
        nonlocal seq
        seq += 1
        bids[at] = (bids[at][0], f"{rng.uniform(0.001, 9):.8f}")
        return write("update", seq, bids, asks, [bids[at]])

    first = write("snapshot", seq, bids, asks, [])
    changed = [change(rng.randrange(depth)) for _ in range(FRAMES)]
    return first, changed, [change(rng.randrange(depth, 20)) for _ in range(FRAMES)]


def per_frame_us(read: Callable[[bytes], object], frames: Sequence[bytes]) -> float:
    started = timeit.default_timer()
    for frame in frames:
        read(frame)
    return (timeit.default_timer() - started) / len(frames) * 1e6


def measure(
    name: str, write: Write, full: Callable[[bytes], object], rounds: int, depth: int = DEPTH
) -> None:
    first, changed, unchanged = frames_of(write, depth)
    best = [float("inf")] * 3
    for _ in range(rounds):
        decoder = find_venue(name).decoder(depth)
        assert isinstance(decoder.decode(first)[0], BookTop)
        runs = ((decoder.decode, changed), (decoder.decode, unchanged), (full, changed))
        best = [min(least, per_frame_us(*run)) for least, run in zip(best, runs, strict=True)]
    assert isinstance(decoder.decode(unchanged[-1])[0], Unchanged)
    news, none, whole = best
    print(
        f"{name:9} {len(changed[0]):6} {whole:13.2f} {news:9.2f} ({news / whole:4.2f})"
        f" {none:11.2f} ({none / whole:4.2f})"
    )


def main(rounds: int) -> None:
    print("venue      bytes  full decode/µs  changed/µs (x)   unchanged/µs (x)")
    whole_top = msgspec.json.Decoder(WholeTop, strict=False)
    measure("binance", binance, whole_top.decode, rounds)
    measure("bitstamp", bitstamp, whole_top.decode, rounds)
    # Every change of Kraken's must be applied and its checksum verified, published or not.
    measure("kraken", kraken, msgspec.json.Decoder(KrakenFrame).decode, rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
