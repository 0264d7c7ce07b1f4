"""Orders that the engine answers late: what is pending is told once, and then its fate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from customer_world import running
from dragonfly_fix.codec import FixMessage
from dragonfly_orders import front_end
from driven import driven
from fix_gateway.order_desk import DeskOptions
from fix_gateway.service import FixGatewayOptions
from order_desk_customer import OrderCustomer, judge, shown
from order_engine import Engine
from patience import eventually
from view_world import Aggregator

ETH = "55=ETH-BTC|54=2"
NEW = f"11=one|{ETH}|38=3|40=2|44=0.05"
LATE = b"the engine has not answered so far: its fate will be told"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(f"ipc://{tmp_path}/engine")
    with closing(engine.channel):
        async with driven(engine, engine.channel):
            yield engine


@pytest.fixture
async def customer(
    fix_options: FixGatewayOptions, aggregator: Aggregator, engine: Engine, tmp_path: Path
) -> AsyncIterator[OrderCustomer]:
    """A customer of a gateway that has heard its engine."""
    desk = DeskOptions(f"ipc://{tmp_path}/engine", tmp_path / "store")
    async with running(replace(fix_options, orders=desk)) as gateway:
        customer = OrderCustomer("ME", gateway.address)
        async with customer.line():
            # Of an engine that is not heard so far a mass cancel says so, and nothing is lost.
            while (await customer.ask("q", "11=all|530=7")).type == b"j":
                pass
            customer.received.clear()
            yield customer
            judge([one for one in customer.received if one.type == b"8"])
        assert customer.rejections == []


async def pending(
    customer: OrderCustomer, engine: Engine, wish: tuple[str, str], exec_type: str
) -> FixMessage:
    """Return the report that a wish is pending, once the gateway's patience has ended twice."""
    with pytest.MonkeyPatch.context() as patch:
        # Not for longer: what the engine does answer is not to be late.
        patch.setattr(front_end, "RESEND_INTERVAL_S", 0.05)
        patch.setattr(front_end, "PATIENCE_S", 0.3)
        customer.send(*wish)
        report = await customer.having(150, exec_type)
        # There is one copy at most in each `RESEND_INTERVAL_S`.
        enough = engine.copies + 15
        await eventually(lambda: engine.copies > enough, "it is asked again and again")
    assert [one for one in customer.received if one.get(58) == LATE] == [report]
    return report


async def test_an_order_is_pending_new_until_the_engine_answers(
    customer: OrderCustomer, engine: Engine
) -> None:
    engine.mute = True
    report = await pending(customer, engine, ("D", NEW), "A")
    assert shown(report, 11, 14, 38, 39, 41, 150, 151) == "35=8|11=one|14=0|38=3|39=A|150=A|151=3"
    engine.mute = False
    assert shown(await customer.having(150, "0"), 11, 39, 151) == "35=8|11=one|39=0|151=3"
    assert (await customer.having(150, "F")).get(14) == b"1"
    assert engine.carried["Liquidate"] == 1


async def test_an_order_that_the_engine_never_had_is_refused_and_not_sent_late(
    customer: OrderCustomer, engine: Engine
) -> None:
    engine.deaf = True
    await pending(customer, engine, ("D", NEW), "A")
    engine.deaf = False
    refused = await customer.having(150, "8")
    assert shown(refused, 11, 14, 39, 151) == "35=8|11=one|14=0|39=8|151=0"
    assert refused.get(58) == b"the engine did not take it in time, and will not"
    assert engine.carried == {"FinalStatusOf": 1}


@pytest.mark.parametrize(
    ("wish", "exec_type", "done"),
    [
        (("F", f"11=two|41=one|{ETH}"), "6", ("4", "35=8|11=two|39=4|41=one|151=0")),
        (
            ("G", f"11=two|41=one|{ETH}|38=2|40=2|44=0.05"),
            "E",
            ("5", "35=8|11=two|39=1|41=one|151=1"),
        ),
    ],
    ids=["cancel", "replace"],
)
@pytest.mark.parametrize("lost", [True, False], ids=["its request is lost", "its answer is late"])
async def test_a_change_is_pending_until_the_engine_answers(
    customer: OrderCustomer,
    engine: Engine,
    wish: tuple[str, str],
    exec_type: str,
    done: tuple[str, str],
    lost: bool,
) -> None:
    customer.send("D", NEW)
    await customer.having(150, "F")
    engine.deaf, engine.mute = lost, not lost
    report = await pending(customer, engine, wish, exec_type)
    assert shown(report, 11, 14, 38, 39, 41, 150, 151) == (
        f"35=8|11=two|14=1|38=3|39={exec_type}|41=one|150={exec_type}|151=2"
    )
    engine.deaf = engine.mute = False
    assert shown(await customer.having(150, done[0]), 11, 39, 41, 151) == done[1]
    assert engine.carried.total() - engine.carried["FinalStatusOf"] == 2
