"""Which aggregators are asked for which views. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dragonfly_common.errors import ConfigError
from dragonfly_common.topics import ViewKind

from fix_gateway.market_data import KINDS

__all__ = ["upstreams_by_kind"]


def upstreams_by_kind(given: Iterable[str]) -> dict[ViewKind, tuple[str, ...]]:
    """Return the addresses for each kind of view, of `ADDRESS` for all and `KIND=ADDRESS`.

    A kind that has addresses of its own is asked for there alone.

    Raises:
        ConfigError: no kind is called so.
    """
    kinds = {kind.value: kind for kind in KINDS}
    own: dict[ViewKind, list[str]] = {}
    rest: list[str] = []
    for one in given:
        name, equals, address = one.partition("=")
        if not equals or "://" in name:
            rest.append(one)
        elif name in kinds:
            own.setdefault(kinds[name], []).append(address)
        else:
            raise ConfigError(
                f"--upstream {one[:80]!r}: {name!r} is no kind of view, there are"
                f" {', '.join(sorted(kinds))}; write ADDRESS or KIND=ADDRESS"
            )
    found = {kind: tuple(own.get(kind, rest)) for kind in KINDS}
    return {kind: addresses for kind, addresses in found.items() if addresses}
