"""Damaged frames: each is events or a refusal by a known reason, and the next good frame works."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from zlib import crc32

import pytest
from dragonfly_venues.bitfinex.decoder import BitfinexDecoder
from dragonfly_venues.decoding.delta_books import DeltaDecoder
from dragonfly_venues.events import FRAME_ERROR_REASONS, BookTop, Broken, Event, FrameError
from dragonfly_venues.kucoin.decoder import KucoinDecoder
from dragonfly_venues.registry import find_venue, venue_names
from dragonfly_venues.venue import Decoder

FRAMES = 35_000
SHARE = 20
"""Of the frames one in so many is tried, without `--long`."""
BOTH_SIDES = ((1, -0.1), (2, 0.1))
PIECES = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"-", b"e9", b"nan", b"\xff", b"\x00"]
PIECES += [b'"bids":[', b"]]", b"],", b"null", b"0", b"1" * 40, b'\\ud800"', b"[" * 3000]
DEPTH = 3


def compact(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def levels(rng: random.Random, top: float, step: float) -> list[list[str]]:
    return [[f"{top + step * n:.4f}", f"{rng.uniform(0.001, 9):.8f}"] for n in range(5)]


def binance(rng: random.Random, seq: int) -> bytes:
    data = {"lastUpdateId": seq, "bids": levels(rng, 1, -0.1), "asks": levels(rng, 2, 0.1)}
    return compact({"stream": "ethbtc@depth20@100ms", "data": data})


def bitstamp(rng: random.Random, seq: int) -> bytes:
    stamp = 1643673600000000 + seq
    data = {"timestamp": "1643673600", "microtimestamp": str(stamp)}
    sides = {"bids": levels(rng, 1, -0.1), "asks": levels(rng, 2, 0.1)}
    return compact({"data": data | sides, "channel": "order_book_ethbtc", "event": "data"})


def deribit(rng: random.Random, seq: int) -> bytes:
    bids, asks = ([[*map(float, level)] for level in levels(rng, *side)] for side in BOTH_SIDES)
    data = {"timestamp": 1626993723632, "instrument_name": "ETH_BTC", "change_id": seq}
    params = {"channel": "book.ETH_BTC.none.20.100ms", "data": {**data, "bids": bids, "asks": asks}}
    return compact({"jsonrpc": "2.0", "method": "subscription", "params": params})


def htx(rng: random.Random, seq: int) -> bytes:
    bids, asks = ([[*map(float, level)] for level in levels(rng, *side)] for side in BOTH_SIDES)
    tick = {"seqNum": seq, "bids": bids, "asks": asks}
    return compact({"ch": "market.ethbtc.mbp.refresh.20", "ts": 1573199608679, "tick": tick})


def kraken(rng: random.Random, seq: int) -> bytes:
    bids, asks = levels(rng, 1, -0.1), levels(rng, 2, 0.1)
    digits = "".join(text.replace(".", "").lstrip("0") for level in asks + bids for text in level)
    sides = [
        ",".join(f'{{"price":{price},"qty":{amount}}}' for price, amount in side)
        for side in (bids, asks)
    ]
    return (
        '{"channel":"book","type":"snapshot","data":[{"symbol":"ETH/BTC",'
        f'"bids":[{sides[0]}],"asks":[{sides[1]}],"checksum":{crc32(digits.encode())},'
        f'"timestamp":"2026-08-16T23:37:{seq % 60:02}.849274Z"}}]}}'
    ).encode()


def gateio(rng: random.Random, seq: int) -> bytes:
    bids, asks = (levels(rng, *side) for side in BOTH_SIDES)
    # A whole book in four frames; what was damaged before may have broken the chain.
    kind: dict[str, object] = {"full": True} if seq % 4 == 0 else {"U": seq}
    result = {"t": 1747054612673, "s": "ob.ETH_BTC.50", **kind, "u": seq, "b": bids, "a": asks}
    return compact({"channel": "spot.obu", "event": "update", "result": result})


def coinbase(rng: random.Random, seq: int) -> bytes:
    bids, asks = (levels(rng, *side) for side in BOTH_SIDES)
    book = {"type": "snapshot", "product_id": "ETH-BTC", "asks": asks, "bids": bids}
    return compact(book | {"time": f"2026-09-30T12:00:{seq % 60:02}.050000Z"})


def coinbase_advanced(rng: random.Random, seq: int) -> bytes:
    updates = [
        {"side": side, "event_time": "1970-01-01T00:00:00Z", "price_level": p, "new_quantity": q}
        for side, way in zip(("bid", "offer"), BOTH_SIDES, strict=True)
        for p, q in levels(rng, *way)
    ]
    book = {"type": "snapshot", "product_id": "ETH-BTC", "updates": updates}
    times = {"client_id": "", "timestamp": f"2026-09-30T12:00:{seq % 60:02}.123456789Z"}
    return compact({"channel": "l2_data", **times, "sequence_num": seq, "events": [book]})


def gemini(rng: random.Random, seq: int) -> bytes:
    bids, asks = (levels(rng, *side) for side in BOTH_SIDES)
    return compact({"lastUpdateId": seq, "symbol": "ethbtc", "bids": bids, "asks": asks})


def okx(rng: random.Random, seq: int) -> bytes:
    bids, asks = ([[*level, "0", "1"] for level in levels(rng, *side)] for side in BOTH_SIDES)
    # A snapshot in four frames; what was damaged before may have broken the chain.
    action, before = ("snapshot", -1) if seq % 4 == 0 else ("update", seq - 1)
    data = {"asks": asks, "bids": bids, "ts": "1597026383085", "checksum": 0}
    numbers = {"prevSeqId": before, "seqId": seq}
    arg = {"channel": "books", "instId": "ETH-BTC"}
    return compact({"arg": arg, "action": action, "data": [data | numbers]})


def bitget(rng: random.Random, seq: int) -> bytes:
    bids, asks = (levels(rng, *side) for side in BOTH_SIDES)
    # A snapshot in four frames; what was damaged before may have broken the chain.
    action, before = ("snapshot", 0) if seq % 4 == 0 else ("update", seq - 1)
    data = {"asks": asks, "bids": bids, "seq": seq, "pseq": before, "ts": "1730332800391"}
    arg = {"instType": "SPOT", "channel": "books", "instId": "ETHBTC"}
    return compact({"action": action, "arg": arg, "data": [data], "ts": 1730332800436})


def bitfinex(rng: random.Random, seq: int) -> bytes:
    bids, asks = (levels(rng, *side) for side in BOTH_SIDES)
    # Of four frames one begins a channel and one is its snapshot.
    if seq % 4 == 0:
        return b'{"event":"subscribed","channel":"book","chanId":7,"symbol":"tETHBTC"}'
    entries = [[float(price), 1, float(amount)] for price, amount in bids]
    entries += [[float(price), 1, -float(amount)] for price, amount in asks]
    return compact([7, entries if seq % 4 == 1 else entries[seq % 10], seq, 1790114272304 + seq])


def bybit(rng: random.Random, seq: int) -> bytes:
    bids, asks = (levels(rng, *side) for side in BOTH_SIDES)
    # A snapshot in four frames; what was damaged before may have broken the chain.
    kind = "snapshot" if seq % 4 == 0 else "delta"
    data = {"s": "ETHBTC", "b": bids, "a": asks, "u": seq, "seq": 7 * seq}
    ts = 1672304484978
    return compact(
        {"topic": "orderbook.50.ETHBTC", "ts": ts, "type": kind, "data": data, "cts": ts}
    )


def cryptocom(rng: random.Random, seq: int) -> bytes:
    bids, asks = ([[*level, "1"] for level in levels(rng, *side)] for side in BOTH_SIDES)
    # A snapshot in four frames; what was damaged before may have broken the chain.
    data: dict[str, object] = {"asks": asks, "bids": bids}
    if seq % 4:
        data = {"update": data, "pu": seq - 1}
    channel = "book.update" if seq % 4 else "book"
    stamps = {"t": 1790114273395, "tt": 1790114273346, "u": seq, "cs": 1}
    result = {"instrument_name": "ETH_BTC", "channel": channel, "data": [data | stamps]}
    return compact({"id": -1, "method": "subscribe", "code": 0, "result": result})


def kucoin(rng: random.Random, seq: int) -> bytes:
    bids, asks = ([[*level, str(seq)] for level in levels(rng, *side)] for side in BOTH_SIDES)
    changes = {"asks": asks, "bids": bids}
    data = {"sequenceStart": seq, "sequenceEnd": seq, "changes": changes, "symbol": "ETH-BTC"}
    topic = "/market/level2:ETH-BTC"
    return compact({"type": "message", "topic": topic, "subject": "trade.l2update", "data": data})


CONTROL = {
    "bitget": [
        b"pong",
        b'{"event":"subscribe","arg":{"instType":"SPOT","channel":"books","instId":"ETHBTC"}}',
        b'{"event":"error","arg":{"instId":"ETHBTC"},"code":30001,"msg":"no","op":"subscribe"}',
    ],
    "bitfinex": [
        b'{"event":"info","version":2,"platform":{"status":1}}',
        b'{"event":"error","msg":"symbol: invalid","code":10300,"symbol":"tNOPEUSD"}',
        b'[7,"cs",1756193398,1,1790114272304]',
    ],
    "bybit": [
        b'{"success":true,"ret_msg":"subscribe","req_id":"1","op":"subscribe"}',
        b'{"success":false,"ret_msg":"no","req_id":"1","op":"subscribe"}',
        b'{"success":true,"ret_msg":"pong","req_id":"1","op":"ping"}',
    ],
    "binance": [
        b'{"result":null,"id":1}',
        b'{"code":2,"msg":"Invalid request"}',
        b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}',
    ],
    "bitstamp": [
        b'{"event":"bts:subscription_succeeded","channel":"order_book_ethbtc","data":{}}',
        b'{"event":"bts:error","channel":"","data":{"code":null,"message":"no"}}',
        b'{"event":"bts:request_reconnect","channel":"","data":""}',
    ],
    "gateio": [
        b'{"time":1,"id":1,"channel":"spot.obu","event":"subscribe","error":null,"result":{}}',
        b'{"time":1,"id":1,"channel":"spot.obu","event":"","error":{"code":2,"message":"no"}}',
        b'{"time":1,"channel":"spot.pong","event":"","error":null,"result":null}',
    ],
    "coinbase_advanced": [
        b'{"channel":"heartbeats","sequence_num":7,"events":[{"heartbeat_counter":"3"}]}',
        b'{"channel":"subscriptions","sequence_num":8,"events":[{"subscriptions":{"level2":[]}}]}',
        b'{"type":"error","message":"invalid product_ids: A-B"}',
    ],
    "coinbase": [
        b'{"type":"l2update","product_id":"ETH-BTC","changes":[["buy","1.0","0"]],"time":"2026-09-30T'
        b'12:00:00.05Z"}',
        b'{"type":"subscriptions","channels":[{"name":"level2_50","product_ids":["ETH-BTC"]}]}',
        b'{"type":"error","message":"Failed to subscribe","reason":"A-B is not a valid product"}',
        b'{"type":"heartbeat","sequence":7,"last_trade_id":2,"product_id":"ETH-BTC"}',
    ],
    "deribit": [
        b'{"jsonrpc":"2.0","id":3,"result":["book.ETH_BTC.none.20.100ms"],"testnet":false}',
        b'{"jsonrpc":"2.0","id":3,"error":{"code":10028,"message":"too_many_requests"}}',
        b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}',
    ],
    "htx": [
        b'{"ping":1492420473027}',
        b'{"id":"1 ethbtc","status":"ok","subbed":"market.ethbtc.mbp.refresh.20","ts":1}',
        b'{"status":"error","ts":1,"id":"1 x","err-code":"bad-request","err-msg":"invalid topic"}',
    ],
    "gemini": [
        b'{"id":1,"status":200}',
        b'{"id":1,"status":400,"error":{"code":-1013,"msg":"Invalid stream name: x"}}',
        b'{"u":7,"E":1,"s":"ethbtc","b":"1","B":"2","a":"","A":"","c":"1","C":"1"}',
    ],
    "kraken": [
        b'{"channel":"heartbeat"}',
        b'{"channel":"status","type":"update","data":[{"system":"online"}]}',
        b'{"method":"subscribe","result":{"channel":"book","symbol":"ETH/BTC"},"success":true}',
        b'{"error":"no","method":"subscribe","success":false,"symbol":"X/Y","req_id":1}',
    ],
    "okx": [
        b"pong",
        b'{"id":"1","event":"subscribe","arg":{"channel":"books","instId":"ETH-BTC"}}',
        b'{"id":"1","event":"error","code":"60018","msg":"no"}',
        b'{"event":"notice","code":"64008","msg":"soon closed"}',
    ],
    "cryptocom": [
        b'{"id":1,"method":"subscribe","code":0,"channel":"book.ETH_BTC.10"}',
        b'{"id":1790114291578,"method":"public/heartbeat","code":0}',
        b'{"id":1,"method":"subscribe","code":40003,"channel":"book.X_Y.10","message":"no"}',
    ],
    "kucoin": [
        b'{"id":"7","type":"welcome"}',
        b'{"id":"1","type":"ack"}',
        b'{"id":"1","type":"error","code":404,"data":"topic does not exist"}',
    ],
}


def mutated(rng: random.Random, frame: bytes) -> bytes:
    """Damage `frame` in one to three places: bytes changed, cut, put in, doubled or swapped."""
    text = bytearray(frame)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.randint(1, 30))
        match rng.randrange(6):
            case 0:
                text[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del text[at:end]
            case 2:
                text[at:at] = rng.choice(PIECES)
            case 3:
                text[at:at] = text[at:end]
            case 4:
                del text[at:]
            case _:
                text[at : at + 1] = b"%d" % rng.randrange(10)
    return bytes(text)


def refusal(decoder: Decoder, frame: bytes) -> tuple[Sequence[Event], str | None]:
    """Return what `frame` says, and the reason of its refusal."""
    try:
        return decoder.decode(frame), None
    except FrameError as error:
        return (), error.reason


def until_a_top(decoder: Decoder, good: Iterator[bytes]) -> bool:
    """Say whether a good frame works: at once, or after what a damaged stamp can cost at most."""
    for _ in range(10):
        frame = next(good)
        events, reason = refusal(decoder, frame)
        assert reason in {None, "out_of_order"}
        for event in [*events, *from_rest(decoder, frame)]:
            if isinstance(event, BookTop):
                return True
            if isinstance(event, Broken):
                decoder.forget(event.symbol)
            else:
                assert isinstance(decoder, DeltaDecoder)
    return False


def from_rest(decoder: Decoder, frame: bytes) -> Sequence[Event]:
    """Return what comes of the book after `frame`, where REST is asked for it."""
    if not isinstance(decoder, KucoinDecoder) or decoder.seq("ETH-BTC") >= 0:
        return ()
    number = json.loads(frame)["data"]["sequenceEnd"]
    return decoder.seed(BookTop("ETH-BTC", number, None, ((0.5, 1.0),), ((3.0, 1.0),)))


@pytest.mark.parametrize(
    "book",
    [
        binance,
        bitfinex,
        bitget,
        bitstamp,
        bybit,
        coinbase,
        coinbase_advanced,
        deribit,
        cryptocom,
        gateio,
        gemini,
        htx,
        kraken,
        kucoin,
        okx,
    ],
)
def test_no_damage_is_fatal(book: Callable[[random.Random, int], bytes], *, long: bool) -> None:
    share = 1 if long else SHARE
    rng = random.Random(20261123)
    name = book.__name__
    decoder = find_venue(name).decoder(DEPTH)
    good = (book(rng, seq) for seq in range(1_000_000, 10_000_000))
    assert until_a_top(decoder, good)
    said: Counter[str] = Counter()
    for number in range(FRAMES // share):
        frame = mutated(rng, rng.choice([next(good), next(good), *CONTROL[name]]))
        events, reason = refusal(decoder, frame)
        said.update(type(event).__name__ for event in events)
        if reason is not None:
            assert reason in FRAME_ERROR_REASONS, frame
            said[reason] += 1
        # A book of changes is gone with each frame that is lost.
        if number % (2 if isinstance(decoder, KucoinDecoder | BitfinexDecoder) else 20) == 0:
            assert until_a_top(decoder, good), frame
    # The damage reached every part: what is read, what is refused, and for what.
    assert said["BookTop"] > 100 // share
    assert said["not_json"] > 1000 // share
    assert said["bad_shape"] > 1000 // share


@pytest.mark.parametrize("name", venue_names())
def test_noise_is_refused(name: str) -> None:
    rng = random.Random(7)
    decoder = find_venue(name).decoder(DEPTH)
    for _ in range(3000):
        with pytest.raises(FrameError) as caught:
            decoder.decode(rng.randbytes(rng.randrange(200)))
        assert caught.value.reason in {"not_json", "bad_shape"}
