"""What encoding and decoding two messages of FIX costs, beside simplefix and quickfix.

    python bench/fix_messages.py [ROUNDS]

The messages are a W of 20 entries with 5 fields each, and an 8 (ExecutionReport). Decoding checks
length and checksum, where the library does, and reads every field; `checked` also holds the message
against the dictionary; `entries ready` encodes a body whose fields were bytes already, as a view
for many sessions is. Prints µs of the processor per message; the best of ROUNDS (default 30), which
all take turns in, counts: noise only ever adds.
A library that is not installed is left out: `pip install simplefix`, `pip install --pre
quickfix-tls`.
"""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from dragonfly_fix.codec import (
    Field,
    FixDecoder,
    FixMessage,
    decode_fields,
    encode,
    encode_fields,
)
from dragonfly_fix.fix44 import FIX44

REPEATED: Final = 100

HEADER: Final[list[Field]] = [
    (34, b"177"),
    (49, b"DRAGONFLY-MD"),
    (52, b"20261001-12:00:00.105"),
    (56, b"CLIENT01"),
]
REPORT: Final = (
    "37=p7|17=p7-31|150=F|39=1|11=c1|527=KRAKEN:T123|55=BTC-USD|54=2|38=120|40=2|44=64000|59=6"
    "|32=0.5|31=64998.1|30=KRAKEN|151=119.5|14=0.5|6=64998.1|60=20261001-12:00:00.105|136=1"
    "|137=8.45|138=USD|139=4"
)


def snapshot() -> list[Field]:
    fields = [(55, b"BTC-USD"), (262, b"m1"), (268, b"20")]
    for number in range(20):
        fields += [
            (269, b"%d" % (number // 10)),
            (270, b"%d.1" % (64990 + number)),
            (271, b"0.%05d" % (number * 777 + 12)),
            (282, (b"KRAKEN", b"BINANCE", b"BITSTAMP")[number % 3]),
            (299, b"%d" % (4_712_000 + number)),
        ]
    return fields


Run = Callable[[], object]


def ours(kind: bytes, body: list[Field], framed: bytes) -> dict[str, Run]:
    ready = encode_fields(body)
    message = FixMessage(kind, [*HEADER, *body])
    decoder = FixDecoder()
    [found] = decoder.feed(framed)
    assert found[:2] == message[:2]
    FIX44.check(message, strict=True)

    def read(*, checked: bool) -> None:
        for found in decoder.feed(framed):
            assert isinstance(found, FixMessage)
            if checked:
                FIX44.check(found)

    return {
        "encode": lambda: encode(kind, encode_fields(HEADER), encode_fields(body)),
        "encode, entries ready": lambda: encode(kind, encode_fields(HEADER), ready),
        "decode": lambda: read(checked=False),
        "decode, checked": lambda: read(checked=True),
    }


def simplefix(kind: bytes, body: list[Field], framed: bytes) -> dict[str, Run]:
    library: Any = import_module("simplefix")
    parser = library.FixParser()

    def write() -> bytes:
        message = library.FixMessage()
        for tag, value in ((8, b"FIX.4.4"), (35, kind), *HEADER, *body):
            message.append_pair(tag, value)
        encoded: bytes = message.encode()
        return encoded

    def read() -> object:
        parser.append_buffer(framed)
        return parser.get_message()

    assert write() == framed
    return {"encode": write, "decode": read}


def quickfix(kind: bytes, body: list[Field], framed: bytes) -> dict[str, Run]:
    library: Any = import_module("quickfix")
    text = framed.decode()
    groups = kind == b"W"
    fields = [(tag, value.decode()) for tag, value in body]
    header = [(tag, value.decode()) for tag, value in HEADER]

    def write() -> object:
        message = library.Message()
        message.getHeader().setField(8, "FIX.4.4")
        message.getHeader().setField(35, kind.decode())
        for tag, value in header:
            message.getHeader().setField(tag, value)
        group = None
        for tag, value in fields:
            if groups and tag == 269:
                if group is not None:
                    message.addGroup(group)
                group = library.Group(268, 269)
            if group is not None:
                group.setField(tag, value)
            elif tag != 268:
                message.setField(tag, value)
        if group is not None:
            message.addGroup(group)
        return message.toString()

    def read() -> object:
        # Without its dictionary, groups are not told apart, and only scalars can be read.
        message = library.Message(text, False)
        return [message.getField(tag) for tag, _ in fields] if not groups else message

    return {"encode": write, "decode" if not groups else "decode, parse only": read}


def main(rounds: int) -> None:
    report = decode_fields(REPORT.replace("|", "\x01").encode() + b"\x01")
    runs: dict[tuple[str, str, str], Run] = {}
    for kind, body in ((b"W", snapshot()), (b"8", report)):
        framed = encode(kind, encode_fields(HEADER), encode_fields(body))
        print(f"{kind.decode()} has {len(framed)} bytes")
        for library in (ours, simplefix, quickfix):
            try:
                found = library(kind, body, framed)
            except ImportError as error:
                print(f"{library.__name__} is left out: {error}")
                continue
            runs |= {(kind.decode(), library.__name__, what): run for what, run in found.items()}
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):
        for name, run in runs.items():
            took = timeit.timeit(run, number=REPEATED, timer=time.process_time) / REPEATED * 1e6
            best[name] = min(best[name], took)
    print(f"{'message':8} {'library':10} {'what':24} {'µs':>8}  times ours")
    for (kind_name, library_name, what), took in best.items():
        ratio = took / best[kind_name, "ours", what.partition(",")[0]]
        print(f"{kind_name:8} {library_name:10} {what:24} {took:8.2f}  {ratio:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
