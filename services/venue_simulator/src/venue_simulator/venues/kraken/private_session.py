"""The signed-on part of a conversation with Kraken's WebSocket v2: orders, and `executions`.

Source: docs.kraken.com, spot-websocket-v2. Each request carries a token, which REST gives out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from venue_simulator.times import rfc3339
from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.orders import OrderEvent, OrderRefusal
from venue_simulator.trading.requests import SignedRequest
from venue_simulator.venue import (
    Action,
    AskDesk,
    Books,
    BookStream,
    FirstFrame,
    Send,
    Subscribe,
    Unsubscribe,
)
from venue_simulator.venues.kraken import executions
from venue_simulator.venues.kraken.orders import (
    KrakenError,
    add_order,
    find_order,
    order_id,
    refusal_text,
)

__all__ = ["EXECUTIONS", "PrivateConversation", "is_private"]

EXECUTIONS: Final = "executions"

Fields = dict[str, object]
Params = Mapping[str, object]

_STREAM: Final = BookStream(EXECUTIONS, "", EXECUTIONS, 0)
"""Of no book: the connection follows something, so that it has heartbeats and is not idle."""

_json = msgspec.json.Encoder(decimal_format="number")


class _Channel(msgspec.Struct):
    channel: str = ""


class _Head(msgspec.Struct):
    method: str = ""
    params: _Channel | None = None


def is_private(frame: bytes) -> bool:
    """Return whether a request needs a token."""
    try:
        head = msgspec.json.decode(frame, type=_Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    follows = head.params is not None and head.params.channel == EXECUTIONS
    return head.method in _CHANGES or (head.method in {"subscribe", "unsubscribe"} and follows)


_CHANGES: Final = frozenset({"add_order", "cancel_order", "cancel_all", "cancel_all_orders_after"})


class PrivateConversation:
    """Performs requests with a token, and tells the account that is followed."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._sequence = 0
        self._signed_on: dict[str, TradingAccount] = {}
        """By token: one that was used in time lives as long as the connection."""
        self._followed: TradingAccount | None = None
        self._opens_and_closes_only = False
        self._methods: Mapping[str, Callable[[_Question], Sequence[Action]]] = {
            "add_order": self._add,
            "cancel_order": self._cancel,
            "cancel_all": self._cancel_all,
            "cancel_all_orders_after": self._arm,
            "subscribe": self._follow,
            "unsubscribe": self._unfollow,
        }

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        """Return what a private request leads to."""
        try:
            request = json.loads(frame, parse_float=Decimal)
        except (ValueError, RecursionError):
            return [_reply({"error": "Malformed request", "success": False}, now_ns, now_ns)]
        question = _Question(request, now_ns)
        return [
            AskDesk(
                SignedRequest(
                    partial(self._answer, question),
                    question.method in _CHANGES,
                    unknown=[question.refuse("EService:Timeout", now_ns)],
                    failed=[question.refuse("EService:Unavailable", now_ns)],
                    limit=lambda status, now_ns, _retry_at_ns: [
                        question.refuse(
                            "EGeneral:Temporary lockout"
                            if status == 418
                            else "EOrder:Rate limit exceeded",
                            now_ns,
                        )
                    ],
                )
            )
        ]

    def describe_order(self, event: OrderEvent) -> Sequence[Action]:
        if self._followed is None or self._followed.key != event.order.account:
            return ()
        told = executions.describe(event, opens_and_closes_only=self._opens_and_closes_only)
        return [Send(self._number("update", [one])) for one in told]

    def _answer(self, question: _Question, now_ns: int) -> Sequence[Action]:
        question.now_ns = now_ns
        try:
            question.account = self._sign_on(question.params.get("token"), now_ns)
            return self._methods[question.method](question)
        except KrakenError as error:
            return [question.refuse(str(error), now_ns)]

    def _sign_on(self, token: object, now_ns: int) -> TradingAccount:
        desk = self._books.desk
        if not desk.tokens_are_refused and isinstance(token, str):
            account = self._signed_on.get(token) or desk.tokens.find(token, now_ns)
            if account is not None:
                self._signed_on[token] = account
                return account
        raise KrakenError("ESession:Invalid session")

    def _add(self, question: _Question) -> Sequence[Action]:
        order = add_order(
            self._books, question.account, question.params, question.received_ns, question.now_ns
        )
        result: Fields = {} if order is None else {"order_id": order_id(order.number)}
        if client_id := question.params.get("cl_ord_id"):
            result["cl_ord_id"] = client_id
        return [question.accept(result)]

    def _cancel(self, question: _Question) -> Sequence[Action]:
        answers = []
        for name in ("order_id", "cl_ord_id"):
            named = question.params.get(name, [])
            for one in named if isinstance(named, list) else [named]:
                order = find_order(
                    self._books,
                    question.account,
                    one,
                    question.now_ns,
                    by_client=name == "cl_ord_id",
                )
                try:
                    self._books.desk.cancel(question.account, order, question.now_ns)
                except OrderRefusal as refusal:
                    said = refusal_text(refusal, self._books)
                    answers.append(question.refuse(said, question.now_ns))
                else:
                    assert order is not None
                    given: Fields = {"order_id": order_id(order.number)}
                    if order.ticket.client_id:
                        given["cl_ord_id"] = order.ticket.client_id
                    answers.append(question.accept(given))
        return answers or [question.refuse("EGeneral:Invalid arguments", question.now_ns)]

    def _cancel_all(self, question: _Question) -> Sequence[Action]:
        ended = self._books.desk.cancel_all(question.account, question.now_ns)
        return [question.accept({"count": len(ended)})]

    def _arm(self, question: _Question) -> Sequence[Action]:
        timeout = question.params.get("timeout")
        if isinstance(timeout, bool) or not isinstance(timeout, int) or not 0 <= timeout <= 86_400:
            raise KrakenError("EGeneral:Invalid arguments:timeout")
        at_ns = question.now_ns + timeout * 1_000_000_000
        self._books.desk.arm_dead_man(question.account, at_ns if timeout else None)
        trigger = rfc3339(at_ns // 1000) if timeout else "0"
        now = rfc3339(question.now_ns // 1000)
        return [question.accept({"currentTime": now, "triggerTime": trigger})]

    def _follow(self, question: _Question) -> Sequence[Action]:
        params = question.params
        self._followed = question.account
        self._opens_and_closes_only = params.get("order_status") is False
        with_orders = params.get("snap_orders", True) is True
        with_trades = params.get("snap_trades", False) is True
        ack = question.accept(
            {
                "channel": EXECUTIONS,
                "snap_orders": with_orders,
                "snap_trades": with_trades,
                "order_status": not self._opens_and_closes_only,
            }
        )
        orders = self._books.desk.orders(question.account, question.now_ns)
        data = executions.snapshot(orders, with_orders=with_orders, with_trades=with_trades)
        return [ack, Subscribe(_STREAM, FirstFrame.ON_CHANGE), Send(self._number("snapshot", data))]

    def _unfollow(self, question: _Question) -> Sequence[Action]:
        self._followed = None
        return [question.accept({"channel": EXECUTIONS}), Unsubscribe(_STREAM)]

    def _number(self, kind: str, data: Sequence[Fields]) -> str:
        self._sequence += 1
        return executions.frame(kind, data, self._sequence)


class _Question:
    """A private request, and how its answers look."""

    account: TradingAccount
    """Whose it is; set once its token was checked."""

    def __init__(self, request: Mapping[str, object], now_ns: int) -> None:
        self.method = str(request["method"])
        params = request.get("params")
        self.params: Params = params if isinstance(params, dict) else {}
        self.received_ns = self.now_ns = now_ns
        self._req_id = request.get("req_id")

    def accept(self, result: Fields) -> Send:
        return self._say({"result": result, "success": True}, self.now_ns)

    def refuse(self, error: str, now_ns: int) -> Send:
        return self._say({"error": error, "success": False}, now_ns)

    def _say(self, fields: Fields, now_ns: int) -> Send:
        named: Fields = {"method": self.method, **fields}
        if self._req_id is not None:
            named["req_id"] = self._req_id
        return _reply(named, self.received_ns, now_ns)


def _reply(fields: Fields, received_ns: int, now_ns: int) -> Send:
    times = {"time_in": rfc3339(received_ns // 1000), "time_out": rfc3339(now_ns // 1000)}
    return Send(_json.encode({**fields, **times}).decode())
