"""The cases that every venue must pass, each from LIVE books to LIVE books.

A case is a coroutine that takes a `Rig`; its name is the case's, its docstring says what must be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Final

from dragonfly_common.types import FeedState
from dragonfly_venues.venue import Venue
from venue_simulator.book import Levels
from venue_simulator.faults import FaultKind

from dragonfly_conformance.rig import INSTRUMENTS, Rig, Violation

__all__ = ["CASES", "CROWD_PER_CONNECTION", "Case", "concerns"]

Case = Callable[[Rig], Awaitable[None]]

BTC, ETH = INSTRUMENTS
UPDATES: Final = 40
RHYTHM_S: Final = 0.02
AFTER_FAULT: Final = 5
CROWD: Final = ("ETH-USD", "SOL-USD", "XRP-USD", "ADA-USD", "LTC-USD")
CROWD_PER_CONNECTION: Final = 2


async def first_book(rig: Rig) -> None:
    """A book is LIVE without waiting for the market to move."""
    await rig.live()


async def updates(rig: Rig) -> None:
    """Each change arrives, and each book that is shown was once the truth."""
    for _ in range(UPDATES):
        rig.step()
        await asyncio.sleep(0)
    await rig.live()


async def deletion(rig: Rig) -> None:
    """A level that is gone is shown no more: the best, one in the middle, the last."""
    for gone in (0, 3, 9):
        state = rig.simulator.truth.states[rig.venue.name, ETH][-1]
        rig.set_book(ETH, _without(state.bids, gone), _without(state.asks, gone))
        await rig.live(ETH)


async def number_formats(rig: Rig) -> None:
    """Prices of 1e-8, amounts with trailing zeros, many decimals and many digits are exact."""
    for bids, asks in (
        (
            (("0.00000009", "120000000.00000000"), ("0.00000001", "5")),
            (("0.00000010", "0.00000001"),),
        ),
        ((("99999.9", "0.10"), ("99999.10", "0.0000000012")), (("100000", "1234567.8901"),)),
        ((("0.000012340", "1.000000000000000001"),), (("0.000012350", "1"), ("0.1", "1.0"))),
    ):
        rig.set_book(ETH, bids, asks)
        await rig.live(ETH)
    await _back_to_the_market(rig)


async def empty_side(rig: Rig) -> None:
    """A side without a level is shown empty, and fills again."""
    state = rig.simulator.truth.states[rig.venue.name, ETH][-1]
    rig.set_book(ETH, state.bids, ())
    await rig.live(ETH)
    rig.set_book(ETH, (), state.asks)
    await rig.live(ETH)
    await _back_to_the_market(rig)


async def crossed(rig: Rig) -> None:
    """A book that crosses itself for a moment is right again after it."""
    rig.inject("crossed", ETH)
    rig.step(AFTER_FAULT)
    await rig.live()


async def gap(rig: Rig) -> None:
    """A frame that is lost makes no wrong book, and what follows is right."""
    await _spoilt(rig, "gap")


async def duplicate(rig: Rig) -> None:
    """A frame that comes twice changes nothing."""
    await _spoilt(rig, "duplicate")


async def reorder(rig: Rig) -> None:
    """A frame that its successor overtook makes no wrong book."""
    await _spoilt(rig, "reorder")


async def malformed(rig: Rig) -> None:
    """Half a frame is refused, and what follows is right."""
    await _spoilt(rig, "malformed")


async def bad_checksum(rig: Rig) -> None:
    """A checksum that does not hold makes no wrong book; the book comes back."""
    await _spoilt(rig, "bad_checksum")


async def closed(rig: Rig) -> None:
    """After a close the books come back by themselves."""
    await _lost_and_back(rig, "close")


async def reset(rig: Rig) -> None:
    """After a TCP reset the books come back by themselves."""
    await _lost_and_back(rig, "reset")


async def announced_close(rig: Rig) -> None:
    """A close that the venue announces is survived."""
    await _lost_and_back(rig, "announced_close", seconds=0.5)


async def skipped_number(rig: Rig) -> None:
    """A session of FIX in which a number is missing ends, and the books come back."""
    await _lost_and_back(rig, "skipped_number")


async def id_in_use(rig: Rig) -> None:
    """While the venue takes our CompID for another's the books are out, and come back after it."""
    with rig.during(FaultKind.ID_IN_USE):
        rig.inject("close")
        await _all_out(rig)
    await rig.heals()


async def silence(rig: Rig) -> None:
    """A socket that is open and says nothing leaves the book, and returns once it speaks."""
    with rig.during(FaultKind.SILENCE):
        if rig.venue.loss_shows:
            rig.step()
        await _all_out(rig)
    await rig.heals()


async def dead_stream(rig: Rig) -> None:
    """A stream that dies on a connection that lives leaves the book, and returns."""
    for _ in range(UPDATES):
        rig.step()
        await asyncio.sleep(RHYTHM_S)
    await rig.live()
    with rig.during(FaultKind.MUTE, ETH):
        await rig.moving(lambda: _state(rig, ETH) is not FeedState.LIVE, f"{ETH} out")
    await rig.heals()


async def liveness(rig: Rig) -> None:
    """The venue's rule of pings is kept: nobody who is quiet is cut."""
    since = {name: rig.published(name) for name in INSTRUMENTS}
    await asyncio.sleep(1.5 * rig.longest_span_s)
    for name in INSTRUMENTS:
        if reasons := rig.reasons(name, since[name]):
            raise Violation(f"{name} was not left LIVE by a venue that was quiet: {reasons}")
    await rig.live()


async def unlisted(rig: Rig) -> None:
    """An instrument that the venue does not list is UNKNOWN, and disturbs no other."""
    rig.want("NOPE-XYZ")
    said = await rig.state("NOPE-XYZ", FeedState.UNKNOWN)
    if not said.reason:
        raise Violation("NOPE-XYZ is UNKNOWN without a reason")
    rig.leave("NOPE-XYZ")
    await rig.live()


async def halted(rig: Rig) -> None:
    """A market that the venue halts is HALTED with a reason, and LIVE when it resumes.

    It is UNKNOWN where the venue leaves it out of its list (`Venue.halts_show`).
    """
    out = FeedState.HALTED if rig.venue.halts_show else FeedState.UNKNOWN
    with rig.during(FaultKind.HALT, ETH):
        said = await rig.state(ETH, out)
        if not said.reason:
            raise Violation(f"{ETH} is {out.name} without a reason")
        rig.step()
        await rig.live(BTC)
    rig.step()
    await rig.live()


async def resumed_unheard(rig: Rig) -> None:
    """A halt is over also where the word that it is was lost on a connection that lives on."""
    for instrument in (ETH, None):
        out = FeedState.UNKNOWN if instrument and not rig.venue.halts_show else FeedState.HALTED
        with ExitStack() as silence, rig.during(FaultKind.HALT, instrument):
            await rig.state(ETH, out)
            silence.enter_context(rig.during(FaultKind.SILENCE))
        await rig.heals()


async def delisted(rig: Rig) -> None:
    """A symbol that the venue does not know any more leaves the book, and returns when listed."""
    with rig.during(FaultKind.UNKNOWN_SYMBOL, ETH):
        await rig.until(
            lambda: _state(rig, ETH) in {FeedState.UNKNOWN, FeedState.HALTED, FeedState.SYNCING},
            f"{ETH} out while it is not listed",
        )
    rig.step()
    await rig.live()


async def maintenance(rig: Rig) -> None:
    """Where a venue is in maintenance for a while, the books come back after it."""
    with rig.during(FaultKind.HTTP_503):
        rig.inject("close")
        await _all_out(rig)
    await rig.heals()


async def unsubscribed(rig: Rig) -> None:
    """An instrument that nobody wants is followed no longer, and comes back when asked for."""
    rig.leave(ETH)
    await rig.until(
        lambda: ETH not in rig.simulator.subscriptions(rig.venue.name), f"{ETH} unsubscribed"
    )
    rig.step()
    rig.want(ETH)
    await rig.live()


async def crowd(rig: Rig) -> None:
    """More instruments than a connection carries are spread over several, and all are LIVE."""
    for name in CROWD:
        rig.want(name)
    await rig.live(*INSTRUMENTS, *CROWD)
    rig.step(AFTER_FAULT)
    await rig.live(*INSTRUMENTS, *CROWD)
    least = -(-(len(CROWD) + len(INSTRUMENTS)) // CROWD_PER_CONNECTION)
    if rig.connections < least:
        raise Violation(f"{rig.connections} connections carry what needs at least {least}")


CASES: Final[dict[str, Case]] = {
    case.__name__: case
    for case in (
        first_book, updates, deletion, number_formats, empty_side, crossed,
        gap, duplicate, reorder, malformed, bad_checksum,
        closed, reset, announced_close, skipped_number, id_in_use, silence, dead_stream, liveness,
        unlisted, halted, resumed_unheard, delisted, maintenance, unsubscribed, crowd,
    )
}  # fmt: skip
"""By name, in the order in which they are run."""


def concerns(case: str, venue: Venue) -> bool:
    """Say whether a venue is held to a case.

    Of one that does not show a loss only an audit finds it; a stream's death is found where books
    are had elsewhere.
    """
    if case in {skipped_number.__name__, id_in_use.__name__}:
        return venue.fix is not None
    if case in {gap.__name__, reorder.__name__}:
        return venue.loss_shows
    return case != dead_stream.__name__ or venue.snapshots is not None


async def _spoilt(rig: Rig, kind: str) -> None:
    for instrument in INSTRUMENTS:
        rig.inject(kind, instrument)
    await rig.heals()


async def _lost_and_back(rig: Rig, kind: str, seconds: float | None = None) -> None:
    before = {name: _epoch(rig, name) for name in INSTRUMENTS}
    rig.inject(kind, seconds=seconds)
    await rig.until(
        lambda: all(_epoch(rig, name) > before[name] for name in INSTRUMENTS),
        "LIVE by a new connection",
    )
    rig.step()
    await rig.live()


async def _all_out(rig: Rig) -> None:
    await rig.until(
        lambda: all(_state(rig, name) is not FeedState.LIVE for name in INSTRUMENTS),
        "every book out",
    )


def _epoch(rig: Rig, instrument: str) -> int:
    last = rig.last(instrument)
    return -1 if last is None or last.state is not FeedState.LIVE else last.feed_epoch


async def _back_to_the_market(rig: Rig) -> None:
    rig.step()
    await rig.live()


def _state(rig: Rig, instrument: str) -> FeedState | None:
    last = rig.last(instrument)
    return None if last is None else last.state


def _without(levels: Levels, index: int) -> Levels:
    return levels[:index] + levels[index + 1 :]
