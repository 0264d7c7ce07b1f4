"""What a session sends: frames with their numbers, and again what the other side asks for. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from dragonfly_fix.codec import Field, decode_fields, encode, encode_fields
from dragonfly_fix.dictionary import Dictionary, InvalidMessageError, RejectReason
from dragonfly_fix.fix44 import MsgType
from dragonfly_fix.gaps import SentAgain
from dragonfly_fix.store import Store
from dragonfly_fix.timestamps import format_timestamp

__all__ = ["Outgoing", "keep_for_later"]

MOST_OUTPUT: Final = 1 << 16
"""Bytes of a replay that are made at once."""
REPLAY_STEP: Final = 256
"""Numbers of a replay that are read from the store at once."""
_TRAILER_LENGTH: Final = len(b"10=000\x01")


class Outgoing:
    """The frames on their way to one peer, and replays of which the frames are still to be made."""

    def __init__(self, pair: tuple[bytes, bytes], store: Store, dictionary: Dictionary) -> None:
        """`pair` is our CompID and that of the peer."""
        self._pair, self._store = pair, store
        self._header = dictionary.header.members
        self._queue: deque[bytes | Iterator[bytes]] = deque()
        self._sent_again = SentAgain()
        self._now_ns = 0

    @property
    def is_replaying(self) -> bool:
        """Whether the next output is of a replay."""
        return bool(self._queue) and not isinstance(self._queue[0], bytes)

    def output(self, now_ns: int) -> bytes:
        """Return what is to be written at `now_ns`, of a replay a part, and forget it."""
        self._now_ns = now_ns
        data = bytearray()
        while self._queue and len(data) < MOST_OUTPUT:
            first = self._queue[0]
            frame = first if isinstance(first, bytes) else next(first, b"")
            if frame is first or not frame:
                self._queue.popleft()
            data += frame
        return bytes(data)

    def send(
        self,
        msg_type: bytes,
        body: bytes,
        now_ns: int,
        extra: Sequence[Field] = (),
        *,
        kept: bool = False,
    ) -> int:
        """Send a message, `kept` to be sent again, and return its number.

        `extra` are fields of the header behind 56, ascending as all of it.
        """
        number = self._store.next_out
        frame = _frame(self._pair, msg_type, number, body, now_ns, extra)
        self._store.save(number, frame if kept else None)
        self._queue.append(frame)
        return number

    def resend(self, first: int, last: int) -> bool:
        """Answer a ResendRequest; False where enough was sent again. A `last` of 0 is the newest.

        Raises:
            InvalidMessageError: there are no such numbers.
        """
        newest = self._store.next_out - 1
        if not 1 <= first <= newest or (last and last < first):
            raise InvalidMessageError(RejectReason.OUT_OF_RANGE, 7)
        last = min(last, newest) if last else newest
        if not self._sent_again.note(first, last, newest):
            return False
        self.replay(first, last)
        return True

    def replay(self, first: int, last: int) -> None:
        """Send numbers again, behind what is on its way."""
        self._queue.append(self._replay(first, last))

    def drop_replays(self) -> None:
        self._queue = deque(one for one in self._queue if isinstance(one, bytes))

    def begin_anew(self) -> None:
        """Forget what was sent again: the numbers begin at 1."""
        self._sent_again = SentAgain()
        self.drop_replays()

    def _replay(self, first: int, last: int) -> Iterator[bytes]:
        gap = first
        for step in range(first, last + 1, REPLAY_STEP):
            for number, frame in [*self._store.frames(step, min(last, step + REPLAY_STEP - 1))]:
                if gap < number:
                    yield self._gap_fill(gap, number)
                yield self._again(number, frame)
                gap = number + 1
        if gap <= last:
            yield self._gap_fill(gap, last + 1)

    def _gap_fill(self, first: int, following: int) -> bytes:
        body = encode_fields([(36, b"%d" % following), (123, b"Y")])
        extra = [(122, format_timestamp(self._now_ns))]
        kind = MsgType.SEQUENCE_RESET
        return _frame(self._pair, kind, first, body, self._now_ns, extra, poss_dup=True)

    def _again(self, number: int, frame: bytes) -> bytes:
        (_, msg_type), *fields = decode_fields(frame[:-_TRAILER_LENGTH])[2:]
        extra = sorted(
            (122 if tag == 52 else tag, value)
            for tag, value in fields
            if tag in self._header and tag not in {34, 49, 56}
        )
        body = encode_fields([field for field in fields if field[0] not in self._header])
        return _frame(self._pair, msg_type, number, body, self._now_ns, extra, poss_dup=True)


def keep_for_later(
    store: Store,
    pair: tuple[bytes, bytes],
    msg_type: bytes,
    body: bytes,
    now_ns: int,
    *,
    poss_resend: bool = False,
) -> int:
    """Give an application message to a peer that is not there the next number, and return it.

    It is sent when the peer has logged on, sees the gap, and asks. `pair` is our CompID and that of
    the peer; `poss_resend` as of `FixSession.send`.
    """
    number = store.next_out
    extra = [(97, b"Y")] if poss_resend else []
    store.save(number, _frame(pair, msg_type, number, body, now_ns, extra))
    return number


def _frame(
    pair: tuple[bytes, bytes],
    msg_type: bytes,
    number: int,
    body: bytes,
    now_ns: int,
    extra: Sequence[Field] = (),
    *,
    poss_dup: bool = False,
) -> bytes:
    sender, target = pair
    header = b"34=%d\x01%b49=%b\x0152=%b\x0156=%b\x01%b" % (
        number,
        b"43=Y\x01" if poss_dup else b"",
        sender,
        format_timestamp(now_ns),
        target,
        encode_fields(extra),
    )
    return encode(msg_type, header, body)
