"""KuCoin Spot, the classic socket and public REST."""

from __future__ import annotations

from typing import Final

from venue_simulator.venue import Books, FakeVenue, KeepaliveRules, RestReply, RestRequest
from venue_simulator.venues.kucoin import frames, listing, recording, rest
from venue_simulator.venues.kucoin.session import KucoinSession
from venue_simulator.venues.kucoin.tokens import Tokens

__all__ = ["FakeKucoin"]


class FakeKucoin(FakeVenue):
    """Changes of whole books, of which REST gives a hundred levels; a token for each connection."""

    name: Final = "kucoin"
    liveness = KeepaliveRules(keepalive_limit_s=60.0)
    rate_limited = rest.RATE_LIMITED

    list_asset = staticmethod(listing.list_asset)
    rebuild = staticmethod(recording.rebuild)
    next_seq = staticmethod(listing.next_seq)
    first_frame = staticmethod(frames.first_frame)
    frame = staticmethod(frames.frame)

    def __init__(self) -> None:
        self._tokens = Tokens()

    def accepts(self, path: str) -> bool:
        return self._tokens.admit(path)

    def session(self, path: str, books: Books, connection_id: int) -> KucoinSession:
        return KucoinSession(path)

    def rest(self, request: RestRequest, books: Books, now_ns: int) -> RestReply:
        return rest.answer(request, books, now_ns, self._tokens)
