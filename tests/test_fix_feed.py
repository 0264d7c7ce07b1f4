"""By FIX the books are those that come by WebSocket, at the same numbers."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dragonfly_common.types import Side
from dragonfly_venues.binance import Binance, BinanceByFix
from dragonfly_venues.events import BookTop
from dragonfly_venues.transport import ClientOptions, build_client, read_fix_key, trusted
from dragonfly_venues.venue import Ask, Venue
from patience import eventually
from venue_simulator.fix_keys import API_KEY_FILE, PRIVATE_KEY_FILE
from venue_simulator.options import SimulatorOptions
from venue_simulator.simulator import running_simulator

DEPTH = 10


async def follow(
    venue: Venue, url: str, options: ClientOptions, books: dict[int, tuple[Side, Side]]
) -> None:
    """Keep the books of one symbol by their numbers."""
    connection = await build_client(url, options).connect(venue.connect_url(url))
    decoder = venue.decoder(DEPTH)

    def take(frames: object) -> None:
        assert isinstance(frames, list | tuple)
        for frame in frames:
            for event in decoder.decode(frame):
                if isinstance(event, BookTop):
                    books[event.venue_seq] = event.bids, event.asks

    for text in venue.requests(Ask(symbols=["ethbtc"], request_id=1, depth=DEPTH)):
        await connection.send(text)
    try:
        await connection.stream(take)
    finally:
        await connection.close()


async def test_books_by_fix_are_those_by_websocket(tmp_path: Path) -> None:
    by_fix: dict[int, tuple[Side, Side]] = {}
    by_websocket: dict[int, tuple[Side, Side]] = {}
    told = SimulatorOptions(venues=("binance",), rate=50.0, fix="127.0.0.1:0", fix_keys=tmp_path)
    async with running_simulator(told) as simulator:
        assert simulator.fix is not None
        venue = BinanceByFix()
        assert venue.fix is not None
        key = read_fix_key(tmp_path / PRIVATE_KEY_FILE, tmp_path / API_KEY_FILE)
        plain = ClientOptions(trusted(None), 2**20, compression=False)
        fix = ClientOptions(trusted(None), 2**20, compression=False, fix=(venue.fix, key))
        fix_url = f"fix://{simulator.fix.address}"
        tasks = [
            asyncio.create_task(follow(venue, fix_url, fix, by_fix)),
            asyncio.create_task(
                follow(Binance(), simulator.ws_url("binance"), plain, by_websocket)
            ),
        ]
        await eventually(lambda: len(by_fix.keys() & by_websocket.keys()) >= 50, "both follow")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for number in by_fix.keys() & by_websocket.keys():
        assert by_fix[number] == by_websocket[number]
