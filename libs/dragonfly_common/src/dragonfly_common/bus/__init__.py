"""The bus: whole states from publishers to subscribers, and interest the other way.

    Publisher   binds; keeps the last value of each topic, re-sends it to whoever subscribes, beats.
    Subscriber  follows any number of publishers; hands on only news, newest per topic, and losses.
    Waiter      waits for both in a plain loop; `pump` does the same on asyncio.
    Keys        this process's key pair, and whom it trusts over tcp.

This package alone imports zmq.
"""

from dragonfly_common.bus.deliveries import Delivery, PublisherLost
from dragonfly_common.bus.keys import Keys, Role
from dragonfly_common.bus.publisher import Interest, Publisher
from dragonfly_common.bus.subscriber import Subscriber
from dragonfly_common.bus.waiting import Waiter, pump

__all__ = [
    "Delivery",
    "Interest",
    "Keys",
    "Publisher",
    "PublisherLost",
    "Role",
    "Subscriber",
    "Waiter",
    "pump",
]
