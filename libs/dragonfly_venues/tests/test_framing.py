"""Where frames begin and end, whatever pieces they arrive in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from dragonfly_venues.transport.framing import Framing
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

MOST_BYTES = 70_000

sizes = st.one_of(st.integers(0, 130), st.sampled_from([65_535, 65_536, MOST_BYTES]))
data_frames = st.builds(
    Frame,
    opcode=st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT]),
    data=sizes.map(lambda size: bytes(index % 251 for index in range(size))),
    fin=st.booleans(),
)
control_frames = st.builds(
    Frame,
    opcode=st.sampled_from([Opcode.PING, Opcode.PONG, Opcode.CLOSE]),
    data=st.binary(max_size=125),
)


def written(frame: Frame, compressed: bool = False) -> bytes:
    first, *rest = frame.serialize(mask=False)
    return bytes([first | 0x40 * compressed, *rest])


def is_message(frame: Frame) -> bool:
    return frame.fin and frame.opcode in {Opcode.TEXT, Opcode.BINARY}


@given(
    st.lists(st.tuples(st.one_of(data_frames, control_frames), st.booleans()), max_size=6),
    st.data(),
)
def test_every_frame_comes_whole_and_once(
    frames: list[tuple[Frame, bool]], data: st.DataObject
) -> None:
    stream = b"".join(written(*frame) for frame in frames)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    framing = Framing(MOST_BYTES)
    found = [
        piece
        for begin, end in pairwise(sorted([0, *cuts, len(stream)]))
        for piece in framing.cut(stream[begin:end])
    ]
    assert [frame for frame, _ in found] == [written(*frame) for frame in frames]
    for (frame, begin), (meant, compressed) in zip(found, frames, strict=True):
        plainly = is_message(meant) and not compressed
        assert (frame[begin:] == meant.data and begin > 0) if plainly else begin == 0


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_nothing_is_lost_of_any_bytes(pieces: list[bytes]) -> None:
    framing = Framing(most_bytes=20)
    found = b"".join(frame for piece in pieces for frame, _ in framing.cut(piece))
    given = b"".join(pieces)
    assert given.startswith(found)
    # What is not there yet is one frame that has begun, of a size that is waited for.
    assert len(given) - len(found) < 2 + 8 + 20


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"\x81\x15" + bytes(3), id="too large"),
        pytest.param(b"\x81\x7f" + b"\xff" * 8, id="too large by far"),
        pytest.param(b"\x81\x85" + bytes(9), id="masked"),
        pytest.param(b"\x81\xfe" + bytes(9), id="masked, with a size that follows"),
    ],
)
def test_what_is_not_waited_for_comes_at_once_with_all_behind_it(frame: bytes) -> None:
    message = b"\x81\x02ok"
    behind = b"\x81\x02no"
    assert Framing(most_bytes=20).cut(message + frame + behind) == [
        (message, 2),
        (frame + behind, 0),
    ]


def test_a_frame_in_many_pieces_costs_no_copy_for_each() -> None:
    framing = Framing(most_bytes=1 << 20)
    message = bytes(1 << 20)
    frame = written(Frame(Opcode.BINARY, message))
    found = [
        piece for index in range(len(frame)) for piece in framing.cut(frame[index : index + 1])
    ]
    assert found == [(frame, 10)]
