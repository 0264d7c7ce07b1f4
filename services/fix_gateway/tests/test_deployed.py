"""What the compose files say of the FIX gateway is what it and the bus understand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dragonfly_common.errors import ConfigError
from dragonfly_common.topics import ViewKind
from fix_gateway.upstreams import upstreams_by_kind

ROOT = Path(__file__).parents[3]
MAIN = "compose.yaml"
APART = "deploy/compose/fix-apart.yaml"


def services(file: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / file).read_text())["services"]
    return found


def test_two_aggregators_are_each_asked_for_one_kind_of_view() -> None:
    here, apart = services(MAIN), services(APART)
    environment = apart["fix-gateway"]["environment"]
    found = upstreams_by_kind(environment["DRAGONFLY_FIX_GATEWAY_UPSTREAM"].split())
    binds = [
        one["environment"]["DRAGONFLY_AGGREGATOR_BIND"]
        for one in (here["aggregator"], apart["aggregator-liquidity"])
    ]
    assert found == {ViewKind.BBO: (binds[0],), ViewKind.LIQUIDITY: (binds[1],)}
    upstream = "DRAGONFLY_AGGREGATOR_UPSTREAM"
    assert (
        apart["aggregator-liquidity"]["environment"][upstream]
        == here["aggregator"]["environment"][upstream]
    )


def test_addresses_without_a_kind_serve_what_has_none_of_its_own() -> None:
    assert upstreams_by_kind(["a", "bbo=b", "c"]) == {
        ViewKind.BOOK: ("a", "c"),
        ViewKind.BBO: ("b",),
        ViewKind.LIQUIDITY: ("a", "c"),
    }
    with pytest.raises(ConfigError, match="'levels' is no kind of view, there are bbo, book, liq"):
        upstreams_by_kind(["levels=a"])
