"""A system of replicas on loopback.

Each replica publishes at an address of its own, and is told all addresses there may ever be: a
host name of several addresses does the same among containers.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from pathlib import Path

from system import VENUES, Process, System, eventually

__all__ = ["Replicated", "replicas"]


class PatientProcess(Process):
    """Takes nobody for dead who is only slow."""

    program = (str(Path(__file__).with_name("patient_program.py")),)


class Replicated(System):
    """A system in which listeners of Binance and aggregators may be up to three each."""

    process = PatientProcess

    def options(self, service: str, *more: str) -> list[str]:
        return [*more, *(f"--peer={self.address(name)}" for name in replicas(service))]

    async def start_all(
        self,
        *listener: str,
        aggregator: Iterable[str] = (),
        rate: str = "20",
        instruments: Iterable[str],
    ) -> None:
        """Start one of each; `listener` are options of every Binance listener."""
        self.listener = self.options("listener-binance", *listener)
        self.aggregator = [
            *self.options("aggregator", *aggregator),
            *(f"--upstream={self.address(name)}" for name in replicas("listener-binance")),
        ]
        self.gateway = [f"--upstream={self.address(name)}" for name in replicas("aggregator")]
        await self.start_simulator("--rate", rate, *(f"--instrument={i}" for i in instruments))
        await asyncio.gather(
            self.add("listener-binance-1"),
            *(self.start_listener(venue) for venue in VENUES if venue != "binance"),
            self.add("aggregator-1"),
            self.start_gateway(*self.gateway),
        )
        await self.listed()

    async def add(self, name: str) -> None:
        """Start a replica."""
        if name.startswith("aggregator"):
            others = [venue for venue in VENUES if venue != "binance"]
            await self.start_aggregator(*self.aggregator, venues=others, name=name)
        else:
            await self.start_listener("binance", *self.listener, name=name)

    async def handed_over(self, count: int) -> None:
        """Wait until replicas have let go of `count` instruments in all that others have now."""

        def released() -> bool:
            events = [event["event"] for p in self.processes.values() for event in p.events()]
            return sum(map(events.count, ("instrument released", "instrument left"))) >= count

        await eventually(released, f"{count} instruments are handed over")

    async def stop(self, name: str) -> None:
        self.processes[name].signal(signal.SIGTERM)
        assert await self.processes[name].ended() == 0


def replicas(service: str) -> list[str]:
    return [f"{service}-{number}" for number in (1, 2, 3)]
