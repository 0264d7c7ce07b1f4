"""Every target by its name."""

from __future__ import annotations

from typing import Final

import target_bus
import target_fix
import target_fix_gateway
import target_gateway
import target_options
import target_orders
import target_venues
import target_web
from fuzzing import Target

__all__ = ["TARGETS"]

TARGETS: Final[dict[str, type[Target]]] = {
    target.name: target
    for module in (
        target_venues,
        target_bus,
        target_fix,
        target_fix_gateway,
        target_gateway,
        target_options,
        target_orders,
        target_web,
    )
    for target in module.TARGETS
}
