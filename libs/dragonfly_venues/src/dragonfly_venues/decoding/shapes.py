"""The parts that most venues' messages are made of, as decoders ask msgspec for them. Pure."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from msgspec import Meta

__all__ = [
    "MAX_NUMBER",
    "MAX_SEQ",
    "NS_PER_MS",
    "Amount",
    "Changes",
    "Price",
    "Seq",
    "Symbol",
    "TimeMs",
]

MAX_SEQ: Final = 2**63 - 1
"""Largest `venue_seq` that every contract downstream can carry."""
MAX_NUMBER: Final = 1.7976931348623157e308
"""The largest double: what exceeds it is no number."""
NS_PER_MS: Final = 1_000_000

Price: TypeAlias = Annotated[float, Meta(gt=0.0, le=MAX_NUMBER)]
Amount: TypeAlias = Annotated[float, Meta(ge=0.0, le=MAX_NUMBER)]
"""Of a change; 0 removes its price."""
Changes: TypeAlias = tuple[tuple[Price, Amount], ...]
"""Of one side."""
Seq: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
TimeMs: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_SEQ // NS_PER_MS)]
"""Milliseconds since the epoch."""
Symbol: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
