"""`dragonfly`, with limits of time that no busy machine meets.

What is silent or late for less than a second is taken for dead, rightly, and replicas take over. A
test of something else that runs beside a load of 20 sees nothing of that.
"""

from __future__ import annotations

from dragonfly_common import cli, replicas, runtime
from dragonfly_common.bus import subscriber
from feed_listener.connection import liveness, session

LONG_S = 3600.0

for module, name in (
    (subscriber, "SILENCE_LIMIT_S"),
    (subscriber, "LATE_FOR_S"),
    (replicas, "SILENCE_LIMIT_S"),
    (replicas, "LEAVE_LIMIT_S"),
    (runtime, "END_LIMIT_S"),
    (runtime, "WATCHDOG_LIMIT_S"),
    (liveness, "FROZEN_S"),
    (session, "LATE_FOR_S"),
):
    assert hasattr(module, name), f"{module.__name__} has no {name}"
    setattr(module, name, LONG_S)

if __name__ == "__main__":
    cli.main()
