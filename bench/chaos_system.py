"""The system that chaos befalls: its processes, and a proxy between any two that are joined."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

from chaos_plan import BOTS, GATEWAYS, Cast
from dragonfly_client import ClientError, DragonflyClient
from proxy import Proxy
from system import Process, System, eventually, live_venues

__all__ = ["Joined"]

READERS: Final = 1

WHOLE_WITHIN_S: Final = 60.0
LISTS_OFTEN: Final = ("--list-interval-s=1",)
"""So that a halt of seconds is noticed."""


class Bots(Process):
    """A running `soak_bots.py`."""

    program = (str(Path(__file__).with_name("soak_bots.py")),)


class Joined(System):
    """The processes, and the proxies between them."""

    start_within_s = 120.0

    def __init__(self, folder: Path, instruments: Sequence[str], seed: int, cast: Cast) -> None:
        super().__init__(folder)
        self.cast = cast
        self.seed = seed
        self.instruments = instruments
        self.books = folder / "books"
        self.books.mkdir()
        self.proxies = {pair: Proxy(seed=seed) for pair in cast.links()}
        self.gateways: dict[str, str] = {}
        self._locks = {name: asyncio.Lock() for name in (*cast.harmed, *BOTS)}

    def lock(self, name: str) -> asyncio.Lock:
        """Return what lets only one fault befall a process at a time."""
        return self._locks[name]

    async def start_joined(self, rate: float) -> None:
        """Start all; `rate` is updates a second of all venues together."""
        moving = [f"--instrument={name}" for name in self.instruments]
        each = rate / len(self.cast.venues) / len(self.instruments)
        # At intervals, best prices are ahead of books; at once, more of each state is seen.
        paced = ["--paced"] if self.seed % 2 == 0 else []
        await self.start_simulator(f"--rate={each:g}", *moving, *paced, venues=self.cast.venues)
        for (_, publisher), proxy in self.proxies.items():
            if publisher in self.cast.venues:
                proxy.target = ("127.0.0.1", urlsplit(self.urls(publisher)["ws"]).port or 0)
            elif publisher not in GATEWAYS:
                proxy.target = Path(self.folder / f"{publisher}.ipc")
        for names in (self.cast.listeners, self.cast.aggregators, GATEWAYS):
            await asyncio.gather(*map(self.start_one, names))
        await self.whole()
        await asyncio.gather(*map(self.start_one, BOTS))

    async def start_one(self, name: str) -> None:
        """Start a process, or start it again."""
        if name in BOTS:
            addresses = ",".join(f"127.0.0.1:{self.proxies[name, g].port}" for g in GATEWAYS)
            arguments = (str(self.books), addresses, str(READERS), *self.instruments)
            await self._run(Bots, name, arguments).event("ready", within_s=self.start_within_s)
        elif name in GATEWAYS:
            facts = await self._ready(name, self._gateway(name))
            self.gateways[name] = str(facts["address"])
            host, _, port = self.gateways[name].rpartition(":")
            for bots in BOTS:
                self.proxies[bots, name].target = (host, int(port))
        elif name in self.cast.aggregators:
            bind = f"--bind={self.address(name)}"
            peers = self._peers(name, self.cast.aggregators)
            upstreams = self._upstreams(name, self.cast.listeners)
            await self._ready(name, ("aggregator", bind, *peers, *upstreams))
        else:
            venue = self.cast.listeners[name]
            peers = self._peers(name, self.cast.replicas(name))
            options = (*LISTS_OFTEN, "--redundancy=2", *peers)
            await self._ready(
                name, self._listener(venue, self.address(name), options, self._proxied(name, venue))
            )

    async def whole(self) -> None:
        """Wait until every gateway has every instrument with all venues live."""
        for address in self.gateways.values():
            async with DragonflyClient(address) as client:

                async def is_whole(client: DragonflyClient = client) -> bool:
                    try:
                        books = [await client.get_book(name) for name in self.instruments]
                    except ClientError:
                        return False
                    return all(live_venues(book) == set(self.cast.venues) for book in books)

                await eventually(is_whole, within_s=WHOLE_WITHIN_S, what="all venues are live")

    async def control(self, path: str, **query: object) -> None:
        """Tell the simulator to do something."""
        await asyncio.to_thread(self._control, f"{path}?{urlencode(query)}")

    def links_of(self, name: str) -> list[Proxy]:
        return [proxy for pair, proxy in self.proxies.items() if name in pair]

    def _gateway(self, name: str) -> Sequence[str]:
        bind = f"--bind={self.gateways.get(name, '127.0.0.1:0')}"
        if self.cast.aggregators:
            return ("gateway", bind, *self._upstreams(name, self.cast.aggregators))
        urls = partial(self._proxied, name)
        return self.together(self.cast.venues, bind=bind, urls=urls, listener=LISTS_OFTEN)

    def _proxied(self, consumer: str, venue: str) -> dict[str, str]:
        port = self.proxies[consumer, venue].port
        return {kind: _at_port(url, port) for kind, url in self.urls(venue).items()}

    def _upstreams(self, consumer: str, publishers: Iterable[str]) -> list[str]:
        ports = [self.proxies[consumer, publisher].port for publisher in publishers]
        return [f"--upstream=tcp://127.0.0.1:{port}" for port in ports]

    def _peers(self, name: str, replicas: Sequence[str]) -> list[str]:
        if len(replicas) == 1:
            return []
        others = [self.proxies[name, other].port for other in replicas if other != name]
        addresses = [self.address(name), *(f"tcp://127.0.0.1:{port}" for port in others)]
        return [f"--peer={address}" for address in addresses]


def _at_port(url: str, port: int) -> str:
    return urlsplit(url)._replace(netloc=f"127.0.0.1:{port}").geturl()
