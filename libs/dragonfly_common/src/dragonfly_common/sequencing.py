"""The sequence of the messages of one connection: gaps, duplicates, new epochs. Pure.

1. A connection is one process: its publisher and its epoch are those of its first message. What
   names another publisher or epoch is refused; it says nothing about the one that is there.
2. A topic's `seq` only rises. What is not higher is a duplicate, which is legal: a last value
   re-sent for one subscriber reaches every subscriber.
3. A `seq` that jumps is a loss. It needs no repair: a message is a whole state. A jump beyond
   all reason is refused.
4. Beats are numbered without a gap and never re-sent. After a beat that is not the next one, any
   topic may have been lost: all are in doubt. It is said with the first beat that follows its
   predecessor again: to ask for everything while messages are being lost makes it worse. Only the
   first message of a connection certainly had nothing in its way: where that was a state, beats
   may have been lost before the first that is heard.
5. A beat's digest names the last `seq` of each topic that was sent since the beat before. A
   connection keeps its order, so all of that has arrived by then, and both differences count:
   who has less missed something; who has more was told a number that the publisher never gave, and
   would take all up to it for duplicates. Either way the topic is in doubt.

A topic in doubt is asked for again. So one damaged message, whatever number it claims, costs one
topic at most the time until the beat that follows its next change; and where the first message of
a connection lied about who speaks (rule 1), nothing else on it is accepted, so that the connection
counts as silent and is replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Final

__all__ = ["EVERY_TOPIC", "BusSequencer", "SequenceVerdict"]

EVERY_TOPIC: Final = None
"""In doubt: whatever is followed."""

MOST_LOST: Final = 100_000
"""A minute and more of the busiest topic; beats are lost with it, and nobody waits so long."""


class SequenceVerdict(Enum):
    """A message is news, or why it is not, as a counter's label."""

    FRESH = "fresh"
    DUPLICATE = "duplicate"
    FOREIGN = "foreign_publisher"
    OLD_EPOCH = "old_epoch"
    NEW_EPOCH = "new_epoch"
    WILD = "wild_seq"


class BusSequencer:
    """The sequence numbers heard on one connection to a publisher, from its first message on."""

    def __init__(self, publisher: str, epoch: int) -> None:
        self.publisher = publisher
        self.epoch = epoch
        self.lost = 0
        """Messages that were numbered and never arrived."""
        self._seqs: dict[str, int] = {}
        self._beat: int | None = None
        self._beat_missing = False

    def judge(self, publisher: str, epoch: int, topic: str, seq: int) -> SequenceVerdict:
        """Say whether a state is news, and remember it if so."""
        if publisher != self.publisher or epoch != self.epoch:
            return self.recognise(publisher, epoch)
        last = self._seqs.get(topic)
        if last is not None:
            if seq <= last:
                return SequenceVerdict.DUPLICATE
            if seq - last > MOST_LOST:
                return SequenceVerdict.WILD
            self.lost += seq - last - 1
        elif self._beat is None:
            self._beat_missing = True
        self._seqs[topic] = seq
        return SequenceVerdict.FRESH

    def recognise(self, publisher: str, epoch: int) -> SequenceVerdict:
        """Say whether it is this connection's process that speaks."""
        if publisher != self.publisher:
            return SequenceVerdict.FOREIGN
        if epoch != self.epoch:
            return SequenceVerdict.OLD_EPOCH if epoch < self.epoch else SequenceVerdict.NEW_EPOCH
        return SequenceVerdict.FRESH

    def on_beat(self, seq: int, digest: Mapping[str, int]) -> Collection[str] | None:
        """Return the topics that are in doubt now; EVERY_TOPIC when a lost beat is over."""
        before, self._beat = self._beat, seq
        doubted = []
        for topic, last in digest.items():
            known = self._seqs.get(topic, 0)
            if known != last:
                doubted.append(topic)
            if not 0 <= last - known <= MOST_LOST:
                self._seqs.pop(topic, None)
        if before is None:
            return doubted
        lost = seq - before - 1
        if lost:
            self._beat_missing = True
            if 0 < lost <= MOST_LOST:
                self.lost += lost
        elif self._beat_missing:
            self._beat_missing = False
            return EVERY_TOPIC
        return doubted

    def forget_prefix(self, prefix: str) -> None:
        """Take what is said under `prefix` for news again."""
        for topic in [topic for topic in self._seqs if topic.startswith(prefix)]:
            del self._seqs[topic]
