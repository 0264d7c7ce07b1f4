"""The checksum that OKX and Bitget shared, by the vectors of their documents."""

from __future__ import annotations

from typing import Any

import pytest
from venue_simulator.checksums import interleaved_crc32


@pytest.mark.parametrize(
    ("bids", "asks", "checksum"),
    [
        ("3366.1:7", "3366.8:9 3368:8 3372:8", 831078360),
        ("3366.1:7 3366:6", "3366.8:9 3368:8", -1881014294),
    ],
)
def test_the_documented_vectors(bids: str, asks: str, checksum: int) -> None:
    sides: Any = (tuple(tuple(at.split(":")) for at in side.split()) for side in (bids, asks))
    assert interleaved_crc32(*sides) == checksum
