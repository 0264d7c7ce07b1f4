"""Venue clients against simulated venues, over real sockets, with their faults.

Each test is of the contract in `dragonfly_venues.orders`, and runs for every venue.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from dragonfly_venues.order_entry.binance import BinanceEntry
from dragonfly_venues.order_entry.bitstamp import BitstampEntry
from dragonfly_venues.order_entry.kraken import KrakenEntry
from dragonfly_venues.order_entry.line import LineEntry
from dragonfly_venues.orders import (
    NOT_SENT,
    AccountState,
    ChildAccepted,
    ChildClosed,
    ChildFill,
    ChildRefused,
    ChildUnresolved,
    EntryConnected,
    EntryDisconnected,
    EntryTrouble,
    OpenOrders,
)
from order_accounts import BALANCES, SECRETS, SYMBOLS, Account, account_at
from patience import eventually
from venue_simulator.faults import FaultKind

VENUES = ("binance", "kraken", "bitstamp")


@pytest.fixture(params=VENUES)
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def budgets_of_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests ask as fast as they can: only a test of budgets has the venues'."""
    for entry in (BinanceEntry, KrakenEntry, BitstampEntry):
        monkeypatch.setattr(entry, "questions_per_second", 10_000.0)
    monkeypatch.setattr(KrakenEntry, "places_per_second", 4.0)


@pytest.fixture
async def account(venue: str, tmp_path: Path) -> AsyncIterator[Account]:
    async with account_at(venue, tmp_path) as running:
        yield running


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineEntry, "answer_limit_s", 0.3)


async def test_what_it_takes_is_told_as_the_venue_has_it(account: Account) -> None:
    _, (price, amount) = account.best()
    child = account.child(amount + 1, price)
    account.entry.place(child)
    closed = await account.until(ChildClosed, child)
    assert closed.filled == account.filled(child) == amount
    await eventually(lambda: bool(account.fills(child)), "the fill")
    (fill,) = account.fills(child).values()
    assert (fill.price, fill.amount) == (price, amount)
    assert fill.venue_symbol == SYMBOLS[account.venue]
    assert fill.fee > 0
    assert fill.fee_asset in {"BTC", "USD"}
    assert account.of(ChildAccepted, child)


async def test_a_fill_has_one_id_in_reply_stream_query_and_list(account: Account) -> None:
    bid, ask = account.best()
    child = account.child("3", ask[0] + (ask[0] - bid[0]) * 3)
    account.entry.place(child)
    await account.until(ChildClosed, child)
    report = await account.report(child)
    assert report.known
    assert not report.open
    assert report.filled == account.filled(child) == sum(fill.amount for fill in report.fills)
    by_query = {fill.trade_id: (fill.child_id, fill.price, fill.amount) for fill in report.fills}
    await eventually(lambda: account.fills(child).keys() == by_query.keys(), "all fills")
    listed = (await account.trades()).fills
    for told in (account.fills(child).values(), listed):
        assert {one.trade_id: (one.child_id, one.price, one.amount) for one in told} == by_query
    first = min(listed, key=lambda fill: fill.ts_event or 0).trade_id
    assert {one.trade_id for one in (await account.trades(first)).fills} <= by_query.keys()


async def test_what_finds_nothing_is_closed_without_a_fill(account: Account) -> None:
    (price, _), _ = account.best()
    child = account.child("0.5", price)
    account.entry.place(child)
    assert (await account.until(ChildClosed, child)).filled == 0
    report = await account.report(child)
    assert (report.known, report.open, report.fills) == (True, False, ())
    assert report.filled == 0


async def test_a_refusal_is_the_venues(account: Account) -> None:
    child = account.child("99999", account.best()[1][0])
    account.entry.place(child)
    refused = await account.until(ChildRefused, child)
    assert "insufficient" in refused.text.lower()
    assert account.placed(child) == 0
    assert not (await account.report(child)).known


async def test_what_is_too_late_does_not_leave(account: Account) -> None:
    venue_ns = account.entry.time_ns()
    assert venue_ns is not None
    child = account.child("0.01", account.best()[1][0], send_by_ns=venue_ns - 1)
    account.entry.place(child)
    assert (await account.until(ChildRefused, child)).code == NOT_SENT
    assert account.placed(child) == 0


async def test_more_than_the_budget_does_not_leave(account: Account) -> None:
    price = account.best()[1][0]
    children = [account.child("0.01", price) for _ in range(100)]
    for child in children:
        account.entry.place(child)
    await eventually(
        lambda: len(account.of(ChildRefused)) + len(account.of(ChildClosed)) >= 100, "all answers"
    )
    refused = account.of(ChildRefused)
    assert {one.code for one in refused} == {NOT_SENT}
    assert 0 < sum(account.placed(child) for child in children) == 100 - len(refused)


@pytest.mark.parametrize("kind", [FaultKind.REPLY_LOST, FaultKind.REPLY_LATE, FaultKind.REPLY_5XX])
async def test_what_was_done_without_a_good_answer_is_found_by_query(
    account: Account,
    kind: FaultKind,
    short_patience: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("venue_simulator.private_side.ENGINE_TIMEOUT_S", 0.01)
    monkeypatch.setattr("venue_simulator.private_side.LOST_REPLY_S", 0.1)
    child = account.child("0.01", account.best()[1][0])
    account.simulator.faults.inject(account.venue, kind)
    account.entry.place(child)
    await account.until(ChildUnresolved, child)
    assert not account.of(ChildRefused)
    report = await account.report(child)
    assert (report.known, report.open, report.filled) == (True, False, Decimal("0.01"))
    assert sum(fill.amount for fill in report.fills) == account.filled(child) == Decimal("0.01")
    assert account.placed(child) == 1


async def test_what_never_arrived_is_in_doubt_and_then_unknown(
    account: Account, short_patience: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("venue_simulator.private_side.LOST_REPLY_S", 0.1)
    child = account.child("0.01", account.best()[1][0])
    account.simulator.faults.inject(account.venue, FaultKind.REQUEST_LOST)
    account.entry.place(child)
    await account.until(ChildUnresolved, child)
    assert not (await account.report(child)).known
    assert not account.of(ChildRefused)


@pytest.mark.parametrize(
    "kind", [FaultKind.EVENT_LOST, FaultKind.EVENT_TWICE, FaultKind.EVENT_REORDERED]
)
async def test_a_spoilt_stream_changes_no_fill(account: Account, kind: FaultKind) -> None:
    await account.followed()
    child = account.child("0.01", account.best()[1][0])
    with account.simulator.during(account.venue, kind):
        account.entry.place(child)
        await account.until(ChildAccepted, child)
    report = await account.report(child)
    known = {**account.fills(child), **{fill.trade_id: fill for fill in report.fills}}
    assert sum(fill.amount for fill in known.values()) == account.filled(child)


@pytest.mark.parametrize("kind", [FaultKind.CLOSE, FaultKind.RESET, FaultKind.STREAM_CLOSED])
async def test_a_line_that_ends_is_told_and_comes_back(account: Account, kind: FaultKind) -> None:
    await account.followed()
    child = account.child("0.01", account.best()[1][0])
    account.simulator.faults.inject(account.venue, kind)
    account.entry.place(child)
    await account.until(EntryDisconnected)
    await account.until(EntryConnected, count=2)
    report = await account.report(child)
    assert report.filled == account.filled(child)
    assert account.placed(child) <= 1
    assert report.known == bool(account.placed(child))
    await account.bought()


async def test_what_was_under_way_when_the_line_ended_is_in_doubt(account: Account) -> None:
    child = account.child("0.01", account.best()[1][0])
    account.simulator.faults.inject(account.venue, FaultKind.REPLY_LOST)
    account.entry.place(child)
    await eventually(lambda: account.placed(child) == 1, "the order is there")
    account.simulator.faults.inject(account.venue, FaultKind.RESET)
    await account.until(ChildUnresolved, child)
    assert len(account.of(ChildUnresolved, child)) == 1


async def test_who_is_told_to_wait_sends_nothing(account: Account) -> None:
    with account.simulator.during(account.venue, FaultKind.ORDERS_429):
        account.entry.ask_open_orders()
        await eventually(
            lambda: any(one.retry_after_s > 0 for one in account.of(EntryTrouble)), "trouble"
        )
        child = account.child("0.01", account.best()[1][0])
        account.entry.place(child)
        assert (await account.until(ChildRefused, child)).code == NOT_SENT
        assert account.placed(child) == 0


async def test_a_wrong_clock_opens_no_line(venue: str, tmp_path: Path) -> None:
    async with account_at(venue, tmp_path, connected=False) as account:
        with account.simulator.during(venue, FaultKind.CLOCK_SKEW):
            await eventually(
                lambda: any("clock" in one.text for one in account.of(EntryTrouble)), "trouble"
            )
            child = account.child("0.01", account.best()[1][0])
            account.entry.place(child)
            assert (await account.until(ChildRefused, child)).code == NOT_SENT
            assert not account.of(EntryConnected)
        await account.until(EntryConnected)


async def test_a_halted_market_takes_nothing(account: Account) -> None:
    child = account.child("0.01", account.best()[1][0])
    with account.simulator.during(account.venue, FaultKind.HALT):
        account.entry.place(child)
        await eventually(
            lambda: bool(account.of(ChildRefused) or account.of(ChildUnresolved)), "an answer"
        )
    assert account.placed(child) == 0


async def test_balances_and_fees_are_the_accounts(account: Account) -> None:
    before = await account.ask(AccountState, account.entry.ask_account)
    assert before.balances == {asset: Decimal(amount) for asset, amount in BALANCES.items()}
    fee = before.taker_fees.get(SYMBOLS[account.venue], before.taker_fees.get(""))
    assert fee == account.simulator.desk(account.venue).rules.taker
    child = await account.bought()
    await eventually(lambda: bool(account.fills(child)), "the fill")
    (fill,) = account.fills(child).values()
    after = (await account.ask(AccountState, account.entry.ask_account)).balances
    received = fill.fee if fill.fee_asset == "BTC" else 0
    paid = fill.fee if fill.fee_asset == "USD" else 0
    assert after["BTC"] == before.balances["BTC"] + fill.amount - received
    assert after["USD"] == before.balances["USD"] - fill.amount * fill.price - paid


async def test_nothing_rests_and_a_cancel_of_what_is_over_is_trouble_at_most(
    account: Account,
) -> None:
    child = await account.bought()
    assert (await account.ask(OpenOrders, account.entry.ask_open_orders)).orders == ()
    account.entry.cancel(child)
    await account.until(EntryTrouble)
    assert len({one.filled for one in account.of(ChildClosed, child)}) == 1


async def test_no_secret_is_in_any_word(
    account: Account, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    await account.bought()
    account.entry.place(account.child("99999", account.best()[1][0]))
    account.simulator.faults.inject(account.venue, FaultKind.RESET)
    await account.until(EntryConnected, count=2)
    await account.ask(AccountState, account.entry.ask_account)
    said = [*map(repr, account.events), caplog.text, *capfd.readouterr(), repr(account.entry)]
    said += [repr(vars(account.entry)), repr(asyncio.all_tasks())]
    words = "\n".join(said)
    assert SECRETS[account.venue] not in words
    assert "DFKEY" not in words


async def test_events_come_after_the_call_that_began_them(account: Account) -> None:
    account.events.clear()
    account.entry.place(account.child("0.01", account.best()[1][0], send_by_ns=1))
    account.entry.ask_account()
    assert account.events == []
    await account.until(ChildRefused)


async def test_each_fill_is_told_within_its_order(account: Account) -> None:
    children = [await account.bought("0.01") for _ in range(3)]
    assert len({fill.trade_id for fill in account.of(ChildFill)}) == len(children)


async def test_krakens_dead_mans_switch_is_armed(tmp_path: Path) -> None:
    async with account_at("kraken", tmp_path) as account:
        assert account.entry.dead_man_s == 60
        account.entry.arm_dead_man()
        armed = account.simulator.desk("kraken")._dead_men
        await eventually(lambda: "DFKEY" in armed, "it is armed")
        assert not account.of(EntryTrouble)


async def test_a_token_that_is_refused_opens_no_line(tmp_path: Path) -> None:
    async with account_at("kraken", tmp_path, connected=False) as account:
        with account.simulator.during("kraken", FaultKind.TOKEN_EXPIRED):
            await account.until(EntryTrouble)
            assert not account.of(EntryConnected)
        await account.until(EntryConnected)
