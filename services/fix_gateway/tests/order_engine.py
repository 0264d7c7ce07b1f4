"""An engine that takes what the FIX gateway asks, as a test wants it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from dragonfly_common.bus import ChannelServer
from dragonfly_common.clock import SystemClock
from dragonfly_orders.messages import (
    AnswerCode,
    Cancel,
    Command,
    CommandAnswer,
    EngineHello,
    FillNews,
    FinalStatusOf,
    FrontEndHello,
    Liquidate,
    OrderState,
    Replace,
    Report,
    ReportAck,
    ReportKind,
    decode_from_front_end,
    encode,
    order_id,
)

__all__ = ["Engine"]


class Engine:
    """Carries each command out once, and tells its reports until they are acknowledged."""

    deaf = False
    """Commands do not come to it."""
    mute = False
    """It carries commands out, and neither answers nor reports so far."""

    def __init__(self, address: str) -> None:
        self.channel = ChannelServer(address, SystemClock())
        self.carried: Counter[str] = Counter()
        self.copies = 0
        """Of commands, also while it is deaf."""
        self.reports: list[Report] = []
        self._answers: dict[str, CommandAnswer] = {}
        self._acked: dict[str, int] = {}
        self._peer: bytes | None = None

    def turn(self) -> float:
        for peer, payload in self.channel.receive():
            match decode_from_front_end(payload):
                case FrontEndHello():
                    new, self._peer = peer != self._peer, peer
                    told = EngineHello("e", True, False, (), dict(self._acked) if new else None)
                    self.channel.send(peer, encode(told))
                case Command() as command:
                    self.copies += 1
                    if self.deaf:
                        continue
                    if command.id not in self._answers:
                        self._answers[command.id] = self._carry_out(command)
                    if not self.mute:
                        self.channel.send(peer, encode(self._answers[command.id]))
                case ReportAck() as ack:
                    self._acked[ack.order_id] = max(self._acked.get(ack.order_id, 0), ack.seq)
        for report in self.reports if not self.mute else ():
            if self._peer is not None and report.seq > self._acked.get(report.order_id, 0):
                self.channel.send(self._peer, encode(report))
        return 0.02

    def _carry_out(self, command: Command) -> CommandAnswer:
        body = command.body
        self.carried[type(body).__name__] += 1
        match body:
            case Liquidate():
                self._owner, self._id = command.owner, order_id(command.owner, body.client_id)
                self._quantity = body.quantity
                self._tell(ReportKind.NEW)
                fill = FillNews("kraken", "t1", Decimal("0.06"), Decimal(1), Decimal(0), "BTC", 1)
                self._tell(ReportKind.FILL, fill=fill)
            case Replace():
                self._quantity = body.quantity or self._quantity
                self._tell(ReportKind.REPLACED)
            case Cancel():
                self._tell(ReportKind.STATE, OrderState.CANCELLING)
                self._tell(ReportKind.STATE, OrderState.CANCELLED)
            case FinalStatusOf() if not self.reports:
                return CommandAnswer(command.id, AnswerCode.NOT_FOUND, "no such order")
        return CommandAnswer(command.id, AnswerCode.ACCEPTED, "", self._id)

    def _tell(
        self,
        kind: ReportKind,
        state: OrderState = OrderState.RUNNING,
        fill: FillNews | None = None,
    ) -> None:
        seq = len(self.reports) + 1
        cum = Decimal(int(seq > 1))
        leaves = Decimal(0) if state is OrderState.CANCELLED else self._quantity - cum
        average = Decimal("0.06") if cum else None
        self.reports.append(
            Report(self._id, self._owner, seq, kind, state, cum, leaves, average, {}, 1, fill=fill)
        )
