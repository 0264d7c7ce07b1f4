"""A front end's side of the order channel: commands until they are answered, reports once.

    with closing(FrontEnd("ipc:///run/engine.ipc", "gateway-1", clock, on_report)) as front_end:
        task = create_task(drive((front_end.channel,), front_end.turn))
        answer = await front_end.ask("alice", Cancel(order_id))

A command that is not answered is sent again under its own id, each second. After `PATIENCE_S` its
fate is unknown to the caller (`AnswerOverdueError`): to ask again is to give the same id, never a
new one. A report is acknowledged when `on_report` has returned, so that what it does with a report
must be done by then.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from dragonfly_common.bus import ChannelClient, Keys
from dragonfly_common.clock import Clock
from dragonfly_common.errors import DecodeError, DragonflyError

from dragonfly_orders.messages import (
    Command,
    CommandAnswer,
    CommandBody,
    EngineHello,
    FrontEndHello,
    Report,
    ReportAck,
    decode_from_engine,
    encode,
)

__all__ = ["PATIENCE_S", "AnswerOverdueError", "FrontEnd", "new_command_id"]

RESEND_INTERVAL_S: Final = 1.0
PATIENCE_S: Final = 10.0
SILENCE_LIMIT_S: Final = 3.0
"""The engine answers each hello: silent for longer, it is not there."""

logger = structlog.get_logger()


class AnswerOverdueError(DragonflyError):
    """Whether the command was, or will be, carried out is not known; `command` says which it is."""

    def __init__(self, command: Command) -> None:
        super().__init__(
            f"the engine has not answered within {PATIENCE_S:g} s: the command {command.id} may "
            "have been carried out; ask for the order's status, or send the same command again"
        )
        self.command = command


@dataclass
class _Waiting:
    command: Command
    answered: asyncio.Future[CommandAnswer]
    send_at: float
    until: float


def new_command_id() -> str:
    """Return an id that no other command has."""
    return secrets.token_hex(16)


class FrontEnd:
    """A connection to one engine, for as long as the front end lives."""

    def __init__(
        self,
        address: str,
        name: str,
        clock: Clock,
        on_report: Callable[[Report], None],
        *,
        owners: tuple[str, ...] = (),
        seqs: Mapping[str, int] | None = None,
        kept: Mapping[str, int] | None = None,
        keys: Keys | None = None,
    ) -> None:
        """Connect.

        Args:
            address: the engine's, on the bus.
            name: the front end's own, the same after a restart.
            clock: the time.
            on_report: is given each report once, those of an order in their order.
            owners: whose reports are wanted; none named: everybody's.
            seqs: by order, the last report that was handed on before a restart, where that is
                known here; None: the engine's journal knows what was acknowledged.
            kept: where `seqs` is None: by order, the last report that is kept here. The engine
                says nothing of an order that is over and whose reports were all acknowledged.
            keys: for tcp.

        Raises:
            AddressError: the address is malformed.
        """
        self.channel: Final = ChannelClient(address, clock, keys=keys)
        self.engine: EngineHello | None = None
        """What the engine said of itself last; None while it is not there."""
        self._clock = clock
        self._name = name
        self._on_report = on_report
        self._owners = owners
        self._restart = seqs is not None
        self._seqs = dict(seqs or kept or {})
        self._waiting: dict[str, _Waiting] = {}
        self._hello_at = 0.0
        self._heard_at = 0.0

    async def ask(self, owner: str, body: CommandBody, command_id: str = "") -> CommandAnswer:
        """Have a command carried out, and return the engine's answer.

        Raises:
            AnswerOverdueError: there is none in time.
        """
        command = Command(command_id or new_command_id(), owner, body)
        now = self._clock.monotonic()
        waiting = self._waiting.get(command.id) or _Waiting(
            command, asyncio.get_running_loop().create_future(), now, now + PATIENCE_S
        )
        self._waiting[command.id] = waiting
        self.turn()
        try:
            # Also where nobody takes turns any more.
            async with asyncio.timeout(PATIENCE_S + RESEND_INTERVAL_S):
                return await asyncio.shield(waiting.answered)
        except TimeoutError:
            raise AnswerOverdueError(command) from None

    def turn(self) -> float:
        """Take what came, and send what is due; return seconds until the next time."""
        for payload in self.channel.receive():
            try:
                self._take(decode_from_engine(payload))
            except DecodeError as error:
                logger.warning("unreadable message", reason=str(error))
        now = self._clock.monotonic()
        if self.engine is not None and now - self._heard_at > SILENCE_LIMIT_S:
            self.engine = None
        if now >= self._hello_at:
            hello = FrontEndHello(
                self._name, self._owners, self._restart, self._seqs if self._restart else {}
            )
            sent = self.channel.send(encode(hello))
            self._hello_at = now + (RESEND_INTERVAL_S if sent else 0.05)
        for waiting in list(self._waiting.values()):
            if now >= waiting.until:
                del self._waiting[waiting.command.id]
                if not waiting.answered.done():
                    waiting.answered.set_exception(AnswerOverdueError(waiting.command))
            elif now >= waiting.send_at:
                sent = self.channel.send(encode(waiting.command))
                waiting.send_at = now + (RESEND_INTERVAL_S if sent else 0.05)
        return 0.05 if self._waiting or self.engine is None else 0.25

    def close(self) -> None:
        for waiting in self._waiting.values():
            waiting.answered.cancel()
        self.channel.close()

    def _take(self, message: EngineHello | CommandAnswer | Report) -> None:
        self._heard_at = self._clock.monotonic()
        match message:
            case EngineHello():
                self.engine = message
                for order_id, seq in (message.acked or {}).items():
                    self._seqs[order_id] = max(seq, self._seqs.get(order_id, 0))
            case CommandAnswer():
                waiting = self._waiting.pop(message.id, None)
                if waiting is not None and not waiting.answered.done():
                    waiting.answered.set_result(message)
            case Report():
                self._take_report(message)

    def _take_report(self, report: Report) -> None:
        known = self._seqs.get(report.order_id, 0)
        if report.seq > known + 1:
            return  # one before it was lost; the engine sends both again
        if report.seq == known + 1:
            self._on_report(report)
            self._seqs[report.order_id] = report.seq
        self.channel.send(encode(ReportAck(report.order_id, self._seqs[report.order_id])))
