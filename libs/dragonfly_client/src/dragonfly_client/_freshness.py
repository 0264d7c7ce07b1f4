"""(epoch, seq) of an instrument never goes back, whichever gateway a stream ends up at."""

from __future__ import annotations

from dragonfly_client.messages import View

__all__ = ["Freshness"]


class Freshness:
    """Remembers the newest (epoch, seq) per instrument of one stream, across reconnects."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, int]] = {}

    def admit(self, view: View) -> bool:
        """Return whether `view` is no older than what was admitted before.

        The same state again is admitted: after a reconnect it says that nothing changed.
        Epoch 0 is the gateway's own word, that no aggregator speaks for the instrument.
        """
        if view.epoch == 0:
            return True
        stamp = (view.epoch, view.seq)
        if stamp < self._newest.get(view.instrument, stamp):
            return False
        self._newest[view.instrument] = stamp
        return True
