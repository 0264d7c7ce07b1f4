"""A client's conversation with Binance's WebSocket API: orders, queries, user data streams.

Source: web-socket-api.md. A session that was logged on with an Ed25519 key need not sign further
requests. A connection may follow several accounts, each under a `subscriptionId`; events have no
number, and none is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from venue_simulator.trading.accounts import TradingAccount
from venue_simulator.trading.orders import OrderEvent
from venue_simulator.trading.requests import SignedRequest
from venue_simulator.venue import Action, AskDesk, Books, RestRequest, Send, VenueSession
from venue_simulator.venues.binance import orders, rest, user_data
from venue_simulator.venues.binance.signing import (
    BinanceError,
    authenticate,
    check_time,
    mandatory,
    ws_payload,
)

__all__ = ["API_PATH", "BinanceApiSession"]

API_PATH: Final = "/ws-api/v3"

_PUBLIC: Final = {
    "ping": "/api/v3/ping",
    "time": "/api/v3/time",
    "exchangeInfo": "/api/v3/exchangeInfo",
    "depth": "/api/v3/depth",
}
_WEIGHT: Final = [
    {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": 6000,
        "count": 1,
    }
]

Params = dict[str, str]
Method = Callable[[Params, int], object]


class BinanceApiSession(VenueSession):
    """Answers by id, in whatever order answers are ready."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._logged_on: TradingAccount | None = None
        self._logged_on_ms = 0
        self._followed: dict[int, TradingAccount] = {}
        self._subscriptions = 0
        self._session_methods: Mapping[str, Method] = {
            "session.logon": self._log_on,
            "session.status": lambda _params, now_ns: self._status(now_ns),
            "session.logout": self._log_out,
            "userDataStream.subscribe": self._follow_logged_on,
            "userDataStream.subscribe.signature": self._follow_signed,
            "userDataStream.unsubscribe": self._unfollow,
        }

    def receive(self, frame: bytes, now_ns: int) -> Sequence[Action]:
        request_id: object = None
        try:
            request_id, method, params = _read(frame)
            if method in _PUBLIC:
                return [_result(request_id, self._ask_public(_PUBLIC[method], params, now_ns))]
            act, changes = self._find(method)
        except BinanceError as error:
            return [_refusal(request_id, error)]
        return [
            AskDesk(
                SignedRequest(
                    partial(_answer, request_id, act, params),
                    changes,
                    unknown=[_refusal(request_id, rest.TIMEOUT)],
                    failed=[_refusal(request_id, rest.FAILURE)],
                    limit=partial(_limit, request_id),
                )
            )
        ]

    def announce_close(self, now_ns: int) -> str:
        return _json({"event": {"e": "serverShutdown", "E": now_ns // 1_000_000}})

    def describe_order(self, event: OrderEvent, now_ns: int) -> Sequence[Action]:
        return [
            Send(_json({"subscriptionId": subscription, "event": one}))
            for subscription, account in self._followed.items()
            if account.key == event.order.account
            for one in user_data.events(event, account, now_ns)
        ]

    def _ask_public(self, path: str, params: Params, now_ns: int) -> object:
        reply = rest.answer(RestRequest(path, params), self._books, now_ns)
        body = msgspec.json.decode(reply.body)
        if isinstance(body, dict) and "code" in body:
            raise BinanceError(int(body["code"]), str(body["msg"]))
        return body

    def _find(self, method: str) -> tuple[Method, bool]:
        """Return what a method does, and whether it places or cancels."""
        if method in self._session_methods:
            return self._session_methods[method], False
        if method in orders.METHODS:
            return partial(self._trade, method), orders.METHODS[method][1]
        raise BinanceError(-5000, f"Method {method} is invalid")

    def _trade(self, method: str, params: Params, now_ns: int) -> object:
        account = self._authenticate(params, now_ns)
        return orders.perform(method, self._books, account, params, now_ns)

    def _authenticate(
        self, params: Params, now_ns: int, *, ed25519_only: bool = False
    ) -> TradingAccount:
        logged_on = self._logged_on
        if logged_on is not None and "apiKey" not in params and not ed25519_only:
            check_time(params, now_ns)
            return logged_on
        key, signature = mandatory(params, "apiKey"), mandatory(params, "signature")
        check_time(params, now_ns)
        return authenticate(
            self._books.desk, key, ws_payload(params), signature, ed25519_only=ed25519_only
        )

    def _log_on(self, params: Params, now_ns: int) -> object:
        self._logged_on = self._authenticate(params, now_ns, ed25519_only=True)
        self._logged_on_ms = now_ns // 1_000_000
        return self._status(now_ns)

    def _log_out(self, params: Params, now_ns: int) -> object:
        self._logged_on = None
        self._followed.clear()
        return self._status(now_ns)

    def _status(self, now_ns: int) -> object:
        account = self._logged_on
        return {
            "apiKey": None if account is None else account.key,
            "authorizedSince": None if account is None else self._logged_on_ms,
            "connectedSince": self._logged_on_ms or now_ns // 1_000_000,
            "returnRateLimits": True,
            "serverTime": now_ns // 1_000_000,
            "userDataStream": bool(self._followed),
        }

    def _follow_logged_on(self, params: Params, now_ns: int) -> object:
        if self._logged_on is None:
            raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return self._follow(self._logged_on)

    def _follow_signed(self, params: Params, now_ns: int) -> object:
        return self._follow(self._authenticate(params, now_ns))

    def _follow(self, account: TradingAccount) -> object:
        if account in self._followed.values():
            raise BinanceError(-2014, "User data stream subscription is already active.")
        subscription, self._subscriptions = self._subscriptions, self._subscriptions + 1
        self._followed[subscription] = account
        return {"subscriptionId": subscription}

    def _unfollow(self, params: Params, now_ns: int) -> object:
        if "subscriptionId" in params:
            number = params["subscriptionId"]
            self._followed.pop(int(number) if number.isdecimal() else -1, None)
        else:
            self._followed.clear()
        return {}


def _read(frame: bytes) -> tuple[object, str, Params]:
    """Return (id, method, params as text) of a request.

    Raises:
        BinanceError: it is none.
    """
    try:
        request = json.loads(frame, parse_float=str, parse_int=_Digits)
    except (ValueError, RecursionError):
        raise BinanceError(-1135, "Invalid JSON Request") from None
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise BinanceError(-1135, "Invalid JSON Request")
    params = request.get("params") or {}
    if not isinstance(params, dict):
        raise BinanceError(-1135, "JSON sent for parameter 'params' is not valid")
    written = {name: _written(value) for name, value in params.items() if value is not None}
    return _id(request.get("id")), request["method"], written


class _Digits(str):
    """An integer as it was written."""

    __slots__ = ()


def _id(value: object) -> object:
    """Return an id as it was sent: a number or a text."""
    if isinstance(value, _Digits):
        return int(value) if len(value) < 20 else None
    return value if isinstance(value, str) else None


def _written(value: object) -> str:
    """Return a parameter's text, by which it is signed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _answer(request_id: object, act: Method, params: Params, now_ns: int) -> Sequence[Action]:
    try:
        return [_result(request_id, act(params, now_ns))]
    except BinanceError as error:
        return [_refusal(request_id, error)]


def _limit(request_id: object, status: int, now_ns: int, retry_at_ns: int) -> Sequence[Action]:
    now_ms, retry_ms = now_ns // 1_000_000, retry_at_ns // 1_000_000
    error = rest.limit_error(status, retry_ms)
    data = {"serverTime": now_ms, "retryAfter": retry_ms}
    return [_refusal(request_id, error, data)]


def _result(request_id: object, result: object) -> Send:
    return Send(_json({"id": request_id, "status": 200, "result": result, "rateLimits": _WEIGHT}))


def _refusal(request_id: object, error: BinanceError, data: object = None) -> Send:
    said: dict[str, object] = {"code": error.code, "msg": error.text}
    if data is not None:
        said["data"] = data
    return Send(
        _json({"id": request_id, "status": error.status, "error": said, "rateLimits": _WEIGHT})
    )


def _json(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))
