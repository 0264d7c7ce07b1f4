"""Programs that begin and end event loops in every order: their stderr stays empty."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent
from typing import Final

import pytest
from patience import PATIENCE_S

BEGINNING: Final = """
import asyncio, gc, sys, threading, uvloop
from dragonfly_client import DragonflyClient
from dragonfly_client.sync import Client

ADDRESS = sys.argv[1]

async def main():
    async with DragonflyClient(ADDRESS) as client:
        read = 0
        async for book in client.book("ETH-BTC"):
            read += 1
            if read == 3:
                break
        await client.get_book("ETH-BTC")
        async with asyncio.timeout(120):
            await anext(client.venues())

def block():
    with Client(ADDRESS) as client:
        next(client.book("ETH-BTC"))
        client.get_book("ETH-BTC")

async def unclosed():
    client = DragonflyClient(ADDRESS)
    await client.get_book("ETH-BTC")
    books = client.book("ETH-BTC")
    await anext(books)
    return client, books
"""

PROGRAMS: Final = {
    "asyncio.run, again and again": """
        for _ in range(10):
            asyncio.run(main())
    """,
    "loops of one's own, closed at once": """
        for _ in range(10):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(main())
            loop.close()
    """,
    "uvloop, then asyncio, then uvloop": """
        for _ in range(5):
            uvloop.run(main())
            asyncio.run(main())
    """,
    "a client that nobody closes": """
        for _ in range(10):
            kept = asyncio.run(unclosed())
        gc.collect()
    """,
    "a client that nobody closes nor keeps": """
        for _ in range(10):
            asyncio.run(unclosed())
            gc.collect()
    """,
    "a client that is closed by the next loop": """
        client, books = asyncio.run(unclosed())
        asyncio.run(client.aclose())
        asyncio.run(main())
    """,
    "a task that the end of the loop cuts": """
        async def follow():
            async for book in DragonflyClient(ADDRESS).book("ETH-BTC"):
                pass

        async def leave():
            following = asyncio.create_task(follow())
            await main()

        for _ in range(10):
            asyncio.run(leave())
    """,
    "a loop in each of several threads": """
        def run():
            for _ in range(3):
                asyncio.run(main())

        for _ in range(3):
            threads = [threading.Thread(target=run) for _ in range(3)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()
            asyncio.run(main())
    """,
    "the blocking client, then asyncio, then both": """
        for _ in range(5):
            block()
            asyncio.run(main())
            with Client(ADDRESS) as client:
                next(client.book("ETH-BTC"))
                asyncio.run(main())
                client.get_book("ETH-BTC")
    """,
    "the blocking client in a thread beside a running loop": """
        async def both():
            async with DragonflyClient(ADDRESS) as client:
                await anext(client.book("ETH-BTC"))
                await asyncio.gather(*(asyncio.to_thread(block) for _ in range(3)), main())
                await client.get_book("ETH-BTC")

        for _ in range(5):
            asyncio.run(both())
    """,
    "a blocking client that nobody closes": """
        client = Client(ADDRESS)
        next(client.book("ETH-BTC"))
        asyncio.run(main())
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_ends_in_silence(name: str, stub_address: str) -> None:
    program = BEGINNING + dedent(PROGRAMS[name])
    ran = subprocess.run(
        [sys.executable, "-c", program, stub_address],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
