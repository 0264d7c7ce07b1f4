"""Orders through the web gateway: whose they are, and who may give them."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from system import System, eventually

Answer = tuple[int, dict[str, Any]]


class Person:
    """Asks as a browser does, with a token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}

    async def get(self, path: str) -> Answer:
        return await asyncio.to_thread(self._ask, path, None)

    async def post(self, path: str, body: object = None) -> Answer:
        return await asyncio.to_thread(self._ask, path, json.dumps(body).encode() if body else b"")

    def _ask(self, path: str, body: bytes | None) -> Answer:
        try:
            with urlopen(Request(f"{self._url}v1/{path}", body, self._headers)) as reply:
                return reply.status, json.load(reply)
        except HTTPError as error:
            return error.code, json.load(error)


async def test_a_trader_sees_and_gives_orders_and_nobody_else(tmp_path: Path) -> None:
    both = ("md", "trade")
    with System(tmp_path) as system:
        url = await system.start_trading({"ann": both, "ben": both, "screen": ("md",)})
        ann, ben, screen = (Person(url, name) for name in ("ann", "ben", "screen"))

        ticket = {"client_id": "one", "instrument": "ETH-BTC", "side": "sell", "quantity": "3"}
        answers: list[Answer] = []

        async def taken() -> bool:
            answers.append(await ann.post("orders", {**ticket, "rounds": 1000}))
            return answers[-1][0] == 200

        await eventually(taken, "the engine knows the markets, and takes the order")
        order = answers[-1][1]
        assert (order["client_id"], order["quantity"]) == ("one", "3")

        async def filled() -> bool:
            _, told = await ann.get(f"orders/{order['order_id']}")
            return (
                told["order"]["state"] == "done"
                and sum(Decimal(one["amount"]) for one in told["fills"]) == 3
            )

        await eventually(filled, "the order is filled, and its parts are told")
        _, mine = await ann.get("orders?all=true")
        assert [one["client_id"] for one in mine["orders"]] == ["one"]
        assert mine["engine"]["paper"]
        _, others = await ben.get("orders?all=true")
        assert others["orders"] == []

        status, refused = await screen.get("orders")
        assert (status, refused["error"].split(":")[0]) == (401, "the token is not for orders")
        status, refused = await ann.post("orders", {**ticket, "limt": "1"})
        assert (status, refused["error"].split(":")[0]) == (400, "'limt' is no field here")
        status, refused = await ann.post("orders", ticket | {"quantity": "4"})
        assert (status, refused["code"]) == (409, 6)
        assert (await ann.post("orders/another/cancel"))[0] == 404

        assert (await screen.post("kill"))[0] == 401
        status, engine = await ben.post("kill", {"reason": "a test"})
        assert (status, engine["killed"]) == (200, True)
        status, refused = await ann.post("orders", ticket | {"client_id": "two"})
        assert status == 400, refused
