"""What a bot may pass to the client: refused in one sentence, before it is sent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from dragonfly_client.errors import SettingError
from dragonfly_client.tls import Tls

__all__ = [
    "check_depth",
    "check_fees",
    "check_instrument",
    "check_seconds",
    "check_side",
    "check_size",
    "check_sizes",
    "check_tls",
    "check_token",
    "check_whole",
]

_TOKEN: Final = re.compile(r"[!-~]*")
UINT32_MAX: Final = 2**32 - 1
"""What a field of a request can carry; how much of that is served, the gateway says."""


def check_instrument(name: Any) -> str:
    """Return `name` as the gateway writes it, in upper case; the rest is judged there."""
    if not isinstance(name, str):
        raise SettingError(f"{_shown(name)} is not an instrument: write 'ETH-BTC', for example")
    return name.strip().upper()


def check_depth(depth: Any) -> int:
    """Return `depth` if a request can carry it."""
    check_whole("depth", depth, at_least=0, otherwise="; 0 is all that the gateway serves")
    return int(depth)


def check_side(side: Any) -> str:
    """Return `side`, which is "buy" or "sell"."""
    if side not in {"buy", "sell"}:
        raise SettingError(f"{_shown(side)} is not a side: give 'buy' or 'sell'")
    return str(side)


def check_sizes(sizes: Any) -> list[float]:
    """Return one size or several as doubles; how many and how large, the gateway says."""
    several = sizes if isinstance(sizes, Iterable) and not isinstance(sizes, str) else [sizes]
    return [_double("size", size) for size in several]


def check_size(size: Any) -> float:
    """Return one size that is to be found in a book here."""
    number = _double("size", size)
    if not 0 < number < math.inf:
        raise SettingError(f"size {_shown(size)}: give a number above 0")
    return number


def check_fees(fees: Any) -> dict[str, float]:
    """Return {venue: basis points} if a request can carry it; nothing for None."""
    if fees is None:
        return {}
    if not isinstance(fees, Mapping) or not all(isinstance(venue, str) for venue in fees):
        raise SettingError(
            f"fees {_shown(fees)}: give {{venue: basis points}}, for example {{'binance': 10}}"
        )
    return {venue: _double(f"the fee of {venue}", fee) for venue, fee in fees.items()}


def _double(setting: str, value: Any) -> float:
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise SettingError(f"{setting} {_shown(value)}: give a number")
    return float(value)


def check_whole(setting: str, value: Any, *, at_least: int, otherwise: str = "") -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not at_least <= value <= UINT32_MAX:
        raise SettingError(
            f"{setting} {_shown(value)}: give a whole number, {at_least} or more{otherwise}"
        )


def check_seconds(setting: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        raise SettingError(f"{setting} {_shown(value)}: give seconds, 0 or more")


def check_tls(tls: Any) -> None:
    if tls is not None and not isinstance(tls, Tls):
        raise SettingError(
            f"tls {_shown(tls)}: give Tls(), which trusts what this machine trusts, Tls(ca_file=…),"
            " or None for no encryption"
        )


def check_token(token: Any) -> None:
    """Refuse what gRPC would refuse, whose sentence holds the token."""
    if token is not None and not (isinstance(token, str) and _TOKEN.fullmatch(token)):
        raise SettingError("the token is not one line of printable ASCII without blanks")


def _shown(value: object) -> str:
    return repr(value)[:80]
