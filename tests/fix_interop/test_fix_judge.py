"""The judge of what engines are sent finds what is wrong."""

from __future__ import annotations

import json

import pytest
from dragonfly_fix.codec import decode_fields, encode, encode_fields
from fix_engines import Request
from fix_judge import Judge
from truth import Truth

NS = 1_790_000_000_000_000_000
"""20260921-14:13:20."""
STATES = {
    7: ([["99.5", "0.4"]], [["100", "2"]]),
    8: ([["99.5", "0.4"], ["99", "1"]], [["100", "3"]]),
    9: ([["98", "1"]], [["100", "3"]]),
}
OTHER = {4: ([["99.5", "0.6"], ["99", "2"]], [["100", "1"], ["101", "1"]])}
TRUTH = Truth(
    json.dumps(
        {
            "venue": venue,
            "instrument": "A-B",
            "ts": NS + (seq - 7) * 1_000_000_000,
            "venue_seq": seq,
            "bids": bids,
            "asks": asks,
        }
    )
    for venue, states in (("kraken", STATES), ("binance", OTHER))
    for seq, (bids, asks) in states.items()
)
REQUESTS = [
    Request("m", "A-B", 10),
    Request("b", "A-B", 1),
    Request("l", "A-B", 2, merged=True),
]
W = (
    "35=W|34=2|52=20260921-14:13:20.500|55=A-B|262=m|268=2"
    "|269=0|270=99.5|271=0.4|282=KRAKEN|299=7|269=1|270=100|271=2|282=KRAKEN|299=7"
)
X = (
    "35=X|34=3|52=20260921-14:13:21.500|262=m|268=2"
    "|279=0|269=0|55=A-B|270=99|271=1|282=KRAKEN|299=8"
    "|279=1|269=1|55=A-B|270=100|271=3|282=KRAKEN|299=8"
)

BBO = (
    "35=W|34=2|52=20260921-14:13:20.500|55=A-B|262=b|268=2"
    "|269=0|270=99.5|271=0.6|282=BINANCE|299=4|269=1|270=100|271=2|282=KRAKEN|299=7"
)
MERGED = (
    "35=W|34=2|52=20260921-14:13:20.500|55=A-B|262=l|268=4"
    "|269=0|270=99.5|271=1|276=A|346=2|269=0|270=99|271=2|276=A|346=1"
    "|269=1|270=100|271=3|276=A|346=2|269=1|270=101|271=1|276=A|346=1"
)
SUM_OF_8 = (
    "35=X|34=3|52=20260921-14:13:21.500|262=l|268=2"
    "|279=1|269=0|55=A-B|270=99|271=3|346=2|279=1|269=1|55=A-B|270=100|271=4|346=2"
)
ALONE = (
    "35=W|34=2|52=20260921-14:13:20.500|55=A-B|262=l|268=2"
    "|269=0|270=99.5|271=0.4|346=1|269=1|270=100|271=2|346=1"
)


def line(text: str) -> bytes:
    fields = decode_fields(text.replace("|", "\x01").encode() + b"\x01")
    return b"in " + encode(fields[0][1], encode_fields(fields[1:]), b"") + b"\n"


def judged(*lines: bytes) -> list[str]:
    judge = Judge(TRUTH, REQUESTS)
    for one in lines:
        judge.take(one)
    return judge.violations


def test_what_is_true_is_found_so() -> None:
    assert judged(b"up\n", line(W), line(X), b"down\n", b"up\n", line(W)) == []
    assert judged(line(BBO), line(MERGED), line(SUM_OF_8)) == []
    assert judged(line(ALONE), line(MERGED)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        [line(W.replace("271=0.4", "271=0.5"))],
        [line(W.replace("299=7", "299=6"))],
        [line(W.replace("|269=1|270=100|271=2|282=KRAKEN|299=7", "").replace("268=2", "268=1"))],
        [line(W), line(X.replace("271=3", "271=4"))],
        [line(W), line(X.replace("279=1|269=1", "279=2|269=1"))],
        [line(W), line(X), line(X)],
        [line(X)],
        [line(W), line(X.replace("14:13:21.5", "14:13:20.6").replace("299=8", "299=7"))],
        [line(W), b"bad 8=FIX.4.4|35=3\n"],
        [line(BBO.replace("271=0.6", "271=0.4"))],
        [line(BBO.replace("270=100|271=2|282=KRAKEN|299=7", "270=101|271=1|282=BINANCE|299=4"))],
        [line(BBO.replace("270=99.5|271=0.6|282=BINANCE|299=4", "270=98|271=1|282=KRAKEN|299=9"))],
        [line(MERGED.replace("271=1|276=A|346=2", "271=1.1|276=A|346=2"))],
        [line(MERGED.replace("271=2|276=A|346=1", "271=2|276=A|346=2"))],
        [line(MERGED.replace("20260921-14:13:20", "20260921-14:13:16"))],
        [line(MERGED), line(SUM_OF_8), line(MERGED)],
        [line(MERGED), line(SUM_OF_8.replace("271=4", "271=5"))],
        [line("35=Y|34=2|52=20260921-14:13:20.500|262=m|281=0")],
    ],
)
def test_what_is_wrong_is_found(wrong: list[bytes]) -> None:
    assert judged(*wrong)
