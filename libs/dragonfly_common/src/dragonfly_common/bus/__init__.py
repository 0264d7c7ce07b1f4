"""The bus: whole states from publishers to subscribers, and interest the other way.

    Publisher   binds; keeps the last value of each topic, re-sends it to whoever subscribes, beats.
    Subscriber  follows any number of publishers; hands on only news, newest per topic, and losses.
    Waiter      waits for both in a plain loop; `drive` does the same on asyncio.
    ChannelServer, ChannelClient   what must arrive: commands and reports, not states.
    Keys        this process's key pair, and whom it trusts over tcp.

This package alone imports zmq.
"""

from dragonfly_common.bus.channel import ChannelClient, ChannelServer
from dragonfly_common.bus.curve import Keys, Role
from dragonfly_common.bus.driving import End, Waiter, drive
from dragonfly_common.bus.publisher import Interest, Publisher
from dragonfly_common.bus.subscriber import Subscriber
from dragonfly_common.bus.transport import Delivery, PublisherLost

__all__ = [
    "ChannelClient",
    "ChannelServer",
    "Delivery",
    "End",
    "Interest",
    "Keys",
    "Publisher",
    "PublisherLost",
    "Role",
    "Subscriber",
    "Waiter",
    "drive",
]
