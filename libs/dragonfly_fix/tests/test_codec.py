from __future__ import annotations

import pytest
from dragonfly_fix.codec import (
    DATA_OF,
    Field,
    FixDecoder,
    FixMessage,
    Garbled,
    checksum,
    decode_fields,
    encode,
    encode_fields,
)
from hypothesis import given
from hypothesis import strategies as st

SPECIAL = {8, 9, 10, 35, *DATA_OF, *DATA_OF.values()}
VALUES = st.binary(min_size=1, max_size=20).map(lambda value: value.replace(b"\x01", b"|"))
PLAIN = st.tuples(st.integers(1, 9999).filter(lambda tag: tag not in SPECIAL), VALUES)
FIELDS = st.lists(PLAIN, min_size=1, max_size=12)
RAW = st.tuples(st.sampled_from(sorted(DATA_OF.items())), st.binary(min_size=1, max_size=30))


def wire(text: str) -> bytes:
    """Return a frame as documents draw it, checksum and length included."""
    return text.replace("|", "\x01").encode()


def framed(inside: str) -> str:
    head = f"8=FIX.4.4|9={len(inside)}|{inside}"
    return f"{head}10={sum(wire(head)) % 256:03}|"


def heartbeat(seq: int = 2) -> bytes:
    return encode(b"0", encode_fields([(34, b"%d" % seq), (49, b"A"), (56, b"B")]), b"")


@given(st.sampled_from([b"W", b"AE", b"8"]), FIELDS, FIELDS)
def test_a_message_is_read_as_it_was_written(
    kind: bytes, header: list[Field], body: list[Field]
) -> None:
    frame = encode(kind, encode_fields(header), encode_fields(body))
    read = FixMessage(kind, [*header, *body], frame=frame[: -len("10=000|")])
    assert list(FixDecoder().feed(frame)) == [read]


@given(FIELDS, RAW, FIELDS)
def test_data_fields_hold_any_bytes(
    before: list[Field], raw: tuple[tuple[int, int], bytes], after: list[Field]
) -> None:
    (length_tag, data_tag), data = raw
    fields = [*before, (length_tag, b"%d" % len(data)), (data_tag, data), *after]
    assert decode_fields(encode_fields(fields)) == fields


@pytest.mark.parametrize(
    "fields",
    [
        [(58, b"")],
        [(58, b"a\x0155=b")],
        [(95, b"2"), (96, b"a\x01b")],
        [(95, b"1"), (96, b"")],
        [(58, b"a\x01")],
    ],
)
def test_what_could_not_be_read_is_not_written(fields: list[Field]) -> None:
    with pytest.raises(ValueError, match="only a data field behind its length may hold SOH"):
        encode_fields(fields)


@given(st.binary(max_size=3000))
def test_the_checksum_is_the_sum_of_bytes(data: bytes) -> None:
    assert checksum(data) == sum(data) % 256


@given(st.lists(st.integers(1, 9), max_size=30))
def test_a_stream_is_cut_anywhere(cuts: list[int]) -> None:
    stream = b"".join(heartbeat(seq) for seq in range(1, 6))
    decoder, found = FixDecoder(), list[FixMessage | Garbled]()
    for length in [*cuts, len(stream)]:
        found += decoder.feed(stream[:length])
        stream = stream[length:]
    assert [each.get(34) for each in found if isinstance(each, FixMessage)] == [
        b"%d" % seq for seq in range(1, 6)
    ]


def test_the_example_of_the_specification() -> None:
    [logon] = FixDecoder().feed(
        wire(
            "8=FIX.4.4|9=99|35=A|34=1|49=CLIENT01|52=20261001-12:00:00.000|56=DRAGONFLY|98=0|108=10"
            "|141=Y|553=desk-1|554=TOKEN|10=021|"
        )
    )
    assert isinstance(logon, FixMessage)
    assert (logon.type, logon.get(553), logon.get(1)) == (b"A", b"desk-1", None)
    assert encode(b"A", encode_fields(logon.fields), b"").endswith(b"\x0110=021\x01")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("8=FIX.4.4|9=5|35=0|10=162|", "is wrong"),
        ("8=FIX.4.4|9=4|35=0|10=161|", "is wrong"),
        (framed("34=0|"), "MsgType"),
        (framed("35=0|4x9=TW|"), "no number"),
        (framed("35=0|005=8|"), "no number"),
        (framed("35=0|58|"), "no number"),
        (framed("35=0|58=8"), "no end"),
        (framed(""), "come third"),
        (framed("35=A|95=9|96=a|"), "length of field 96"),
        ("8=FIX.4.4|35=0|9=5|34=1|52=7|", "BodyLength"),
        ("35=0|8=FIX.4.4|9=5|10=161|", "BeginString"),
        ("8=FIX.4.4|9=999999|35=0|10=161|", "above 65536"),
        ("GET / HTTP/1.1\r\n", "BeginString"),
    ],
)
def test_garbled_bytes_are_told_once_and_the_next_message_is_read(text: str, reason: str) -> None:
    decoder = FixDecoder()
    found = [*decoder.feed(wire(text)), *decoder.feed(heartbeat(7))]
    assert isinstance(found[0], Garbled)
    assert reason in found[0].reason
    assert [each.get(34) for each in found[1:] if isinstance(each, FixMessage)] == [b"7"]


@given(st.lists(st.binary(max_size=40) | st.just(heartbeat()), max_size=10))
def test_nothing_stops_a_decoder(pieces: list[bytes]) -> None:
    decoder = FixDecoder(longest=200)
    for piece in pieces:
        list(decoder.feed(piece))
    # Whatever frame was begun ends within these.
    found = [each for _ in range(20) for each in decoder.feed(heartbeat(9))]
    last = found[-1]
    assert isinstance(last, FixMessage)
    assert last.get(34) == b"9"
    assert not decoder._buffer
