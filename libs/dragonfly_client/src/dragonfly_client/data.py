"""Streams as tables: collect what a stream brings, and make a DataFrame of it.

    books = await collect(client.book("ETH-BTC", depth=5), seconds=60)
    frame = to_polars(books)

Needs the extra `data`. A row is a view, and its columns have databento's words:

    ts_event ts_recv ts_pub   of the venue whose change made the view; null where it does not say
    ts_agg ts_out ts_in       of the view
    instrument live spread epoch seq replaced
    bid_px_00 ask_px_00 bid_sz_00 ask_sz_00 bid_venue_00 ask_venue_00, then _01, and so on

With `long=True` a row is a level: after those of the view come level, side, price, amount, venue.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dragonfly_client._settings import check_seconds, check_whole
from dragonfly_client.errors import ClientError, SettingError
from dragonfly_client.messages import Bbo, Book, Level

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["collect", "to_arrow", "to_pandas", "to_polars"]

T = TypeVar("T")

_TIME, _TEXT, _FLAG, _REAL, _WHOLE = "time", "string", "bool_", "float64", "int64"

_VIEW: Final = {
    **dict.fromkeys(("ts_event", "ts_recv", "ts_pub", "ts_agg", "ts_out", "ts_in"), _TIME),
    "instrument": _TEXT,
    "live": _FLAG,
    "spread": _REAL,
    **dict.fromkeys(("epoch", "seq", "replaced"), _WHOLE),
}
_LEVEL: Final = {
    "level": _WHOLE,
    "side": _TEXT,
    "price": _REAL,
    "amount": _REAL,
    "venue": _TEXT,
}


async def collect(
    stream: AsyncGenerator[T, None], *, seconds: float | None = None, count: int | None = None
) -> list[T]:
    """Return what a stream of the client brings for `seconds`, or the first `count`; close it."""
    if seconds is None and count is None:
        raise SettingError("collect would not end: give seconds, count or both")
    if seconds is not None:
        check_seconds("seconds", seconds)
    if count is not None:
        check_whole("count", count, at_least=1)
    collected: list[T] = []
    async with contextlib.aclosing(stream):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for one in stream:
                    collected.append(one)
                    if len(collected) == count:
                        break
    return collected


def to_arrow(
    views: Iterable[Book | Bbo], *, depth: int | None = None, long: bool = False
) -> pa.Table:
    """Return an Arrow table of `views`; `depth` levels a side, by default those of the deepest."""
    if depth is not None:
        check_whole("depth", depth, at_least=1)
    views = list(views)
    for view in views:
        if not isinstance(view, Book | Bbo):
            raise SettingError(f"{type(view).__name__} is no row of a table: give Books or Bbos")
    sides = [(bids[:depth], asks[:depth]) for bids, asks in map(_sides, views)]
    if long:
        columns = _VIEW | _LEVEL
        rows = [
            (*_head(view), *level)
            for view, both in zip(views, sides, strict=True)
            for level in _levels(*both)
        ]
    else:
        places = depth or max((len(side) for both in sides for side in both), default=0)
        columns = _VIEW | {
            f"{side}_{what}_{place:02d}": kind
            for place in range(places)
            for what, kind in (("px", _REAL), ("sz", _REAL), ("venue", _TEXT))
            for side in ("bid", "ask")
        }
        rows = [
            (*_head(view), *_across(*both, places)) for view, both in zip(views, sides, strict=True)
        ]
    arrow = _library("pyarrow", "to_arrow")
    kinds = {_TIME: arrow.timestamp("ns", "UTC")}
    fields = {name: kinds.get(kind) or getattr(arrow, kind)() for name, kind in columns.items()}
    by_column = zip(*rows, strict=True) if rows else ([] for _ in columns)
    arrays = [arrow.array(list(v), t) for v, t in zip(by_column, fields.values(), strict=True)]
    return arrow.Table.from_arrays(arrays, schema=arrow.schema(list(fields.items())))


def to_polars(
    views: Iterable[Book | Bbo], *, depth: int | None = None, long: bool = False
) -> pl.DataFrame:
    """Return a DataFrame of polars; as `to_arrow`."""
    polars = _library("polars", "to_polars")
    frame: pl.DataFrame = polars.from_arrow(to_arrow(views, depth=depth, long=long))
    return frame


def to_pandas(
    views: Iterable[Book | Bbo], *, depth: int | None = None, long: bool = False
) -> pd.DataFrame:
    """Return a DataFrame of pandas; as `to_arrow`."""
    _library("pandas", "to_pandas")
    frame: pd.DataFrame = to_arrow(views, depth=depth, long=long).to_pandas()
    return frame


def _sides(view: Book | Bbo) -> tuple[Sequence[Level], Sequence[Level]]:
    if isinstance(view, Book):
        return view.bids, view.asks
    return [one for one in (view.bid,) if one], [one for one in (view.ask,) if one]


def _head(view: Book | Bbo) -> tuple[object, ...]:
    moved = view.moved
    origin = (moved.ts_event, moved.ts_recv, moved.ts_pub) if moved else (None, None, None)
    times = (view.ts_agg, view.ts_out, view.ts_in)
    spread = None if view.mid is None else view.spread
    told = (view.instrument, view.was_live, spread, view.epoch, view.seq, view.replaced)
    return *origin, *times, *told


def _levels(bids: Sequence[Level], asks: Sequence[Level]) -> Iterator[tuple[object, ...]]:
    for side, levels in (("bid", bids), ("ask", asks)):
        for place, one in enumerate(levels):
            yield place, side, one.price, one.amount, one.venue


def _across(bids: Sequence[Level], asks: Sequence[Level], places: int) -> Iterator[object]:
    for place in range(places):
        both = [side[place] if place < len(side) else None for side in (bids, asks)]
        for what in ("price", "amount", "venue"):
            yield from (getattr(one, what, None) for one in both)


def _library(name: str, function: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ClientError(
            f"{function} needs {name}, which is not here: install the extra `data` of"
            " dragonflybot-client, with pandas, polars and pyarrow"
        ) from error
