"""Every target by its name."""

from __future__ import annotations

from typing import Final

import target_bus
import target_fix
import target_gateway
import target_options
import target_venues
from fuzzing import Target

__all__ = ["TARGETS"]

TARGETS: Final[dict[str, type[Target]]] = {
    target.name: target
    for module in (target_venues, target_bus, target_fix, target_gateway, target_options)
    for target in module.TARGETS
}
