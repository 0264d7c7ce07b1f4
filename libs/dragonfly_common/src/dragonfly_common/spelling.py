"""Instruments as other systems and older days spell them. Pure.

A suggestion is made only for a person to take: nothing replaces a name by another silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

__all__ = ["did_you_mean", "example_of", "meant"]

LONGEST_NAME: Final = 44
"""Of what is looked at: two assets, a separator, and the letters that some put before them."""

# ISO 4217 has X for what is no country's; Kraken's REST puts an X or Z before old assets.
_OTHER_NAMES: Final = {"XBT": "BTC", "XDG": "DOGE"}
_PREFIXED: Final = {"XXBT": "BTC", "XXDG": "DOGE", "XETH": "ETH", "ZUSD": "USD", "ZEUR": "EUR"}
# Where a name without a separator is split for an example; what is listed decides elsewhere.
_USUAL_QUOTES: Final = (*_PREFIXED, "USDT", "USDC", "USD", "EUR", "GBP", "BTC", "XBT", "ETH")

_NO_ASSET: Final = re.compile(r"[^\w.]|_")


def meant(text: str, lists: Callable[[str], bool]) -> str | None:
    """Return the one instrument of those that `lists` knows which `text` may be a spelling of.

    Lower case, any separator or none, XBT and XDG, and Kraken's XXBTZUSD are understood. None where
    there is none, or more than one.
    """
    found = {
        f"{base}-{quote}"
        for left, right in _splits(_assets(text))
        for base in _names(left)
        for quote in _names(right)
    }
    listed = {name for name in found if name != text and lists(name)}
    return listed.pop() if len(listed) == 1 else None


def did_you_mean(text: str, lists: Callable[[str], bool], otherwise: str = "") -> str:
    """Return what follows the sentence that refuses `text`: a suggestion, or `otherwise`."""
    name = meant(text, lists)
    if name is not None:
        return f": did you mean {name}?"
    return f": {otherwise}" if otherwise else ""


def example_of(text: str) -> str:
    """Return how `text` may have been meant, as BASE-QUOTE; ETH-BTC where that cannot be seen."""
    assets = _assets(text)
    if len(assets) == 1:
        quotes = (quote for quote in _USUAL_QUOTES if assets[0].endswith(quote))
        quote = next(quotes, "")
        assets = [assets[0].removesuffix(quote), quote]
    if len(assets) != 2 or not all(asset.isalnum() for asset in assets):
        return "ETH-BTC"
    return "-".join((_OTHER_NAMES | _PREFIXED).get(asset, asset) for asset in assets)


def _assets(text: str) -> list[str]:
    return [part for part in _NO_ASSET.split(text[:LONGEST_NAME].upper()) if part]


def _splits(assets: list[str]) -> Iterator[tuple[str, str]]:
    if len(assets) == 2:
        yield assets[0], assets[1]
    elif len(assets) == 1:
        (name,) = assets
        yield from ((name[:at], name[at:]) for at in range(1, len(name)))


def _names(asset: str) -> Iterable[str]:
    bare = {asset}
    if len(asset) == 4 and asset[0] in "XZ":
        bare.add(asset[1:])
    return bare | {_OTHER_NAMES[name] for name in bare if name in _OTHER_NAMES}
