"""The whole system for as long as somebody wants it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from dragonfly_common.status import check_free

from supervisor.accounts import account_keys
from supervisor.plan import (
    ENGINE,
    DeploymentOptions,
    Facts,
    Process,
    plan_services,
    plan_simulator,
    plan_web,
)
from supervisor.supervision import LogLine, Supervisor

__all__ = ["System", "running_system"]

LONGEST_FOLDER_BYTES: Final = 107 - len("/dragonfly-12345678/aggregator")
FIX_FACTS: Final = {"--fix-url": "fix", "--fix-key": "fix_key", "--fix-api-key": "fix_api_key"}
"""Facts about a venue's simulated FIX, by the listener's option for each."""


class System:
    """A system that is running: where bots connect, and what ends when something is refused."""

    def __init__(
        self,
        gateway: str,
        fix: str | None,
        web: str | None,
        control: str | None,
        failed: asyncio.Future[None],
    ) -> None:
        self.gateway = gateway
        self.fix = fix
        self.web = web
        self.control = control
        self._failed = failed

    async def until_refused(self) -> None:
        """Return never, but raise what a process was refused for."""
        await asyncio.shield(self._failed)


@asynccontextmanager
async def running_system(
    options: DeploymentOptions,
    *,
    simulated: bool,
    on_log: Callable[[str, LogLine], None],
    on_notice: Callable[[str], None],
) -> AsyncIterator[System]:
    """Run every process of `options` until the block ends; nothing is left behind.

    Raises:
        AddressError: an address is taken, which is told before anything is started.
        StartupError: a process cannot run as it was told to.
    """
    for whom, option in (("bots", "gateway"), ("customers", "fix"), ("pages", "web")):
        if address := getattr(options, option):
            check_free(whom, address, f"--{option}")
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    tasks: list[asyncio.Task[None]] = []

    async def start(process: Process) -> asyncio.Future[Facts]:
        ready: asyncio.Future[Facts] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(supervisor.run(process, ready))
        task.add_done_callback(lambda done: _fail(failed, done))
        tasks.append(task)
        return ready

    with (
        _folder(wanted=options.apart) as folder,
        # Kept over the simulator's restarts, so that it knows the same key again.
        _folder(wanted=simulated and bool(options.venues_by_fix)) as keys,
    ):
        supervisor = Supervisor(on_log, on_notice, folder)
        try:
            control = None
            if simulated:
                facts = await _unless(failed, await start(plan_simulator(options, keys)))
                control = facts["control"]
                options = _at_simulator(options, facts)
                if folder is not None and options.accounts is not None:
                    options = _with_accounts(options, facts, account_keys(options.accounts, folder))
            readies = [await start(process) for process in plan_services(options, folder)]
            told = [await _unless(failed, ready) for ready in readies]
            fix = next((facts["fix"] for facts in told if "fix" in facts), None)
            gateway, web = told[-1]["address"], None
            if options.web:
                facts = await _unless(failed, await start(plan_web(options, options.web, gateway)))
                web = facts["web"]
            yield System(gateway, fix, web, control, failed)
        finally:
            await supervisor.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
            if failed.done() and not failed.cancelled():
                failed.exception()


@contextmanager
def _folder(*, wanted: bool) -> Iterator[Path | None]:
    """Yield a folder that goes at the end, None where none is wanted."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="dragonfly-", dir=_short_folder()) as folder:
        yield Path(folder)


def _short_folder() -> str:
    """Return where sockets can be: the path of one may have 107 bytes, some TMPDIR alone has."""
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) <= LONGEST_FOLDER_BYTES:
        return folder
    return "/tmp"  # noqa: S108 - a folder of a random name, for its owner only, is made in it


def _at_simulator(options: DeploymentOptions, facts: Facts) -> DeploymentOptions:
    venues = facts["venues"]
    by_fix = dict(options.by_fix)
    for option, fact in FIX_FACTS.items():
        told = {venue: venues[venue].get(fact) for venue in options.venues_by_fix}
        by_fix[option] = {venue: str(value) for venue, value in told.items() if value}
    return replace(
        options,
        ws_urls={
            venue: at["ws"] for venue, at in venues.items() if venue not in options.venues_by_fix
        },
        rest_urls={venue: at["rest"] for venue, at in venues.items()},
        by_fix=by_fix,
    )


def _with_accounts(
    options: DeploymentOptions, facts: Facts, keys: Mapping[str, Path]
) -> DeploymentOptions:
    """Have the engine trade at the simulated venues of which it has keys."""
    words = [
        word
        for venue, at in facts["venues"].items()
        if venue in keys
        for word in (
            f"--paper={venue}",
            f"--key-file={venue}={keys[venue]}",
            f"--ws-url={venue}={at['ws']}",
            f"--rest-url={venue}={at['rest']}",
        )
    ]
    return replace(options, more={**options.more, ENGINE: (*options.more.get(ENGINE, ()), *words)})


def _fail(failed: asyncio.Future[None], done: asyncio.Task[None]) -> None:
    error = None if done.cancelled() else done.exception()
    if error and not failed.done():
        failed.set_exception(error)


async def _unless(failed: asyncio.Future[None], ready: asyncio.Future[Facts]) -> Facts:
    """Return what `ready` gets, or raise what failed before."""
    first: tuple[asyncio.Future[Any], ...] = (failed, ready)
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        failed.result()
    return ready.result()
