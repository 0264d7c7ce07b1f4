"""Whether what a stream said still holds at this moment."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

__all__ = ["HOLDS_S", "StreamLiveness"]

HOLDS_S: Final = 3.0
"""How long a word holds that nobody stands behind any more. A frozen gateway is found by pings in
the same time, so `live` is wrong for no longer, whatever happens."""

BEAT_S: Final = 0.5


class StreamLiveness:
    """A stream's knowledge of its instruments now; views ask it when they are asked.

    Its beats stop with the event loop: a bot whose loop stood still was told nothing meanwhile, so
    nothing holds until the loop has run again.
    """

    __slots__ = ("_beat", "_holds_until_s", "_live", "_was_read", "bot_works")

    def __init__(self) -> None:
        self.bot_works = False
        """Whether the bot has a message and has not come back for the next one."""
        self._was_read = False
        self._live: set[str] = set()
        self._holds_until_s = 0.0
        self._beat: asyncio.TimerHandle | None = None

    def begin(self, is_connected: Callable[[], bool]) -> None:
        """Hold from now on, until `cut`.

        gRPC tells the end of a call to those who read it: behind messages that a bot at work leaves
        unread, only `is_connected` tells. That is also False when a gateway that goes lets its
        streams last, so a stream that is read needs it not.
        """
        if self._was_read or not self.bot_works or is_connected():
            self._holds_until_s = time.monotonic() + HOLDS_S
        self._was_read = False
        self._beat = asyncio.get_running_loop().call_later(BEAT_S, self.begin, is_connected)

    def cut(self) -> None:
        """Hold no more: the connection is gone, and all that came by it."""
        if self._beat is not None:
            self._beat.cancel()
        self._holds_until_s = 0.0
        self._live.clear()

    @contextlib.contextmanager
    def bot_at_work(self) -> Iterator[None]:
        self.bot_works = self._was_read = True
        try:
            yield
        finally:
            self.bot_works = False

    def note(self, instrument: str, *, live: bool) -> None:
        if live:
            self._live.add(instrument)
        else:
            self._live.discard(instrument)

    @property
    def holds(self) -> bool:
        return time.monotonic() < self._holds_until_s

    def is_live(self, instrument: str) -> bool:
        return instrument in self._live and self.holds
