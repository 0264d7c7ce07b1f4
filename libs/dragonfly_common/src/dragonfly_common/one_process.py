"""Several services in one process and one loop, joined by inproc addresses.

What is between them on the bus stays as it is, but for the threads and sockets of ZeroMQ: a message
takes a function call's time instead of four switches of threads. In exchange they share one core,
one life and one set of metrics.
"""

from __future__ import annotations

import asyncio
import shlex
from collections import ChainMap
from collections.abc import Sequence
from functools import partial
from typing import Final

import click
import structlog

from dragonfly_common.errors import ConfigError
from dragonfly_common.runtime import (
    Gathered,
    Runtime,
    RuntimeOptions,
    gather,
    run_async,
    runtime_options,
)

__all__ = ["together"]

BEAT_INTERVAL_S: Final = 0.25

logger = structlog.get_logger()


@click.command(hidden=True)
@click.option(
    "--service",
    "services",
    multiple=True,
    required=True,
    metavar="COMMAND",
    help="A service and its options, as behind `dragonfly`; may be repeated.",
)
@runtime_options
@click.pass_context
def together(context: click.Context, *, services: tuple[str, ...], runtime: RuntimeOptions) -> None:
    """Run services in one process; their runtime options but --id are this command's.

    \b
    Example:
      dragonfly together --service "listener --venue kraken --bind inproc://kraken" \\
          --service "aggregator --upstream inproc://kraken --bind inproc://aggregator" \\
          --service "gateway --upstream inproc://aggregator"
    """
    root = context.find_root()
    call = partial(root.command.main, prog_name=root.info_name, standalone_mode=False)
    parts = [gather(partial(call, _words(text))) for text in services]
    for part in parts:
        if part.options.status_address:
            raise ConfigError(
                f"{part.options.status_address} cannot be the {part.service}'s status address: "
                "services that share a process have one for all, the --status of `up` or `together`"
            )
    run_async("together", runtime, lambda process: _run(process, parts))


def _words(text: str) -> list[str]:
    """Return the words of a command line.

    Raises:
        ConfigError: a quotation or an escape in it does not end.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        reason = str(error).lower()
        raise ConfigError(
            f"--service {text!r} is no command line: {reason}; quote it whole"
        ) from None


async def _run(process: Runtime, parts: Sequence[Gathered]) -> None:
    whole = _Whole(process, len(parts))
    async with asyncio.TaskGroup() as whole_group:
        beating = whole_group.create_task(_beat(process))
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(_run_part(whole, part))
        beating.cancel()


async def _beat(process: Runtime) -> None:
    """Tell the watchdog that the loop goes round, which is all that it watches here."""
    while True:
        process.beat()
        await asyncio.sleep(BEAT_INTERVAL_S)


async def _run_part(whole: _Whole, part: Gathered) -> None:
    runtime = _PartRuntime(whole, part)
    structlog.contextvars.bind_contextvars(service=part.service, instance=runtime.instance)
    await part.main(runtime)


class _Whole:
    """The process is ready once all of its parts are."""

    def __init__(self, process: Runtime, parts: int) -> None:
        self.process = process
        self._parts = parts
        self._facts: dict[str, dict[str, object]] = {}
        self._unready: dict[str, str] = {}

    def ready(self, instance: str, facts: dict[str, object]) -> None:
        self._unready.pop(instance, None)
        if instance not in self._facts:
            self._facts[instance] = facts
            logger.info("service ready", **facts)
        self._say()

    def not_ready(self, instance: str, reason: str) -> None:
        self._unready[instance] = f"{instance}: {reason}"
        self._say()

    def _say(self) -> None:
        if len(self._facts) == self._parts:
            # Who runs this process is told what its services have to tell: where bots connect.
            self.process.ready(**dict(ChainMap(*reversed(self._facts.values()))))
            for reason in self._unready.values():
                self.process.not_ready(reason)


class _PartRuntime(Runtime):
    """The process that services share, as one of them may ask of it."""

    def __init__(self, whole: _Whole, part: Gathered) -> None:
        process = whole.process
        self.service = part.service
        self.instance = part.options.instance or f"{part.service}.{process.instance}"
        self.clock = process.clock
        self.stopping = False
        self.on_stop = lambda end: end()
        self._open = part.options.open
        self._whole = whole

    def ready(self, **facts: object) -> None:
        self._whole.ready(self.instance, facts)

    def not_ready(self, reason: str) -> None:
        self._whole.not_ready(self.instance, reason)

    def beat(self) -> None:
        """Do nothing: the process beats for all."""
