"""Bitget's instrument list."""

from __future__ import annotations

import json

from dragonfly_venues.bitget import Bitget
from dragonfly_venues.events import Trading
from dragonfly_venues.venue import Market


def test_markets_are_listed_with_what_keeps_them_from_being_traded() -> None:
    def market(symbol: str, base: str, status: str, **more: str) -> dict[str, str]:
        return {"symbol": symbol, "baseCoin": base, "quoteCoin": "USDT", "status": status, **more}

    numbers = {"pricePrecision": "2", "quantityPrecision": "6", "minTradeAmount": "0"}
    reply = {
        "code": "00000",
        "msg": "success",
        "requestTime": 7,
        "data": [
            market("BTCUSDT", "BTC", "online", **numbers),
            market("AUSDT", "A", "gray", minTradeAmount="0.5"),
            market("BUSDT", "B", "halt"),
            market("\u5e01\u5b89USDT", "\u5e01\u5b89", "online"),
            {"symbol": 7},
        ],
    }
    listed = Bitget().instruments.parse(json.dumps(reply, ensure_ascii=False).encode())
    assert listed == {
        "BTC-USDT": Market("BTCUSDT", tick="0.01", lot="0.000001"),
        "A-USDT": Market("AUSDT", Trading(halted=True, word="gray"), min_amount="0.5"),
        "B-USDT": Market("BUSDT", Trading(halted=True, word="halt")),
        "\u5e01\u5b89-USDT": Market("\u5e01\u5b89USDT"),
    }
