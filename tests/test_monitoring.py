"""A Prometheus and an Alertmanager watch a system: each alert fires under its fault, is told to a
webhook, and ends; and each panel of the dashboard has something to show.

`make monitoring-test` runs this; `test_alerts.py` has what needs no system. Rules are the
deployment's own, but that they look at seconds and not at minutes.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from dragonfly_client import ClientError
from patience import PATIENCE_S, eventually, patiently
from system import UNTIL_CLEARED_S, Bot, System, patient_client

DEPLOY: Final = Path(__file__).parents[1] / "deploy"
PROMETHEUS: Final = DEPLOY / "prometheus"
VENUES: Final = ("bitstamp", "kraken")
RANGE: Final = "3s"
BUSY: Final = "0.2"
"""Of a core: a machine under tests has no more to give, and a process at rest takes far less."""

pytestmark = [
    pytest.mark.monitoring,
    pytest.mark.skipif(
        not all(map(shutil.which, ("prometheus", "promtool", "prometheus-alertmanager"))),
        reason="Debian's packages prometheus and prometheus-alertmanager are not here",
    ),
]


@asynccontextmanager
async def serving(*command: str) -> AsyncIterator[tuple[str, asyncio.Queue[str]]]:
    """Run a server that says where it listens; give its address, and the lines it prints."""
    server = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    printed: asyncio.Queue[str] = asyncio.Queue()

    async def read() -> None:
        assert server.stdout is not None
        async for line in server.stdout:
            printed.put_nowait(line.decode())

    reading = asyncio.create_task(read())
    try:
        async with patiently():
            while not (found := re.search(r"[^.\d](127\.0\.0\.1:[1-9]\d*)", await printed.get())):
                pass
        yield found[1], printed
    finally:
        server.terminate()
        await server.wait()
        await reading


class Monitor:
    """Prometheus with Alertmanager and a webhook."""

    def __init__(self, address: str, told: asyncio.Queue[str]) -> None:
        self.address = address
        self._told = told

    async def ask(self, path: str) -> Any:
        def get() -> Any:
            with urlopen(f"http://{self.address}/api/v1/{path}", timeout=PATIENCE_S) as reply:
                return json.load(reply)["data"]

        return await asyncio.to_thread(get)

    async def query(self, expression: str) -> list[Any]:
        found: list[Any] = (await self.ask(f"query?query={quote(expression)}"))["result"]
        return found

    async def fires(self, *names: str) -> None:
        await eventually(self._shows(names, firing=True), f"{names} fire")

    async def silent(self, *names: str) -> None:
        await eventually(self._shows(names, firing=False), f"{names} have ended")

    async def tells(self, *names: str) -> None:
        """Wait until the webhook has had the beginning and the end of each."""
        waited = {f"{what} {name}" for name in names for what in ("firing", "resolved")}
        async with patiently():
            while waited:
                line = await self._told.get()
                waited -= {" ".join(line.split()[:2])}

    def _shows(self, names: tuple[str, ...], *, firing: bool) -> Callable[[], Awaitable[bool]]:
        async def shown() -> bool:
            alerts = (await self.ask("alerts"))["alerts"]
            now = {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}
            return now >= set(names) if firing else not now & set(names)

        return shown


@asynccontextmanager
async def monitoring(folder: Path, *targets: str) -> AsyncIterator[Monitor]:
    alarms = (PROMETHEUS / "alertmanager.yaml").read_text()
    rules = (PROMETHEUS / "alerts.yaml").read_text()
    rules = re.sub(r"^( +for:) \w+$", r"\1 0s", rules, flags=re.MULTILINE)
    rules = re.sub(r"\[\d+m\]", f"[{RANGE}]", rules)
    (folder / "alerts.yaml").write_text(rules.replace("> 0.7", f"> {BUSY}"))
    config = (PROMETHEUS / "prometheus.yaml").read_text()
    config = config.replace("127.0.0.1:9100", '", "'.join(targets)).replace(" 5s", " 200ms")
    webhook = (sys.executable, str(PROMETHEUS / "webhook.py"), "0")
    async with serving(*webhook) as (receiver, told):
        alarms = re.sub(r"(group_\w+): \w+", r"\1: 100ms", alarms)
        (folder / "alertmanager.yaml").write_text(alarms.replace("127.0.0.1:9099", receiver))
        async with serving(
            "prometheus-alertmanager",
            f"--config.file={folder}/alertmanager.yaml",
            f"--storage.path={folder}/alarms",
            "--cluster.listen-address=",
            "--web.listen-address=127.0.0.1:0",
        ) as (alertmanager, _):
            (folder / "prometheus.yaml").write_text(config.replace("127.0.0.1:9093", alertmanager))
            async with serving(
                "prometheus",
                f"--config.file={folder}/prometheus.yaml",
                f"--storage.tsdb.path={folder}/data",
                "--web.listen-address=127.0.0.1:0",
            ) as (prometheus, _):
                monitor = Monitor(prometheus, told)
                await eventually(monitor_is_ready(prometheus), "Prometheus is ready")
                yield monitor


def monitor_is_ready(address: str) -> Callable[[], Awaitable[bool]]:
    def ready() -> bool:
        try:
            with urlopen(f"http://{address}/-/ready", timeout=PATIENCE_S) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    return lambda: asyncio.to_thread(ready)


async def page_of(system: System, name: str) -> str:
    return str((await system.processes[name].event("ready"))["status"])


async def doubtful(system: System, monitor: Monitor) -> None:
    await monitor.silent("DragonflyBookDoubtful")
    await system.fault("bitstamp", "lying", UNTIL_CLEARED_S)
    await monitor.fires("DragonflyBookDoubtful")
    await system.clear()
    # The score is of ten minutes, and ends with its listener; the other venue is enough from here.
    system.processes["listener-bitstamp"].kill()
    await monitor.silent("DragonflyBookDoubtful")


async def blinded(system: System, monitor: Monitor) -> None:
    names = ("DragonflyVenueOut", "DragonflyNothingServed")
    await system.fault("kraken", "silence", UNTIL_CLEARED_S)
    await monitor.fires(*names)
    await system.clear()
    await monitor.silent(*names)


async def flapping(system: System, monitor: Monitor) -> None:
    closing = True

    async def close() -> None:
        while closing:
            await system.fault("kraken", "close")
            await asyncio.sleep(0.1)

    task = asyncio.create_task(close())
    await monitor.fires("DragonflyFlapping")
    closing = False
    await task
    await monitor.silent("DragonflyFlapping")


async def stood_still(system: System, monitor: Monitor) -> None:
    process = system.processes["aggregator"]
    process.signal(signal.SIGSTOP)
    loop = asyncio.get_running_loop()
    since = loop.time()
    await eventually(lambda: loop.time() > since + 2, "it stood still for over a second")
    process.signal(signal.SIGCONT)
    await monitor.fires("DragonflyStoodStill")
    await monitor.silent("DragonflyStoodStill")


async def busy(system: System, monitor: Monitor) -> None:
    async with patient_client(system.gateway_address) as client:

        async def ask() -> None:
            while True:
                await client.get_book("ETH-BTC")

        asking = [asyncio.create_task(ask()) for _ in range(8)]
        await monitor.fires("DragonflyCoreFull")
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    await monitor.silent("DragonflyCoreFull")


async def test_each_alert_fires_and_ends_and_each_panel_shows_something(
    system: System, tmp_path: Path
) -> None:
    status = "--status=127.0.0.1:0"
    listener = ("--instrument=ETH-BTC", "--audit-interval-s=1", status)
    await system.start(
        simulator=("--rate=20",),
        venues=VENUES,
        listener=listener,
        aggregator=(status,),
        gateway=(status,),
    )
    services = (*(f"listener-{venue}" for venue in VENUES), "aggregator", "gateway")
    pages = [await page_of(system, name) for name in services]
    folder = tmp_path / "monitoring"
    folder.mkdir()
    async with (
        Bot(system.gateway_address, "ETH-BTC") as bot,
        monitoring(folder, *pages) as monitor,
        patient_client(system.gateway_address) as client,
    ):
        await bot.until(lambda book: len(book.venues) == 2 and book.live, what="a live book")

        async def scraped() -> bool:
            return bool(await monitor.query("dragonfly_gateway_serving == 1"))

        await eventually(scraped, "a gateway that serves")
        await monitor.silent("DragonflyVenueOut", "DragonflyNothingServed")
        for fault in (doubtful, blinded, flapping, stood_still, busy):
            await fault(system, monitor)
        with pytest.raises(ClientError):
            await client.get_book("ETH")  # for the panel of refusals
        dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "dragonfly.json").read_text())
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                expression = target["expr"].replace("$__rate_interval", "2m")

                async def answered(expression: str = expression) -> bool:
                    return bool(await monitor.query(expression))

                await eventually(answered, f"{panel['title']}: {expression}")
        await monitor.tells(
            "DragonflyBookDoubtful",
            "DragonflyCoreFull",
            "DragonflyFlapping",
            "DragonflyNothingServed",
            "DragonflyStoodStill",
            "DragonflyVenueOut",
        )
