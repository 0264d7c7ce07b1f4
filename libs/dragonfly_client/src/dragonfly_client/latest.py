"""The newest of what a client follows, for a bot that looks when it wants to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dragonfly_client._liveness import StreamLiveness
from dragonfly_client.messages import Bbo, Book, Liquidity, View

__all__ = ["Latest"]


class Latest:
    """The newest view of each instrument that a stream of this client brought.

    A view stays while its stream is open, also while that is disconnected: `live` says so. Streams
    bring what they are read for: read them in a task beside the bot's own.
    """

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._bbos: dict[str, Bbo] = {}
        self._liquidity: dict[str, Liquidity] = {}

    @property
    def books(self) -> Mapping[str, Book]:
        return MappingProxyType(self._books)

    @property
    def bbos(self) -> Mapping[str, Bbo]:
        return MappingProxyType(self._bbos)

    @property
    def liquidity(self) -> Mapping[str, Liquidity]:
        return MappingProxyType(self._liquidity)

    def take(self, view: View) -> None:
        """Keep `view`; for the client."""
        match view:
            case Book():
                self._books[view.instrument] = view
            case Bbo():
                self._bbos[view.instrument] = view
            case Liquidity():
                self._liquidity[view.instrument] = view

    def forget(self, liveness: StreamLiveness) -> None:
        """Keep nothing more of a stream that was closed; for the client."""
        for views in (self._books, self._bbos, self._liquidity):
            for name in [name for name, one in views.items() if one.came_by(liveness)]:
                del views[name]
