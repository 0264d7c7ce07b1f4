"""Print the state of every venue whenever it changes, and what the client's own connection does.

python venues.py --gateway 127.0.0.1:50051
"""

# ruff: noqa: T201  (an example prints)

from __future__ import annotations

import argparse
import asyncio
import contextlib

from connecting import add_connection_options, client_options
from dragonfly_client import Disconnected, DragonflyClient, Event, Reconnected
from dragonfly_client.sync import Options


def tell(event: Event) -> None:
    match event:
        case Disconnected(stream, reason):
            print(f"{stream}: disconnected, {reason}", flush=True)
        case Reconnected(stream, downtime_s):
            print(f"{stream}: back after {downtime_s:.2f} s", flush=True)


async def main(gateway: str, options: Options) -> None:
    options["on_event"] = tell
    async with DragonflyClient(gateway, **options) as client:
        async for venues in client.venues():
            for venue in venues:
                print(
                    f"{venue.venue:<10} {venue.state.name:<8}"
                    f" {venue.instruments_live}/{venue.instruments} instruments live"
                    f" {venue.reason}",
                    flush=True,
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print the state of every venue.")
    add_connection_options(parser)
    parser.add_argument("--seconds", type=float, help="end after so long; default: never")
    given = parser.parse_args()
    with contextlib.suppress(TimeoutError, KeyboardInterrupt):
        asyncio.run(asyncio.wait_for(main(given.gateway, client_options(given)), given.seconds))
