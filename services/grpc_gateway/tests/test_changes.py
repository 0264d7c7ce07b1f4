from __future__ import annotations

import asyncio

import pytest
from grpc_gateway.changes import Changes


async def test_a_fact_that_holds_needs_no_waiting() -> None:
    assert await Changes().until(lambda: True, 0.0)


async def test_a_fact_that_never_holds_is_given_up() -> None:
    assert not await Changes().until(lambda: False, 0.01)


async def test_those_who_wait_look_again_when_told() -> None:
    changes = Changes()
    facts = {"a": False, "b": False}

    def wait_for(name: str) -> asyncio.Task[bool]:
        return asyncio.create_task(changes.until(lambda: facts[name], 10.0))

    waiting = [wait_for("a"), wait_for("b")]
    await asyncio.sleep(0)
    changes.tell()
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    facts["b"] = True
    changes.tell()
    changes.tell()
    assert await waiting[1]
    assert not waiting[0].done()
    facts["a"] = True
    changes.tell()
    assert await waiting[0]


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    changes = Changes()
    waiting = asyncio.create_task(changes.until(lambda: False))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not changes._waiting
