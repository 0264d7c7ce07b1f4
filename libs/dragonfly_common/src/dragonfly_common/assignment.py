"""The assignment of keys to the replicas of a service. Pure.

Replicas agree without talking about it: each ranks all members for a key by a hash of both
(rendezvous hashing), and the first `redundancy` of them own it. So a replica that joins takes over
just what it ranks first for, and one that goes leaves its keys to the next in rank; nothing else
moves.

What they do tell each other is which keys they have ready. A replica that ceases to own a key
keeps it until every owner has had it ready for a while: a move is made before it is broken.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec

from dragonfly_common.messages import Claim

__all__ = ["ALONE", "Assignment", "Moves", "Replicas", "owners"]

HANDOVER_S: Final = 3.0
"""Where names are looked up afresh, a consumer finds a new replica within a second, and then needs
to be answered by it."""


class Replicas(msgspec.Struct, frozen=True):
    """The replicas of one service, as options name them."""

    peers: tuple[str, ...] = ()
    """Where they publish, itself included; none: there are no others."""
    redundancy: int = 1
    handover_s: float = HANDOVER_S


ALONE: Final = Replicas()


class Moves(msgspec.Struct, frozen=True):
    """The keys that a replica is to begin with, and those that it may end."""

    take: list[str]
    release: list[str]


def owners(key: str, members: Iterable[str], redundancy: int) -> tuple[str, ...]:
    """Return those of `members` that carry `key`, in rank."""
    ranked = sorted(members, key=lambda member: (_weight(member, key), member), reverse=True)
    return tuple(ranked[:redundancy])


class Assignment:
    """One replica's view of who carries what."""

    def __init__(
        self,
        me: str,
        redundancy: int = 1,
        handover_s: float = HANDOVER_S,
        capacity: int = 1 << 20,
    ) -> None:
        """`me` is this replica's name; it carries at most `capacity` keys.

        Each key has `redundancy` owners, and is kept for `handover_s` after new ones have it ready.
        """
        self.me = me
        self.open = True
        """While it is not, nothing moves: who else is there is not known yet."""
        self.leaving = False
        self.carried: set[str] = set()
        self._redundancy = redundancy
        self._handover_s = handover_s
        self._capacity = capacity
        self._peers: dict[str, Claim] = {}
        self.wanted: dict[str, None] = {}
        self._ready: frozenset[str] = frozenset()
        self._owners: dict[str, tuple[str, ...]] = {}
        self._covered: dict[str, float] = {}
        """Keys of others that are carried here, and since when their owners have them ready."""
        self._changed = False
        self._claim: Claim | None = None

    @property
    def claim(self) -> Claim:
        """This replica's word to the others; the same object until that may differ."""
        if self._claim is None:
            self._claim = Claim(self.leaving, self._ready & self.carried)
        return self._claim

    @property
    def alone(self) -> bool:
        """No other replica is there to take a key over."""
        return not self._peers or all(claim.leaving for claim in self._peers.values())

    @property
    def handed_over(self) -> bool:
        """All that is ready here is ready elsewhere too, as far as anybody is there."""
        return self.alone or all(map(self._is_covered, self.claim.keys))

    def want(self, key: str) -> None:
        """Note that consumers ask for `key`."""
        self.wanted[key] = None
        self._changed = True

    def unwant(self, key: str) -> None:
        """Note that nobody asks for `key` any more: it is carried no longer."""
        self.wanted.pop(key, None)
        self._owners.pop(key, None)
        self._covered.pop(key, None)
        self.carried.discard(key)
        self._claim = None
        self._changed = True  # there may be room for another

    def note_ready(self, keys: Iterable[str]) -> None:
        """Note which keys this replica can answer for: exactly `keys`."""
        ready = frozenset(keys)
        if ready != self._ready:
            self._ready = ready
            self._claim = None
            self._changed = True

    def on_claim(self, peer: str, claim: Claim) -> None:
        """Take the claim of another replica."""
        before = self._peers.get(peer)
        if before is None or before.leaving != claim.leaving:
            self._owners.clear()
        self._peers[peer] = claim
        self._changed = True

    def on_lost(self, peer: str) -> None:
        """Note that another replica is gone."""
        if self._peers.pop(peer, None) is not None:
            self._owners.clear()
            self._changed = True

    def leave(self) -> None:
        """Own nothing from now on; what is carried stays until the others have it."""
        self.leaving = True
        self._claim = None
        self._owners.clear()
        self._changed = True

    def evaluate(self, now: float) -> Moves:
        """Return what follows from what was noted; it counts as done."""
        moves = Moves([], [])
        if not self.open or not (self._changed or self._covered):
            return moves
        self._claim = None
        # Where nothing was noted, time alone has passed: that ends only what is covered.
        for key in sorted(self.carried if self._changed else self._covered):
            if self._may_release(key, now):
                self.carried.discard(key)
                moves.release.append(key)
        if not (self._changed or moves.release):
            return moves
        self._changed = False
        for key in self.wanted:
            if len(self.carried) >= self._capacity:
                break
            if key not in self.carried and self.me in self._owners_of(key):
                self.carried.add(key)
                moves.take.append(key)
        return moves

    def _may_release(self, key: str, now: float) -> bool:
        owned = self._owners_of(key)
        if self.me in owned or not owned:
            self._covered.pop(key, None)
            return False
        if key in self._ready:
            if not self._is_covered(key):
                self._covered.pop(key, None)
                return False
            if now - self._covered.setdefault(key, now) < self._handover_s:
                return False
        self._covered.pop(key, None)
        return True

    def _is_covered(self, key: str) -> bool:
        return all(key in self._peers[owner].keys for owner in self._owners_of(key))

    def _owners_of(self, key: str) -> tuple[str, ...]:
        found = self._owners.get(key)
        if found is None:
            members = [peer for peer, claim in self._peers.items() if not claim.leaving]
            if not self.leaving:
                members.append(self.me)
            found = self._owners[key] = owners(key, members, self._redundancy)
        return found


def _weight(member: str, key: str) -> bytes:
    return blake2b(f"{member}\0{key}".encode(), digest_size=8).digest()
