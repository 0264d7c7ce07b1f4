"""What is news on one connection, what is in doubt, and that nothing said can make it deaf."""

from __future__ import annotations

from dragonfly_common.sequencing import EVERY_TOPIC, MOST_LOST, BusSequencer, SequenceVerdict
from hypothesis import given
from hypothesis import strategies as st


def heard(*seqs: int, topic: str = "a.") -> BusSequencer:
    """Return a sequencer that heard a beat first, then these numbers of one topic."""
    sequencer = BusSequencer("p", 7)
    assert sequencer.on_beat(0, {}) == []
    for seq in seqs:
        assert sequencer.judge("p", 7, topic, seq) is SequenceVerdict.FRESH
    return sequencer


def test_each_topic_counts_for_itself() -> None:
    sequencer = heard(3)
    assert sequencer.judge("p", 7, "b.", 1) is SequenceVerdict.FRESH
    assert sequencer.judge("p", 7, "a.", 4) is SequenceVerdict.FRESH
    assert sequencer.lost == 0


def test_what_is_not_higher_is_a_duplicate() -> None:
    sequencer = heard(3)
    assert sequencer.judge("p", 7, "a.", 3) is SequenceVerdict.DUPLICATE
    assert sequencer.judge("p", 7, "a.", 2) is SequenceVerdict.DUPLICATE


def test_a_jump_is_counted_as_so_many_lost() -> None:
    assert heard(3, 4, 8).lost == 3


def test_a_jump_beyond_all_reason_is_refused_until_a_beat_confirms_it() -> None:
    sequencer = heard(3)
    assert sequencer.judge("p", 7, "a.", 4 + MOST_LOST) is SequenceVerdict.WILD
    assert sequencer.judge("p", 7, "a.", 4) is SequenceVerdict.FRESH
    assert sequencer.lost == 0
    assert sequencer.on_beat(1, {"a.": 2**40}) == ["a."]
    assert sequencer.judge("p", 7, "a.", 2**40) is SequenceVerdict.FRESH
    assert sequencer.lost == 0


def test_another_publisher_or_epoch_is_refused_and_changes_nothing() -> None:
    sequencer = heard(3)
    assert sequencer.judge("q", 7, "a.", 99) is SequenceVerdict.FOREIGN
    assert sequencer.judge("p", 6, "a.", 99) is SequenceVerdict.OLD_EPOCH
    assert sequencer.judge("p", 8, "a.", 99) is SequenceVerdict.NEW_EPOCH
    assert sequencer.judge("p", 7, "a.", 4) is SequenceVerdict.FRESH
    assert sequencer.lost == 0


def test_a_beat_doubts_what_did_not_arrive() -> None:
    sequencer = heard(3)
    assert sequencer.on_beat(1, {"a.": 3}) == []
    assert sequencer.on_beat(2, {"a.": 4, "never heard of": 1}) == ["a.", "never heard of"]
    # What was missed is still news when it comes.
    assert sequencer.judge("p", 7, "a.", 4) is SequenceVerdict.FRESH
    assert sequencer.lost == 0


def test_a_beat_frees_a_topic_from_a_number_that_was_never_given() -> None:
    sequencer = heard(3, 300)
    assert sequencer.judge("p", 7, "a.", 4) is SequenceVerdict.DUPLICATE
    assert sequencer.on_beat(1, {"a.": 4}) == ["a."]
    assert sequencer.judge("p", 7, "a.", 4) is SequenceVerdict.FRESH
    assert sequencer.judge("p", 7, "a.", 5) is SequenceVerdict.FRESH


def test_after_a_lost_beat_everything_is_in_doubt_once_beats_follow_each_other_again() -> None:
    sequencer = heard(3)
    sequencer.on_beat(1, {})
    assert sequencer.on_beat(2, {"a.": 3}) == []
    assert sequencer.on_beat(4, {"a.": 4}) == ["a."]
    assert sequencer.on_beat(7, {"a.": 3}) == []
    assert sequencer.lost == 3
    assert sequencer.on_beat(8, {"a.": 3}) is EVERY_TOPIC
    assert sequencer.on_beat(9, {"a.": 3}) == []


def test_beats_may_have_been_lost_before_the_first_that_is_heard_unless_it_came_first() -> None:
    sequencer = BusSequencer("p", 7)
    sequencer.judge("p", 7, "a.", 3)
    assert sequencer.on_beat(5, {}) == []
    assert sequencer.lost == 0
    assert sequencer.on_beat(6, {}) is EVERY_TOPIC
    assert sequencer.on_beat(7, {}) == []


def test_a_beat_with_a_wrong_number_deafens_nobody() -> None:
    sequencer = heard(3)
    sequencer.on_beat(1, {})
    assert sequencer.on_beat(2**40, {"a.": 4}) == ["a."]
    assert sequencer.lost == 0
    assert sequencer.on_beat(3, {}) == []
    assert sequencer.on_beat(4, {}) is EVERY_TOPIC
    assert sequencer.on_beat(5, {"a.": 3}) == []


def test_what_is_asked_for_anew_is_news() -> None:
    sequencer = heard(3)
    sequencer.judge("p", 7, "b.", 3)
    sequencer.forget_prefix("a")
    assert sequencer.judge("p", 7, "a.", 3) is SequenceVerdict.FRESH
    assert sequencer.judge("p", 7, "b.", 3) is SequenceVerdict.DUPLICATE


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2**64 - 1)), max_size=20),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 2**63), min_size=3, max_size=3),
)
def test_whatever_was_said_a_true_beat_makes_the_next_state_news(
    said: list[tuple[str, int]], last: dict[str, int]
) -> None:
    sequencer = BusSequencer("p", 7)
    for topic, seq in said:
        sequencer.judge("p", 7, topic, seq)
    sequencer.on_beat(1, last)
    for topic, seq in last.items():
        assert sequencer.judge("p", 7, topic, seq + 1) is SequenceVerdict.FRESH
    assert sequencer.lost <= MOST_LOST * (len(said) + len(last))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_every_loss_is_counted_or_found_at_the_next_beat(steps: list[tuple[bool, bool]]) -> None:
    """Each step publishes one state, which arrives or not; some steps end with a beat."""
    sequencer = heard()
    arrived = beats = 0
    for seq, (arrives, beat_follows) in enumerate(steps, start=1):
        if arrives:
            sequencer.judge("p", 7, "a.", seq)
            arrived = seq
        if beat_follows:
            beats += 1
            doubted = sequencer.on_beat(beats, {"a.": seq})
            assert doubted == ([] if arrived == seq else ["a."])
