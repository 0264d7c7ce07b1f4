"""How long a quote takes to a customer over FIX, beside the same quote's way to a bot over gRPC.

    python bench/fix_latency.py [--seconds S] [--rate R] [--protocol fix]

The whole system in one process (`dragonfly up --simulated --venue binance`), and one reader of each
kind in this one, each decoding all that it is sent. A state of the venue is known by its number;
where both readers got it, its time is from the listener's stamp of it (`ts_recv`) to each. Default:
200 states a second for 20 s. `--protocol fix` lets the venue be listened to by FIX too.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dragonfly_client import DragonflyClient
from fix_customers import NotingCustomer
from measuring import print_table, quantile, save
from patience import eventually
from system import Process, System
from venue_sender import INSTRUMENT

SETTLED_S: Final = 3.0


def _places(up: Process) -> dict[str, str]:
    """Return where the gateways are, once `up` has logged it."""
    return dict(re.findall(r'"(gateway|fix)": "([^"]+)"', up.log.read_text()))


async def _measure(seconds: float, rate: int, protocol: str) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        up = system.run(
            *("up", "--simulated", "--venue=binance", f"--protocol=binance={protocol}"),
            *(f"--rate={rate}", f"--instrument={INSTRUMENT}"),
            *("--gateway=127.0.0.1:0", "--fix=127.0.0.1:0"),
        )
        await eventually(lambda: "gateway" in _places(up), what="the system is up")
        gateway, fix = (_places(up)[what] for what in ("gateway", "fix"))
        host, _, port = fix.rpartition(":")
        loop = asyncio.get_running_loop()
        _, customer = await loop.create_connection(
            lambda: NotingCustomer(INSTRUMENT), host, int(port)
        )
        bot: dict[int, tuple[int, int]] = {}

        async def read() -> None:
            async with DragonflyClient(gateway) as client:
                async for book in client.book(INSTRUMENT):
                    now = time.time_ns()
                    for feed in book.venues:
                        if feed.ts_recv is not None:
                            bot.setdefault(feed.venue_seq, (feed.ts_recv, now))

        task = asyncio.create_task(read())
        await asyncio.sleep(SETTLED_S)
        bot.clear()
        await asyncio.sleep(seconds)
        task.cancel()
        customer.transport.abort()
    both = bot.keys() & customer.came.keys()
    return {
        "gRPC": sorted((bot[number][1] - bot[number][0]) / 1e6 for number in both),
        "FIX": sorted((customer.came[number] - bot[number][0]) / 1e6 for number in both),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a quote takes to a customer over FIX.")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--protocol", default="websocket")
    given = parser.parse_args()
    times = asyncio.run(_measure(given.seconds, given.rate, given.protocol))
    rows = {
        name: {"states": len(some), "p50 ms": quantile(some, 0.5), "p99 ms": quantile(some, 0.99)}
        for name, some in times.items()
    }
    print_table(
        f"From the listener to a reader, {given.rate}/s, the venue by {given.protocol}",
        ["", *rows["FIX"]],
        [[name, *row.values()] for name, row in rows.items()],
    )
    save("fix_latency", {"rate": given.rate, "protocol": given.protocol, "rows": rows})


if __name__ == "__main__":
    main()
