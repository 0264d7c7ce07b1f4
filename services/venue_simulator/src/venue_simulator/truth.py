"""The truth: every state of every book, and every fault, before any client can know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from dragonfly_common.errors import ConfigError

from venue_simulator.book import BookState
from venue_simulator.faults import Fault
from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.orders import OrderEvent

__all__ = ["LOGGED_LEVELS", "Truth", "fault_line"]

LOGGED_LEVELS: Final = 25
"""A side of a line, unless more are asked for."""

_json = msgspec.json.Encoder()


@dataclass
class Truth:
    """Appends to a file line by line, unbuffered; keeps it in memory where a test asks for that."""

    path: Path | None = None
    keep: bool = False
    levels: int = LOGGED_LEVELS
    """A side of a line."""
    states: dict[tuple[str, str], list[BookState]] = field(default_factory=dict, init=False)
    """By (venue, instrument), only with `keep`."""
    faults: list[Fault] = field(default_factory=list, init=False)
    orders: dict[str, list[OrderEvent]] = field(default_factory=dict, init=False)
    """Events of orders, by venue, only with `keep`."""

    def __post_init__(self) -> None:
        self._file = None
        if self.path is not None:
            try:
                self._file = self.path.open("ab", buffering=0)
            except OSError as error:
                raise ConfigError(
                    f"cannot write the truth log {str(self.path)!r}: {error.strerror}; "
                    "name a file in a folder that exists"
                ) from None

    def note_state(self, venue: str, instrument: str, state: BookState) -> None:
        if self.keep:
            self.states.setdefault((venue, instrument), []).append(state)
        if self._file is None:
            return
        line = {
            "venue": venue,
            "instrument": instrument,
            "venue_seq": state.venue_seq,
            "ts": state.ts_ns,
            "bids": state.bids[: self.levels],
            "asks": state.asks[: self.levels],
        }
        if state.crossed:
            line["crossed"] = True
        self._file.write(_json.encode(line) + b"\n")

    def note_order(
        self, venue: str, instrument: str, event: OrderEvent, account: TradingAccount
    ) -> None:
        """Note an event of an order, its fill if it is one, and the account's balances after it."""
        if self.keep:
            self.orders.setdefault(venue, []).append(event)
        if self._file is None:
            return
        self._file.write(_json.encode(_order_line(venue, instrument, event, account)) + b"\n")

    def note_fault(self, fault: Fault, now_ns: int) -> None:
        if self.keep:
            self.faults.append(fault)
        if self._file is None:
            return
        self._file.write(fault_line(fault, now_ns) + b"\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _order_line(
    venue: str, instrument: str, event: OrderEvent, account: TradingAccount
) -> dict[str, object]:
    order, trade = event.order, event.trade
    line: dict[str, object] = {
        "order": event.kind,
        "venue": venue,
        "instrument": instrument,
        "ts": order.updated_ns,
        "account": account.key,
        "number": order.number,
        "client_id": order.ticket.client_id,
        "side": order.ticket.side,
        "price": order.ticket.price,
        "amount": order.ticket.amount,
        "filled": order.filled,
        "stage": order.stage,
        "balances": {
            asset: {"free": account.free.get(asset, 0), "held": account.held.get(asset, 0)}
            for asset in account.assets
        },
    }
    if trade is not None:
        line["trade"] = {
            "number": trade.number,
            "price": trade.price,
            "amount": trade.amount,
            "fee": trade.fee,
            "fee_asset": trade.fee_asset,
            "maker": trade.is_maker,
        }
    return line


def fault_line(fault: Fault, now_ns: int) -> bytes:
    """Return what the log says of a fault that begins now."""
    line = {
        "fault": fault.kind,
        "venue": fault.venue,
        "instrument": fault.instrument,
        "ts": now_ns,
        "seconds": fault.seconds,
    }
    return _json.encode(line)
