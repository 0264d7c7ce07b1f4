"""Moves the seeded market: every opened book at one rate, but those that rest; venues in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from venue_simulator.catalogue import CATALOGUE, Asset, invent
from venue_simulator.exchange import Exchange, TradedBook
from venue_simulator.market import BookWalk

__all__ = ["RESTING_S", "SeededDriver"]

RESTING_S: Final = 10.0
"""From one state to the next of a market that rests: quiet pairs of Binance and Bitstamp were
silent for 10 and 49 s."""
MAX_LAG_S: Final = 0.5
"""Behind by more than this, steps are left out instead of made up for."""


class SeededDriver:
    """Opens an instrument at all its venues when it is first wanted, and steps it from then on."""

    def __init__(
        self, exchanges: Mapping[str, Exchange], instruments: Iterable[str], seed: int, rate: float
    ) -> None:
        """List the catalogue and `instruments`; `rate` is in states a second, book by book."""
        self._seed = seed
        self._rate = rate
        self._always = tuple(instruments)
        self._books: dict[str, list[tuple[Exchange, TradedBook, Asset]]] = {}
        self._walks: dict[str, list[Callable[[], None]]] = {}
        self._paces: list[_Pace] = []
        known = {asset.instrument for asset in CATALOGUE}
        invented = [invent(name, seed) for name in self._always if name not in known]
        for asset in (*CATALOGUE, *invented):
            self._books[asset.instrument] = [
                (exchange, exchange.add(exchange.venue.list_asset(asset)), asset)
                for name, exchange in exchanges.items()
                if asset.venue in {None, name}
            ]
        for exchange in exchanges.values():
            exchange.want = self.want
            exchange.open_new = partial(self._list_new, exchange)

    def start(self) -> None:
        for instrument in self._always:
            self.want(instrument)

    def want(self, instrument: str) -> None:
        """Open the instrument, and let it move from now on."""
        if instrument not in self._walks:
            self._open(instrument, self._books[instrument])

    def _open(self, instrument: str, books: Iterable[tuple[Exchange, TradedBook, Asset]]) -> None:
        traded = [book for book in books if book[2].tradable]
        walks = [_walk(*book, self._seed) for book in traded]
        self._walks.setdefault(instrument, []).extend(walks)
        for walk in walks:
            walk()
        if self._rate:
            for turn, (walk, (_, _, asset)) in enumerate(zip(walks, traded, strict=True), start=1):
                period_s = RESTING_S if asset.rests else 1.0 / self._rate
                self._paces.append(_Pace(walk, period_s, period_s * turn / len(walks)))

    def _list_new(self, exchange: Exchange, instrument: str) -> None:
        """List an instrument at a venue, unless it is known there; it moves once it is wanted."""
        books = self._books.setdefault(instrument, [])
        if all(known is not exchange for known, _, _ in books):
            known_assets = (asset for asset in CATALOGUE if asset.instrument == instrument)
            asset = next(known_assets, None) or invent(instrument, self._seed)
            books.append((exchange, exchange.add(exchange.venue.list_asset(asset)), asset))
            if instrument in self._walks:
                self._open(instrument, books[-1:])

    def step(self) -> None:
        """Move every opened book on by one state."""
        for walks in self._walks.values():
            for walk in walks:
                walk()

    def close(self) -> None:
        for pace in self._paces:
            pace.stop()


def _walk(exchange: Exchange, book: TradedBook, asset: Asset, seed: int) -> Callable[[], None]:
    walk = BookWalk(asset, book.listing, exchange.venue.name, seed)
    return partial(_step, exchange, book, walk)


def _step(exchange: Exchange, book: TradedBook, walk: BookWalk) -> None:
    exchange.advance(book, *walk.step())


class _Pace:
    """Calls `step` every `period_s` on average, however coarse the loop's timers are."""

    def __init__(self, step: Callable[[], None], period_s: float, delay_s: float) -> None:
        self._step = step
        self._period_s = period_s
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + delay_s
        self._timer = self._loop.call_at(self._due, self._tick)

    def stop(self) -> None:
        self._timer.cancel()

    def _tick(self) -> None:
        self._due = max(self._due + self._period_s, self._loop.time() - MAX_LAG_S)
        self._timer = self._loop.call_at(self._due, self._tick)
        self._step()
