"""cryptofeed on a simulated venue, with its ZeroMQ book backend; run by a Python that has it.

    python bench/cryptofeed_peer.py VENUE WS_URL REST_URL INSTRUMENT PORT KIND

Publishes to the SUB socket on PORT: changes, as it does by itself, or where KIND is `whole` the ten
best levels a side at every change.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from cryptofeed import FeedHandler
from cryptofeed.backends.zmq import BookZMQ
from cryptofeed.connection import RestEndpoint, WebsocketEndpoint
from cryptofeed.defines import L2_BOOK
from cryptofeed.exchanges import Binance, Bitstamp


def main() -> None:
    venue, ws_url, rest_url, instrument, port, kind = sys.argv[1:]
    feed = {"binance": Binance, "bitstamp": Bitstamp}[venue]
    routes = feed.rest_endpoints[0].routes
    feed.websocket_endpoints = [WebsocketEndpoint(ws_url, options={"compression": None})]
    feed.rest_endpoints = [RestEndpoint(rest_url, routes=routes)]
    # Its own option for uvloop expects an older one.
    asyncio.set_event_loop(uvloop.new_event_loop())
    handler = FeedHandler(config={"uvloop": False, "log": {"disabled": True}})
    backend = BookZMQ(port=int(port), snapshots_only=kind == "whole")
    handler.add_feed(
        feed(
            symbols=[instrument],
            channels=[L2_BOOK],
            max_depth=10,
            callbacks={L2_BOOK: backend},
        )
    )
    handler.run()


if __name__ == "__main__":
    main()
