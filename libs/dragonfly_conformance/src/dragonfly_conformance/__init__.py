"""One suite that every venue passes: a listener and a fake of the venue, over real sockets.

A venue is two entry points of an installed package: `dragonfly.venues`, what a listener needs of
it, and `dragonfly.simulated_venues`, a fake that speaks the same protocol and keeps the truth.
"""

from dragonfly_conformance.cases import CASES, Case
from dragonfly_conformance.rig import Rig, Violation
from dragonfly_conformance.suite import CaseResult, examine

__all__ = ["CASES", "Case", "CaseResult", "Rig", "Violation", "examine"]
