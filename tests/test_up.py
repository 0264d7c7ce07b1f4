"""`dragonfly up`: what is killed is started again, no book is wrong, nothing stays behind."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from dragonfly_client import NotFoundError, UnavailableError
from oracle import Oracle
from order_accounts import SECRETS, accounts_file
from order_desk_customer import OrderCustomer
from system import VENUES, Bot, Process, System, eventually, live_venues, patient_client
from truth import Truth


def children(parent: Process) -> dict[str, int]:
    """Return the processes that `up` runs at this moment: their ids by their names."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_text().split("\0")
        except OSError:
            continue  # no process, or no longer one
        if int(status[1]) == parent.pid and "--id" in command:
            found[command[command.index("--id") + 1]] = int(entry.name)
    return found


def sockets_of(pid: int) -> list[Path]:
    """Return the files of sockets that a process was told of."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return [Path(word.removeprefix("ipc://")) for word in words if word.startswith("ipc://")]


async def gateway_of(up: Process, what: str = "gateway") -> str:
    """Return where bots connect, or customers over `fix`, as `up` logs it."""
    found: list[str] = []

    def printed() -> bool:
        assert up.running, up.log.read_text()
        found.extend(re.findall(rf'"{what}": "(127\.0\.0\.1:\d+)"', up.log.read_text()))
        return bool(found)

    await eventually(printed, what=f"`up` says where its {what} is")
    return found[0]


async def all_live(bot: Bot, received: int) -> None:
    await bot.until(
        lambda book: len(bot.books) > received and live_venues(book) == set(VENUES),
        what="all venues live",
    )


async def start_up(system: System, *options: str) -> Process:
    """Start `up` with a simulator beside it, whose truth the books can be judged by."""
    await system.start_simulator("--rate", "20")
    urls = [
        f"--{kind}-url={venue}={system.urls(venue)[kind]}"
        for venue in VENUES
        for kind in ("ws", "rest")
    ]
    return system.run("up", "--gateway=127.0.0.1:0", *urls, *options)


def assert_right(system: System, bot: Bot) -> None:
    truth = Truth.from_file(system.truth_log)
    violation = Oracle(truth).first_violation(bot.books)
    assert violation is None, str(violation)


async def test_whatever_is_killed_comes_back(system: System) -> None:
    up = await start_up(system, "--apart")
    async with Bot(await gateway_of(up), "ETH-BTC") as bot:
        await all_live(bot, 0)
        assert children(up).keys() == {"aggregator", "gateway", *(f"listener.{v}" for v in VENUES)}

        for venue in VENUES:
            os.kill(children(up)[f"listener.{venue}"], signal.SIGKILL)
            await bot.until(
                lambda book, venue=venue: venue not in live_venues(book),  # type: ignore[misc]
                what=f"{venue} gone",
            )
            await all_live(bot, len(bot.books))

        os.kill(children(up)["aggregator"], signal.SIGKILL)
        await bot.until(lambda book: not book.live, what="nothing live")
        await all_live(bot, len(bot.books))

        os.kill(children(up)["gateway"], signal.SIGKILL)
        await eventually(lambda: bool(bot.events), what="the bot cut off")
        await all_live(bot, len(bot.books))

        last = children(up)
        up.signal(signal.SIGTERM)
        assert await up.ended() == 0
        await eventually(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in last.values()),
            what="every child ended",
        )

    assert_right(system, bot)


async def test_all_in_one_process_comes_back_whole(system: System) -> None:
    up = await start_up(system, "--status=127.0.0.1:0")
    async with Bot(await gateway_of(up), "ETH-BTC") as bot:
        await all_live(bot, 0)
        assert children(up).keys() == {"services"}
        os.kill(children(up)["services"], signal.SIGKILL)
        await eventually(lambda: bool(bot.events), what="the bot cut off")
        await all_live(bot, len(bot.books))
        up.signal(signal.SIGTERM)
        assert await up.ended() == 0

    assert_right(system, bot)


@pytest.mark.parametrize(("options", "count"), [((), 2), (("--apart",), len(VENUES) + 3)])
async def test_an_orphan_ends_itself(system: System, options: Sequence[str], count: int) -> None:
    """`up` itself may be killed -9: what it ran must not live on unseen, nor leave its sockets."""
    up = system.run("up", "--simulated", "--gateway=127.0.0.1:0", *options)
    await gateway_of(up)
    orphans = children(up)
    assert len(orphans) == count
    sockets = {path.parent for pid in orphans.values() for path in sockets_of(pid)}
    assert len(sockets) == ("--apart" in options)

    up.kill()
    await eventually(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans.values()),
        what="every orphan ended",
    )
    assert [folder for folder in sockets if folder.exists()] == []


async def test_a_simulated_venue_by_fix_comes_back_with_its_address_and_keys(
    system: System,
) -> None:
    up = system.run(
        *("up", "--simulated", "--venue=binance", "--protocol=binance=fix", "--rate=20"),
        "--gateway=127.0.0.1:0",
    )
    async with Bot(await gateway_of(up), "ETH-BTC") as bot:
        await bot.until(lambda book: live_venues(book) == {"binance"}, what="binance live")
        os.kill(children(up)["simulator"], signal.SIGKILL)
        await bot.until(lambda book: not live_venues(book), what="binance gone")
        await bot.until(lambda book: live_venues(book) == {"binance"}, what="binance live again")
    up.signal(signal.SIGTERM)
    assert await up.ended() == 0
    assert "the FIX session is over" in up.log.read_text()


async def test_orders_by_fix_are_worked_at_a_simulated_venue(
    system: System, tmp_path: Path
) -> None:
    up = system.run(
        *("up", "--simulated", "--venue=binance", "--gateway=127.0.0.1:0", "--fix=127.0.0.1:0"),
        f"--engine={tmp_path}/journal",
        f"--accounts={accounts_file(tmp_path, ['binance'])}",
    )
    customer = OrderCustomer("ACME", await gateway_of(up, "fix"))
    async with customer.line(reset=True):
        order = "11=one|55=ETH-BTC|54=2|38=1|40=1|847=1000|848=max_slippage_bps=100;rounds=1000"

        async def taken() -> bool:
            return (
                await customer.ask("D", order.replace("one", f"o{len(customer.received)}"))
            ).get(39) == b"0"

        await eventually(taken, what="the order is taken")
        fill = await customer.having(39, "2")
    assert (fill.get(30), fill.get(14)) == (b"BINANCE", b"1")
    up.signal(signal.SIGTERM)
    assert await up.ended() == 0
    assert not any(secret in up.log.read_text() for secret in SECRETS.values())


@pytest.mark.parametrize("options", [(), ("--apart",)])
async def test_a_mistyped_instrument_is_said_at_once(
    system: System, options: Sequence[str]
) -> None:
    up = system.run(
        "up", "--simulated", "--gateway=127.0.0.1:0", "--instrument", "XBT-USD", *options
    )
    address = await gateway_of(up)
    sentence = "no venue lists XBT-USD: did you mean BTC-USD?"
    await eventually(lambda: sentence in up.log.read_text(), what="the sentence")
    async with patient_client(address) as client:

        async def refused() -> bool:
            try:
                await client.get_book("XBT-USD")
            except NotFoundError as error:
                return "did you mean BTC-USD" in str(error)
            except UnavailableError:  # the lists are not there yet
                return False
            return False

        # The aggregator has the lists before a gateway of another process has.
        await eventually(refused, what="the refusal")
    up.signal(signal.SIGTERM)
    assert await up.ended() == 0


async def test_demo_ends_by_itself_with_a_summary(system: System) -> None:
    demo = system.run("demo", "--seconds", "3", "--no-faults")
    assert await demo.ended() == 0
    printed = demo.log.read_text()
    for word in (*VENUES, "p50", "p99"):
        assert word in printed
