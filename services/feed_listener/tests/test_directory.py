from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import pytest
from dragonfly_common.clock import SystemClock
from fake_venue import eventually
from feed_listener import directory as module
from feed_listener.client import ClientError, ProtocolError, UnreachableError
from feed_listener.directory import Directory
from feed_listener.venue import FrameError


class Lists:
    """What the venue answers, one after the other; the last again and again."""

    def __init__(self, *answers: Mapping[str, str] | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.changes = 0

    async def fetch(self) -> Mapping[str, str]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def changed(self) -> None:
        self.changes += 1


@contextlib.asynccontextmanager
async def running(lists: Lists) -> AsyncIterator[Directory]:
    made = Directory(lists.fetch, SystemClock(), lambda: 0.0, lists.changed)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_list_is_loaded_at_the_start() -> None:
    lists = Lists({"ETH-BTC": "ethbtc"})
    async with running(lists) as directory:
        await eventually(lambda: directory.symbols is not None, "the list")
        assert directory.symbols == {"ETH-BTC": "ethbtc"}
        assert (lists.changes, directory.failure) == (1, None)


@pytest.mark.parametrize("failure", [UnreachableError("no"), FrameError("not_json")])
async def test_a_list_that_cannot_be_had_is_asked_for_again(
    failure: ClientError | FrameError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProtocolError, "retry_after_s", 0.0)
    lists = Lists(failure, failure, {"ETH-BTC": "ethbtc"})
    async with running(lists) as directory:
        await eventually(lambda: directory.symbols is not None, "the list")
        assert lists.asked == 3
        # The first failure and the list; the second failure was no news.
        assert lists.changes == 2
        assert directory.failure is None


async def test_a_doubt_leads_to_another_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_REFRESH_S", 0.01)
    lists = Lists({"ETH-BTC": "ethbtc"}, {"ETH-BTC": "ethbtc", "NEW-BTC": "newbtc"})
    async with running(lists) as directory:
        await eventually(lambda: directory.symbols is not None, "the list")
        directory.doubt()
        await eventually(lambda: "NEW-BTC" in (directory.symbols or {}), "the new list")


async def test_doubts_do_not_flood_the_venue() -> None:
    lists = Lists({"ETH-BTC": "ethbtc"})
    async with running(lists) as directory:
        await eventually(lambda: directory.symbols is not None, "the list")
        for _ in range(100):
            directory.doubt()
            await asyncio.sleep(0)
        assert lists.asked == 1


async def test_an_old_list_stays_while_a_new_one_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LEAST_REFRESH_S", 0.0)
    monkeypatch.setattr(module, "REFRESH_S", 0.01)
    lists = Lists({"ETH-BTC": "ethbtc"}, UnreachableError("no"))
    async with running(lists) as directory:
        await eventually(lambda: directory.failure == "no", "a failure")
        assert directory.symbols == {"ETH-BTC": "ethbtc"}
