"""What is sent, and sent again."""

from __future__ import annotations

import pytest
from dragonfly_fix.codec import encode_fields
from dragonfly_fix.gaps import MOST_TIMES
from dragonfly_fix.session import keep_for_later
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.store import MemoryStore
from fix_world import BODY, NEWS, Peer, drawn, logged_on


def test_a_replay_is_as_it_was_and_uses_up_no_number() -> None:
    peer = logged_on()
    at = peer.clock()
    peer.session.send(b"B", BODY, peer.now, peer.now_ns, poss_resend=True)
    peer.session.output()
    peer.says("1", 2, "112=a")
    peer.now += 1
    now = peer.clock()
    assert peer.says("2", 3, "7=1|16=0") == [
        f"35=4|34=1|43=Y|122={now}|36=2|123=Y",
        f"35=B|34=2|43=Y|97=Y|122={at}|{NEWS}",
        f"35=4|34=3|43=Y|122={now}|36=4|123=Y",
    ]
    assert peer.store.next_out == 4


def test_quotes_are_not_sent_again() -> None:
    peer = logged_on(MemoryStore(keeps=False))
    peer.is_sent()
    [fill] = peer.says("2", 2, "7=1|16=0")
    assert fill.endswith("36=3|123=Y")


@pytest.mark.parametrize("asked", ["7=0|16=0", "7=9|16=0", "7=2|16=1"])
def test_what_was_never_sent_cannot_be_asked_for(asked: str) -> None:
    peer = logged_on()
    peer.is_sent()
    [reject] = peer.says("2", 2, asked)
    assert reject.endswith("|371=7|372=2|373=5")
    assert peer.store.next_in == 3


def test_a_number_is_in_the_store_before_its_bytes_leave() -> None:
    class Full(MemoryStore):
        def save(self, number: int, frame: bytes | None) -> None:
            if frame is not None:
                raise OSError("no space left")
            super().save(number, frame)

    peer = Peer(Full())
    peer.logs_on()
    with pytest.raises(OSError, match="no space"):
        peer.is_sent()
    assert peer.session.output() == b""
    assert peer.store.next_out == 2


def test_what_was_kept_for_a_peer_that_was_away_is_sent_when_it_asks() -> None:
    store = MemoryStore()
    assert keep_for_later(store, (b"ME", b"YOU"), b"B", encode_fields([(148, b"x")]), 0) == 1
    peer = logged_on(store)
    assert peer.says("2", 2, "7=1|16=1")[0].startswith("35=B|34=1|43=Y")


def test_the_same_is_sent_again_so_many_times_and_no_more() -> None:
    peer = logged_on()
    peer.is_sent()
    for number in range(2, 2 + MOST_TIMES):
        assert len(peer.says("2", number, "7=2|16=0")) == 1
    [logout] = peer.says("2", 2 + MOST_TIMES, "7=1|16=0")
    assert logout == "35=5|34=3|58=ResendRequest from 1: all of it was sent 20 times"
    assert peer.is_in(SessionState.CLOSING)


def test_all_is_sent_again_so_many_times_and_no_more() -> None:
    peer = logged_on()
    for _ in range(99):
        peer.is_sent()
    answers = [peer.says("2", number, f"7={number}|16=0") for number in range(2, 50)]
    assert peer.is_in(SessionState.CLOSING)
    assert sum(map(len, answers)) <= MOST_TIMES * 100 + 1


def test_a_side_that_asks_part_by_part_or_for_each_gap_is_answered() -> None:
    peer = logged_on()
    for number in range(2, 102):
        peer.is_sent()
        assert len(peer.says("2", number, f"7={number}|16={number}")) == 1


def test_a_long_replay_is_made_as_it_is_taken() -> None:
    peer = logged_on()
    for _ in range(2000):
        peer.is_sent()
    first = peer.says("2", 2, "7=2|16=0")
    assert len(first) < 1000
    assert peer.is_sent()[0].startswith(f"35=B|34={len(first) + 2}|43=Y")
    rest = drawn(b"".join(iter(peer.session.output, b"")))
    assert [one[:14] for one in rest[-2:]] == ["35=B|34=2001|4", "35=B|34=2002|1"]
