"""What a book costs the web gateway for each browser tab.

    python bench/web.py [--seconds S] [--repeat N]

The whole system with three simulated venues at 20 updates a second each, and tabs that are each
sent ten books a second and acknowledge every one, as the page does: 1, 50 and 500 of them, over
loopback. Each number is held for S seconds (default 5), N times (default 3); medians are printed.
How late a book is counts from its leaving the web gateway to its being read here, and so has this
program's own part in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from array import array
from collections import defaultdict
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import msgspec
import uvloop
from measuring import START_WITHIN_S, Worker, medians, print_table, quantile, save, usage
from system import System
from websockets.asyncio.client import ClientConnection, connect

TABS: Final = (1, 50, 500)
HZ: Final = 10
WARM_UP_S: Final = 2.0
ASKED: Final = {"channel": "book", "instrument": "ETH-BTC", "max_hz": HZ}


class _Head(msgspec.Struct):
    type: str = ""
    seq: int = 0
    time_out: str = "0"


_decode: Final = msgspec.json.Decoder(_Head).decode


class _Tabs:
    """Some tabs, and how late what they read was."""

    def __init__(self) -> None:
        self.late_ns = array("q")
        self.reading: set[asyncio.Task[None]] = set()

    async def open(self, url: str, number: int) -> None:
        for _ in range(number):
            socket = await connect(url, proxy=None, compression=None, ping_interval=None)
            await socket.send('{"method":"ack","seq":0,"window":1}')
            await socket.send(json.dumps({"method": "subscribe", "params": ASKED}))
            self.reading.add(asyncio.create_task(self._read(socket)))

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            message = _decode(text)
            if message.type == "snapshot":
                self.late_ns.append(time.time_ns() - int(message.time_out))
                await socket.send(f'{{"method":"ack","seq":{message.seq},"window":1}}')

    async def close(self) -> None:
        for task in self.reading:
            task.cancel()
        await asyncio.gather(*self.reading, return_exceptions=True)
        self.reading.clear()


def run_tabs(pipe: Connection, url: str) -> None:
    """Answer `("open", number)`, `("forget",)`, and `("judge",)` with how late each book was."""
    uvloop.run(_run(pipe, url))


async def _run(pipe: Connection, url: str) -> None:
    tabs = _Tabs()
    with suppress(EOFError):  # the benchmark has ended
        while True:
            match await asyncio.to_thread(pipe.recv):
                case ("open", int(number)):
                    await tabs.open(url, number)
                    pipe.send("open")
                case ("forget",):
                    tabs.late_ns = array("q")
                    pipe.send("forgotten")
                case ("judge",):
                    pipe.send(tabs.late_ns)
                    await tabs.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="What a tab costs the web gateway.")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    found = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)) as system:
        system.start_within_s = START_WITHIN_S
        asyncio.run(system.start(simulator=("--rate=20",), together=True))
        url = asyncio.run(system.start_web()).replace("http", "ws") + "v1/stream"
        web = system.processes["web"].pid
        for number in TABS * given.repeat:
            with Worker(run_tabs, url) as tabs:
                tabs.ask("open", number)
                time.sleep(WARM_UP_S)
                before, began = usage(web), time.monotonic()
                tabs.ask("forget")
                time.sleep(given.seconds)
                late = sorted(tabs.ask("judge"))
                now, took = usage(web), time.monotonic() - began
                used = now.cpu_s - before.cpu_s
                found[number].append(
                    {
                        "books/s": len(late) / took,
                        "CPU µs a book": used / max(1, len(late)) * 1e6,
                        "cores": used / took,
                        "MB": now.resident_mb,
                        "p50 ms": quantile(late, 0.5) / 1e6,
                        "p99 ms": quantile(late, 0.99) / 1e6,
                    }
                )
    rows = {number: medians(figures) for number, figures in found.items()}
    print_table(
        f"The web gateway, with tabs that are each sent {HZ} books a second",
        ["tabs", *next(iter(rows.values()))],
        [[number, *figures.values()] for number, figures in rows.items()],
    )
    save("web", {"rows": [{"tabs": number} | figures for number, figures in rows.items()]})


if __name__ == "__main__":
    main()
