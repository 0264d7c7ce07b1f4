"""What a subscriber hands on."""

from __future__ import annotations

import msgspec

from dragonfly_common.messages import Body

__all__ = ["Delivery", "PublisherLost"]


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A fresh state: the newest of its topic and publisher."""

    topic: str
    publisher: str
    epoch: int
    seq: int
    ts_pub: int
    body: Body


class PublisherLost(msgspec.Struct, frozen=True):
    """All that `publisher` said is void until it says it again."""

    publisher: str
    reason: str
