from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from dragonfly_common.clock import SystemClock
from dragonfly_venues.events import FrameError, Trading
from dragonfly_venues.instruments import Markets
from dragonfly_venues.transport import (
    BannedError,
    RejectedError,
    TransportError,
    UnforeseenError,
    UnreachableError,
    VenueProtocolError,
)
from dragonfly_venues.venue import InstrumentSource, Market
from fake_venue import eventually, listing
from feed_listener import counters
from feed_listener import directory as module
from feed_listener.directory import Directory
from msgspec.structs import replace

ETH = {"ETH-BTC": Market("ethbtc")}
NEW = {"NEW-BTC": Market("newbtc")}
WHOLE_ONLY = listing(rest_path="/list")
IN_PARTS = listing(rest_path="/list", part_path="/list/".join, part_symbols=2)
TOLD = listing(ws_request="{}", changes_told=True)
HALTED = Trading(halted=True, word="BREAK")


class Lists:
    """The venue's answers, one after the other; the last again and again."""

    def __init__(self, *answers: Mapping[str, Market] | Exception) -> None:
        self.answers = list(answers)
        self.questions: list[Sequence[str]] = []
        self.changes = 0

    @property
    def asked(self) -> int:
        return len(self.questions)

    async def fetch(self, symbols: Sequence[str]) -> Mapping[str, Market]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.questions.append(symbols)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def changed(self) -> None:
        self.changes += 1


@contextlib.asynccontextmanager
async def running(
    lists: Lists,
    source: InstrumentSource = WHOLE_ONLY,
    followed: Sequence[str | None] = (),
    interval_s: float = module.LIST_INTERVAL_S,
) -> AsyncIterator[Directory]:
    made = Directory(
        source,
        lists.fetch,
        SystemClock(),
        lambda: 0.0,
        lists.changed,
        followed=lambda: followed,
        interval_s=interval_s,
    )
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_list_is_loaded_at_the_start() -> None:
    lists = Lists(ETH)
    async with running(lists) as directory:
        await eventually(lambda: directory.markets is not None, "the list")
        assert directory.markets == ETH
        assert (lists.changes, directory.failure) == (1, None)


@pytest.mark.parametrize("failure", [UnreachableError("no"), FrameError("not_json")])
async def test_a_list_that_cannot_be_had_is_asked_for_again(
    failure: TransportError | FrameError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VenueProtocolError, "retry_after_s", 0.0)
    lists = Lists(failure, failure, ETH)
    async with running(lists) as directory:
        await eventually(lambda: directory.markets is not None, "the list")
        assert lists.asked == 3
        # The first failure and the list; the second failure was no news.
        assert lists.changes == 2
        assert directory.failure is None


async def test_a_halt_that_is_told_leaves_the_other_facts_of_a_market() -> None:
    market = Market("ethbtc", tick="0.01", lot="0.1")
    lists = Lists({"ETH-BTC": market, "NEW-BTC": Market("newbtc", tick="1")})
    async with running(lists, TOLD) as directory:
        await eventually(lambda: directory.markets is not None, "the list")
        directory.note_trading("ethbtc", HALTED)
        assert directory.markets is not None
        assert directory.markets["ETH-BTC"] == replace(market, trading=HALTED)


async def test_what_is_left_out_of_a_list_is_counted() -> None:
    odd = Markets()
    odd.add("ETH-BTC", "ethbtc", tick="none")
    odd.add("ETHUP", "ethup")
    whole = Markets()
    whole.add("ETH-BTC", "ethbtc")

    def counted() -> list[float]:
        return [counters.LEFT_OUT.labels(one)._value.get() for one in ("unnamed", "number")]

    before = counted()
    async with running(Lists(odd, ETH, whole), interval_s=0.01) as directory:
        await eventually(lambda: directory.left_out == 1, "the list")
        assert counted() == [count + 1 for count in before]
        await eventually(lambda: directory.left_out == 0, "a list with nothing odd")
        assert counted() == before


async def test_a_doubt_leads_to_another_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_REFRESH_S", 0.01)
    lists = Lists(ETH, {**ETH, **NEW})
    async with running(lists) as directory:
        await eventually(lambda: directory.markets is not None, "the list")
        directory.doubt()
        await eventually(lambda: "NEW-BTC" in (directory.markets or {}), "the new list")


async def test_doubts_do_not_flood_the_venue() -> None:
    lists = Lists(ETH)
    async with running(lists) as directory:
        await eventually(lambda: directory.markets is not None, "the list")
        for _ in range(100):
            directory.doubt()
            await asyncio.sleep(0)
        assert lists.asked == 1


async def test_an_old_list_stays_while_a_new_one_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LEAST_REFRESH_S", 0.0)
    monkeypatch.setattr(module, "REFRESH_S", 0.01)
    lists = Lists(ETH, UnreachableError("no"))
    async with running(lists) as directory:
        await eventually(lambda: directory.failure == "no", "a failure")
        assert directory.markets == ETH


async def test_a_short_list_is_read_again_each_interval() -> None:
    lists = Lists(ETH, {"ETH-BTC": Market("ethbtc", HALTED)})
    async with running(lists, interval_s=0.01) as directory:
        await eventually(lambda: directory.markets == lists.answers[1], "the halt")
        assert set(lists.questions) == {()}


async def test_of_a_long_list_only_what_is_followed_is_read_each_interval() -> None:
    halted = {"ETH-BTC": Market("ethbtc", HALTED)}
    lists = Lists({**ETH, **NEW}, halted, {}, ETH)
    async with running(lists, IN_PARTS, ["ethbtc", "a", "b"], interval_s=0.01) as directory:
        await eventually(lambda: directory.markets == {**NEW, **halted}, "the halt")
        await eventually(lambda: directory.markets == {**NEW, **ETH}, "its end")
        assert lists.questions[:4] == [(), ["ethbtc", "a"], ["b"], ["ethbtc", "a"]]
        assert directory.loads == 1


async def test_what_is_followed_anew_is_looked_at_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_LOOK_S", 0.01)
    halted = {"ETH-BTC": Market("ethbtc", HALTED)}
    lists = Lists({**ETH, **NEW}, halted)
    followed: list[str] = []
    async with running(lists, IN_PARTS, followed) as directory:
        await eventually(lambda: directory.markets is not None, "the list")
        followed.append("ethbtc")
        directory.note_followed()
        await eventually(lambda: directory.markets == {**NEW, **halted}, "the halt")
        assert lists.questions == [(), ["ethbtc"]]


async def test_what_is_followed_and_not_listed_is_looked_for_more_seldom() -> None:
    lists = Lists(ETH, ETH, ETH, {**ETH, **NEW})
    async with running(lists, IN_PARTS, ["ethbtc", None], interval_s=0.05) as directory:
        await eventually(lambda: "NEW-BTC" in (directory.markets or {}), "the new listing")
        assert lists.questions[:2] == [(), ["ethbtc"]]
        await eventually(lambda: directory.loads >= 2, "a second look at the whole list")
        parts_between = lists.questions[1:].index(())
        assert parts_between > 1


async def test_a_part_that_is_refused_makes_the_whole_list_be_read() -> None:
    refusal = RejectedError("http://venue/list", 400, body=b"Invalid symbol.")
    lists = Lists({**ETH, **NEW}, refusal, NEW)
    async with running(lists, IN_PARTS, ["ethbtc"], interval_s=0.01) as directory:
        await eventually(lambda: directory.markets == NEW, "the new list")
        assert lists.questions[:3] == [(), ["ethbtc"], ()]


async def test_a_list_whose_changes_are_told_is_not_read_again_for_them() -> None:
    lists = Lists(ETH)
    restricted = Trading(word="post_only")
    async with running(lists, TOLD, ["ethbtc"], interval_s=0.001) as directory:
        await eventually(lambda: directory.markets is not None, "the list")
        directory.note_trading("ethbtc", restricted)
        directory.note_trading("ethbtc", restricted)
        assert directory.markets == {"ETH-BTC": Market("ethbtc", restricted)}
        assert lists.changes == 2
        await asyncio.sleep(0.01)
        assert lists.asked == 1


async def test_while_a_market_is_halted_by_a_word_the_list_is_read_for_its_end() -> None:
    halted = {"ETH-BTC": Market("ethbtc", HALTED)}
    lists = Lists(ETH, halted, halted, ETH)
    async with running(lists, TOLD, ["ethbtc"], interval_s=0.01) as directory:
        await eventually(lambda: directory.markets is not None, "the list")
        directory.note_trading("ethbtc", HALTED)
        await eventually(lambda: directory.markets == ETH, "the end of the halt")
        assert lists.asked == 4


async def test_a_market_that_is_told_of_and_not_listed_is_looked_for() -> None:
    lists = Lists(ETH, {**ETH, **NEW})
    async with running(lists, TOLD, interval_s=0.01) as directory:
        await eventually(lambda: directory.markets is not None, "the list")
        directory.note_trading("newbtc", Trading())
        await eventually(lambda: directory.markets == {**ETH, **NEW}, "the new list")


async def test_while_somebody_wishes_for_more_the_list_is_read_again_and_again() -> None:
    lists = Lists(ETH)
    async with running(lists, TOLD, interval_s=0.01) as directory:
        directory.wish(wanted=True)
        await eventually(lambda: lists.asked >= 4, "several looks")
        directory.wish(wanted=False)
        # One more may have been due already.
        most = lists.asked + 1
        await asyncio.sleep(0.05)
        assert lists.asked <= most


async def test_what_nobody_foresaw_is_said_once_and_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(UnforeseenError, "retry_after_s", 0.0)
    bug = ImportError("a package is missing")
    lists = Lists(bug, bug, ETH)
    async with running(lists) as directory:
        await eventually(lambda: directory.markets is not None, "the list")
    assert lists.changes == 2
    said = capsys.readouterr()
    assert (said.out + said.err).count("Traceback") == 1


async def test_a_long_wait_is_said_with_the_time_left() -> None:
    lists = Lists(BannedError("banned", 3599.0))
    async with running(lists) as directory:
        await eventually(lambda: directory.failure is not None, "a failure")
        await eventually(
            lambda: directory.failure == "banned; tried again in 1 h", "the time that is left"
        )


async def test_what_is_told_while_a_list_is_on_its_way_is_newer_than_the_list() -> None:
    lists = Lists(ETH)
    made: list[Directory] = []

    async def fetch(symbols: Sequence[str]) -> Mapping[str, Market]:
        if lists.asked:
            made[0].note_trading("ethbtc", HALTED)
        return await lists.fetch(symbols)

    directory = Directory(
        WHOLE_ONLY, fetch, SystemClock(), lambda: 0.0, lists.changed, interval_s=0.01
    )
    made.append(directory)
    task = asyncio.create_task(directory.run())
    await eventually(lambda: lists.asked >= 3, "a second list")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert directory.markets == {"ETH-BTC": Market("ethbtc", HALTED)}
