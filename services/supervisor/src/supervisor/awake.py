"""Cores that do not sleep.

Where updates are rare a core sleeps between them, deeper the longer it had nothing to do, and a
quote waits at every step until one has woken up. Linux lets who may write to a device say how long
that may take at most, for as long as the device is held open (Documentation/power/pm_qos_interface
of the kernel's sources). It holds for the whole machine, and ends with the process that asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from dragonfly_common.errors import ConfigError

__all__ = ["DEVICE", "awake"]

DEVICE: Final = "/dev/cpu_dma_latency"
LONGEST_US: Final = 0


@contextmanager
def awake(device: str = DEVICE) -> Iterator[None]:
    """Let no core of this machine sleep within the block.

    Raises:
        ConfigError: this user may not ask for that, or this machine cannot do it.
    """
    with ExitStack() as held:
        try:
            asked = os.open(device, os.O_WRONLY)
            held.callback(os.close, asked)
            os.write(asked, LONGEST_US.to_bytes(4, "little"))
        except OSError as error:
            raise ConfigError(
                f"--keep-awake cannot write {device}: {error.strerror}; "
                "leave it out, or run on Linux as a user who may write there"
            ) from None
        yield
