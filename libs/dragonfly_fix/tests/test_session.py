from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from dragonfly_fix.codec import Garbled
from dragonfly_fix.dictionary import InvalidMessageError, RejectReason
from dragonfly_fix.gaps import MOST_EARLY, MOST_TIMES
from dragonfly_fix.session import (
    Answered,
    Initiator,
    LoggedOn,
    LoggedOut,
    LogonRefused,
    NotLoggedOnError,
    Received,
    Rejected,
    Rules,
)
from dragonfly_fix.session_state import SessionState
from dragonfly_fix.sqlite_store import SqliteFile, SqliteStore
from dragonfly_fix.store import MemoryStore
from fix_world import BODY, EPOCH_NS, NEWS, Line, Peer, app, drawn, logged_on
from hypothesis import given
from hypothesis import strategies as st

ASKED_FROM_2 = ["35=2|34=2|7=2|16=0"]


# Logging on.


@pytest.mark.parametrize(
    ("kind", "rest", "late_s"),
    [("0", "", 0.0), ("A", "98=0|108=10", 121.0), ("A", "98=0|108=10", -121.0)],
)
def test_an_unknown_peer_learns_nothing(kind: str, rest: str, late_s: float) -> None:
    peer = Peer()
    assert peer.says(kind, 1, rest, late_s) == []
    assert peer.is_in(SessionState.ENDED)
    assert peer.session.reason


def test_a_refused_logon_is_told_why_where_there_is_a_reason() -> None:
    silent = Peer(refusal="")
    assert silent.logs_on() == []
    assert silent.is_in(SessionState.ENDED)
    told = Peer(refusal="unknown token")
    assert told.logs_on() == ["35=5|34=1|58=unknown token"]
    assert told.is_in(SessionState.CLOSING)
    assert told.store.next_out == 1


def test_a_dialect_may_reject_a_logon_with_its_code_and_then_log_out() -> None:
    reject = [(58, b"in use"), (372, b"A"), (373, b"99"), (25016, b"-1033")]
    told = Peer(refusal=LogonRefused("in use", reject))
    assert told.logs_on() == [
        "35=3|34=1|45=1|58=in use|372=A|373=99|25016=-1033",
        "35=5|34=2|58=in use",
    ]
    assert told.is_in(SessionState.CLOSING)


def test_a_dialect_may_answer_a_logon_in_its_own_words() -> None:
    peer = Peer(answer=[(25037, b"here")])
    assert peer.logs_on(1, "141=Y") == ["35=A|34=1|98=0|108=10|25037=here"]
    assert peer.is_in(SessionState.ACTIVE)


def test_where_nothing_is_recovered_a_gap_is_rejected_and_is_the_end() -> None:
    codes = {RejectReason.OUT_OF_RANGE: [(25016, b"-1179")]}
    peer = logged_on(rules=Rules(recovers=False, reject_fields=codes))
    assert peer.says("B", 3, NEWS) == [
        "35=3|34=2|45=3|58=Value is incorrect (out of range) for this tag|371=34|372=B|373=5"
        "|25016=-1179",
        "35=5|34=3|58=MsgSeqNum too high, expecting 2 but received 3",
    ]
    assert peer.is_in(SessionState.CLOSING)


def test_where_nothing_is_recovered_a_second_logon_is_rejected() -> None:
    peer = logged_on(rules=Rules(recovers=False))
    assert peer.logs_on(2, "141=Y") == [
        "35=3|34=2|45=2|58=Message not expected now|372=A|373=99",
    ]
    assert peer.is_in(SessionState.ACTIVE)
    assert peer.store.next_in == 3


@pytest.mark.parametrize(
    ("rest", "text"),
    [
        ("98=0|108=0", "HeartBtInt (108) must be 5 to 60, not 0"),
        ("98=1|108=10", "EncryptMethod (98) must be 0"),
        ("98=0", "Required tag missing: 108"),
    ],
)
def test_a_known_peer_is_told_what_its_logon_lacks(rest: str, text: str) -> None:
    peer = Peer()
    assert peer.says("A", 1, rest) == [f"35=5|34=1|58={text}"]
    assert peer.is_in(SessionState.CLOSING)


def test_a_garbled_logon_ends_the_connection() -> None:
    peer = Peer()
    answer, events = peer.sends(b"GET / HTTP/1.1\r\n\r\n")
    assert answer == []
    assert isinstance(events[0], Garbled)
    assert peer.is_in(SessionState.ENDED)


def test_the_application_may_ask_for_a_sign_of_life() -> None:
    peer = logged_on()
    peer.session.test(b"7", peer.now, peer.now_ns)
    assert drawn(peer.session.output()) == ["35=1|34=2|112=7"]
    assert peer.sends(peer.stamp("0", 2, "112=7")) == ([], [Answered(b"7")])
    assert peer.sends(peer.stamp("0", 3)) == ([], [])
    assert peer.sends(peer.stamp("0", 4, "112=TEST")) == ([], [])
    with pytest.raises(NotLoggedOnError):
        Peer().session.test(b"8", 0.0, 0)


def test_whoever_reads_a_feed_may_judge_it_by_itself() -> None:
    peer = logged_on(rules=Rules(checks_received=False, longest_frame=200))
    answer, [received] = peer.sends(peer.stamp("X", 2, "262=d1|268=1|279=9|1003=7"))
    assert answer == []
    assert isinstance(received, Received)
    assert [tag for tag, _ in received.message.fields] == [34, 49, 52, 56]
    assert received.message.frame.endswith(b"\x01279=9\x011003=7\x01")
    assert peer.says("1", 3) == ["35=3|34=2|45=3|58=Required tag missing|371=112|372=1|373=1"]
    _, [garbled] = peer.sends(peer.stamp("X", 4, "262=" + "d" * 200))
    assert isinstance(garbled, Garbled)


def test_a_connection_without_a_logon_ends() -> None:
    peer = Peer()
    peer.waits(9.9)
    assert peer.is_in(SessionState.AWAITING)
    peer.waits(0.2)
    assert peer.is_in(SessionState.ENDED)


def test_a_logon_may_begin_both_numbers_anew() -> None:
    store = MemoryStore()
    store.save(7, b"old")
    store.expect(5)
    peer = Peer(store)
    assert peer.logs_on(1, "141=Y") == ["35=A|34=1|98=0|108=10|141=Y"]
    assert (store.next_out, store.next_in) == (2, 2)


def test_a_logon_with_a_number_already_used_is_refused() -> None:
    store = MemoryStore()
    store.expect(5)
    [logout] = Peer(store).logs_on(4)
    assert logout == "35=5|34=1|58=MsgSeqNum too low, expecting 5 but received 4"


def test_a_logon_says_what_it_wants_to_be_sent_again() -> None:
    peer = logged_on()
    peer.is_sent()
    again = Peer(peer.store)
    assert again.logs_on(2, "789=2") == [
        "35=A|34=3|98=0|108=10",
        f"35=B|34=2|43=Y|122={peer.clock()}|{NEWS}",
    ]


def initiator(store: MemoryStore | None = None, *, reset: bool = False) -> Initiator:
    return Initiator(
        "YOU",
        "ME",
        store or MemoryStore(),
        100.0,
        EPOCH_NS + 100 * 10**9,
        heartbeat_s=10,
        reset=reset,
        credentials=lambda number, at: [(553, b"desk"), (554, b"%d" % number + at[-4:])],
    )


def test_an_initiator_logs_on_first_with_what_a_signature_covers() -> None:
    session = initiator()
    assert drawn(session.output()) == ["35=A|34=1|98=0|108=10|553=desk|554=1.000"]
    peer = Peer()
    logon = peer.stamp("A", 1, "98=0|108=10")
    [event] = session.receive(logon, peer.now, peer.now_ns)
    assert isinstance(event, LoggedOn)
    assert session.state is SessionState.ACTIVE
    assert session.send(b"B", BODY, peer.now, peer.now_ns) == 2


def test_an_initiator_refuses_a_reset_that_it_did_not_ask_for() -> None:
    peer, session = Peer(), initiator()
    session.output()
    assert not list(session.receive(peer.stamp("A", 1, "98=0|108=10|141=Y"), peer.now, peer.now_ns))
    [logout] = drawn(session.output())
    assert logout == "35=5|34=2|58=ResetSeqNumFlag (141) was not asked for"
    asking = initiator(reset=True)
    assert "|141=Y|" in drawn(asking.output())[0]
    list(asking.receive(peer.stamp("A", 1, "98=0|108=10|141=Y"), peer.now, peer.now_ns))
    assert asking.state is SessionState.ACTIVE


def test_an_initiator_is_told_why_it_may_not_log_on() -> None:
    peer, session = Peer(), initiator()
    [event] = session.receive(peer.stamp("5", 1, "58=unknown token"), peer.now, peer.now_ns)
    assert event == LoggedOut("unknown token")
    assert session.state is SessionState.ENDED
    assert session.reason == "the other side logged out: unknown token"


# Numbers.


def test_a_gap_is_asked_for_once_and_what_came_early_keeps_its_turn() -> None:
    peer = logged_on()
    assert peer.says("B", 4, NEWS) == ASKED_FROM_2
    assert peer.says("B", 5, NEWS) == []
    assert app(peer.sends(peer.stamp("B", 2, NEWS))[1]) == [2]
    filled = peer.sends(peer.stamp("4", 3, "43=Y|123=Y|36=4"))
    assert app(filled[1]) == [4, 5]
    assert filled[0] == []
    assert peer.store.next_in == 6


def test_what_is_lost_of_a_replay_is_asked_for_again() -> None:
    peer = logged_on()
    peer.says("B", 5, NEWS)
    first = peer.stamp("B", 2, f"43=Y|122=20260101-00:00:00|{NEWS}")
    third = peer.stamp("B", 4, f"43=Y|122=20260101-00:00:00|{NEWS}")
    assert peer.sends(first)[0] == []
    assert peer.sends(third)[0] == ["35=2|34=3|7=3|16=0"]
    assert peer.sends(third)[0] == []
    assert peer.waits(9.9) == []
    peer.says("0", 6)
    assert "35=2|34=5|7=3|16=0" in peer.waits(0.1)


def test_a_second_gap_is_asked_for_as_soon_as_the_first_is_filled() -> None:
    peer = logged_on()
    assert peer.says("B", 3, NEWS) == ASKED_FROM_2
    assert peer.says("B", 6, NEWS) == []
    assert peer.says("B", 2, NEWS) == ["35=2|34=3|7=4|16=0"]
    assert peer.says("4", 4, "123=Y|36=6") == []
    assert peer.store.next_in == 7


def test_a_reset_that_goes_back_is_rejected_and_one_that_skips_ends_the_gap() -> None:
    peer = logged_on()
    assert peer.says("B", 4, NEWS) == ASKED_FROM_2
    assert peer.says("4", 0, "36=1") == [
        f"35=3|34=3|45=0|58={RejectReason.OUT_OF_RANGE.text}|372=4|373=5"
    ]
    assert peer.says("4", 0, "36=9") == []
    assert peer.waits(10.0) == ["35=0|34=4"]
    assert peer.store.next_in == 9


def test_two_sides_that_miss_something_serve_each_other_first() -> None:
    peer = logged_on()
    peer.is_sent()
    answer = peer.says("2", 4, "7=1|16=0")
    assert [one[:9] for one in answer] == ["35=4|34=1", "35=B|34=2", "35=2|34=3"]
    assert app(peer.sends(peer.stamp("B", 2, NEWS) + peer.stamp("B", 3, NEWS))[1]) == [2, 3]
    assert peer.store.next_in == 5


def test_a_number_that_was_used_ends_the_session_unless_it_says_so() -> None:
    peer = logged_on()
    assert peer.says("0", 1, "43=Y|122=20260101-00:00:00") == []
    assert peer.is_in(SessionState.ACTIVE)
    assert peer.says("0", 1) == ["35=5|34=2|58=MsgSeqNum too low, expecting 2 but received 1"]
    assert peer.says("0", 2) == []
    peer.waits(2.0)
    assert peer.is_in(SessionState.ENDED)


def test_what_the_application_did_not_finish_comes_again() -> None:
    peer = logged_on()
    events = peer.session.receive(peer.stamp("B", 2, NEWS), peer.now, peer.now_ns)
    assert isinstance(next(events), Received)
    assert peer.store.next_in == 2
    assert next(events, None) is None
    assert peer.store.next_in == 3


def test_a_session_goes_on_after_a_restart(tmp_path: Path) -> None:
    with SqliteFile(tmp_path / "orders.db") as file:
        peer = logged_on(SqliteStore(file, "YOU>ME"))
        peer.is_sent()
        peer.says("B", 2, NEWS)
    with SqliteFile(tmp_path / "orders.db") as file:
        store = SqliteStore(file, "YOU>ME")
        again = logged_on(store)
        assert (store.next_out, store.next_in) == (4, 4)
        answer = again.says("2", 4, "7=2|16=2")
        assert [one[:14] for one in answer] == ["35=B|34=2|43=Y"]


# What a side that is broken, or means harm, can make us do.


def test_what_never_comes_is_asked_for_so_many_times() -> None:
    peer = logged_on()
    assert peer.says("B", 4, NEWS) == ASKED_FROM_2
    answers = [peer.waits(10.0) + peer.says("0", 5 + number) for number in range(MOST_TIMES)]
    asked = [one for answer in answers for one in answer if one.startswith("35=2|")]
    assert len(asked) == MOST_TIMES - 1
    assert answers[-1] == [
        f"35=0|34={peer.store.next_out - 2}",
        f"35=5|34={peer.store.next_out - 1}|58=MsgSeqNum 2 was asked for 20 times and did not come",
    ]


def test_what_comes_early_takes_so_much_memory_and_no_more() -> None:
    peer = logged_on()
    long = "148=news|33=1|58=" + "x" * 60_000
    assert peer.says("B", 3, long) == ASKED_FROM_2
    for number in range(4, 204):
        assert peer.says("B", number, long) == []
    kept = peer.store.next_in + MOST_EARLY // 60_000
    # Behind what was kept is another gap.
    assert peer.says("B", 2, NEWS) == []
    assert 10 < peer.store.next_in <= kept
    [asked] = peer.says("B", 204, NEWS)
    assert asked.endswith(f"|7={peer.store.next_in}|16=0")


# Judgements.


def test_a_reject_names_the_field_and_goes_back_the_way_it_came() -> None:
    peer = logged_on()
    assert peer.says("V", 2, "115=desk|262=m") == [
        "35=3|34=2|128=desk|45=2|58=Required tag missing|371=146|372=V|373=1"
    ]
    assert peer.store.next_in == 3


def test_a_reject_is_handed_on_and_never_rejected() -> None:
    peer = logged_on()
    assert peer.says("3", 2, "58=what") == []
    _, [event] = peer.sends(peer.stamp("3", 3, "45=2"))
    assert isinstance(event, Rejected)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("S", "35=j|34=2|45=2|58=Unsupported Message Type|372=S|380=3"),
        ("ZZ", "35=3|34=2|45=2|58=Invalid MsgType|372=ZZ|373=11"),
        ("A", "35=3|34=2|45=2|58=Required tag missing|371=98|372=A|373=1"),
    ],
)
def test_types_that_are_not_spoken(kind: str, answer: str) -> None:
    assert logged_on().says(kind, 2) == [answer]


def test_a_second_logon_of_a_session_is_rejected() -> None:
    peer = logged_on()
    assert peer.logs_on(2) == ["35=3|34=2|45=2|58=Message not expected now|372=A|373=99"]


def test_an_application_refuses_by_name() -> None:
    peer = logged_on()
    _, [event] = peer.sends(peer.stamp("H", 2, "11=c|55=A-B|54=1"))
    assert isinstance(event, Received)
    peer.session.reject_business(event.message, 4, "no engine", peer.now, peer.now_ns, b"c")
    assert drawn(peer.session.output()) == [
        "35=j|34=2|45=2|58=no engine|372=H|379=c|380=4",
    ]


def test_what_is_sent_is_held_against_the_dictionary_where_asked() -> None:
    peer = logged_on(rules=Rules(checks_sent=True))
    with pytest.raises(InvalidMessageError, match="Required tag missing: 55"):
        peer.session.send(b"W", b"268=0\x01", peer.now, peer.now_ns)
    assert peer.store.next_out == 2


def test_nothing_is_sent_before_a_logon() -> None:
    with pytest.raises(NotLoggedOnError, match="AWAITING"):
        Peer().is_sent()


# Time.


def test_a_heartbeat_is_sent_after_its_interval_without_another_message() -> None:
    peer = logged_on()
    assert peer.waits(9.9) == []
    assert peer.waits(0.1) == ["35=0|34=2"]
    assert peer.says("1", 2, "112=hello") == ["35=0|34=3|112=hello"]
    assert peer.waits(9.9) == []


def test_a_silent_peer_is_tested_and_then_cut() -> None:
    peer = logged_on()
    peer.waits(10)
    assert peer.waits(2) == ["35=1|34=3|112=TEST"]
    assert peer.says("0", 2, "112=TEST") == []
    peer.waits(10)
    assert peer.waits(2) == ["35=1|34=5|112=TEST"]
    assert peer.waits(11.9) == []
    assert peer.is_in(SessionState.ACTIVE)
    assert peer.waits(0.2) == []
    assert peer.session.reason == "nothing heard for 24 s"


def test_everything_is_heard_until_a_logout_is_answered() -> None:
    peer = logged_on()
    peer.session.leave("maintenance", peer.now, peer.now_ns)
    assert drawn(peer.session.output()) == ["35=5|34=2|58=maintenance"]
    answer, events = peer.sends(peer.stamp("B", 2, NEWS) + peer.stamp("2", 3, "7=1|16=0"))
    assert (app(events), len(answer)) == ([2], 1)
    assert peer.says("5", 4) == []
    assert peer.is_in(SessionState.ENDED)


def test_a_logout_that_nobody_answers_ends() -> None:
    peer = logged_on()
    peer.session.leave("", peer.now, peer.now_ns)
    peer.waits(1.9)
    assert peer.is_in(SessionState.LEAVING)
    peer.waits(0.2)
    assert peer.is_in(SessionState.ENDED)


# A line that loses frames, both ways.


@given(st.integers(0, 2**32), st.floats(0, 0.4), st.integers(1, 25))
def test_every_message_is_delivered_once_and_in_order(
    seed: int, loss: float, messages: int
) -> None:
    chance = Random(seed)
    lossy = True
    line = Line(lambda: lossy and chance.random() < loss)
    said: tuple[list[bytes], list[bytes]] = [], []
    for number in range(messages):
        for side in (0, 1):
            text = b"%d" % number
            if chance.random() < 0.6 and line.say(side, text):
                said[side].append(text)
        line.turn(chance.choice([0.0, 0.1, 3.0]))
        if chance.random() < 0.05:
            line.connect()
    lossy = False
    for _ in range(60):
        line.turn(1.0)
    assert line.up
    assert line.delivered == (said[1], said[0])
    for used in line.used:
        assert used == sorted(set(used))
