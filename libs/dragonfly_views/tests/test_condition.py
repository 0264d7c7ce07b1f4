from __future__ import annotations

import asyncio

import pytest
from dragonfly_views.condition import Condition


async def test_a_fact_that_holds_needs_no_waiting() -> None:
    assert await Condition().until(lambda: True, 0.0)


async def test_a_fact_that_never_holds_is_given_up() -> None:
    assert not await Condition().until(lambda: False, 0.01)


async def test_those_who_wait_look_again_when_told() -> None:
    changed = Condition()
    facts = {"a": False, "b": False}

    def wait_for(name: str) -> asyncio.Task[bool]:
        return asyncio.create_task(changed.until(lambda: facts[name], 10.0))

    waiting = [wait_for("a"), wait_for("b")]
    await asyncio.sleep(0)
    changed.notify()
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    facts["b"] = True
    changed.notify()
    changed.notify()
    assert await waiting[1]
    assert not waiting[0].done()
    facts["a"] = True
    changed.notify()
    assert await waiting[0]


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    changed = Condition()
    waiting = asyncio.create_task(changed.until(lambda: False))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not changed._waiting
