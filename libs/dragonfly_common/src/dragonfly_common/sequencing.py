"""Which messages are news: per publisher an epoch, per topic a sequence. Pure.

1. A publisher's epoch is its start; only the highest one seen is listened to. A higher one voids
   all that was said before; a lower one is a process that should be dead.
2. Within an epoch a topic's `seq` only rises. What is not higher is a duplicate, which is legal: a
   last value re-sent for one subscriber reaches every subscriber.
3. A `seq` that jumps is a loss. It needs no repair: a message is a whole state.
4. A loss before a quiet spell shows in the heartbeat, whose digest names the last `seq` of each
   topic that changed. A heartbeat that was itself lost leaves every topic in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

__all__ = ["Sequencer", "Verdict"]


class Verdict(Enum):
    FRESH = auto()
    DUPLICATE = auto()
    OLD_EPOCH = auto()


class Sequencer:
    """What one consumer has seen of every publisher."""

    def __init__(self) -> None:
        self._epochs: dict[str, int] = {}
        self._seqs: dict[str, dict[str, int]] = {}
        self.lost = 0
        """Messages that were numbered and never arrived."""

    def epoch(self, publisher: str) -> int | None:
        """Return the highest epoch seen of `publisher`."""
        return self._epochs.get(publisher)

    def judge(self, publisher: str, epoch: int, topic: str, seq: int) -> Verdict:
        """Say whether a message is news, and remember it if so."""
        known = self._epochs.get(publisher, -1)
        if epoch < known:
            return Verdict.OLD_EPOCH
        if epoch > known:
            self._epochs[publisher] = epoch
            self._seqs[publisher] = {}
        seqs = self._seqs.setdefault(publisher, {})
        last = seqs.get(topic)
        if last is not None:
            if seq <= last:
                return Verdict.DUPLICATE
            self.lost += seq - last - 1
        seqs[topic] = seq
        return Verdict.FRESH

    def behind(self, publisher: str, digest: Mapping[str, int]) -> list[str]:
        """Return the topics of `digest` whose last message never arrived here."""
        seqs = self._seqs.get(publisher, {})
        return [topic for topic, seq in digest.items() if seqs.get(topic, 0) < seq]

    def forget(self, publisher: str) -> None:
        """Void what `publisher` said, so that its last values are news again; keep its epoch."""
        self._seqs.pop(publisher, None)

    def forget_prefix(self, prefix: str) -> None:
        """Void what anybody said under `prefix`: it is no longer listened to."""
        for seqs in self._seqs.values():
            for topic in [topic for topic in seqs if topic.startswith(prefix)]:
                del seqs[topic]
