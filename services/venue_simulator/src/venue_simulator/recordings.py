"""All that was recorded, rebuilt into the states that the books went through."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import msgspec
from dragonfly_common.errors import ConfigError

from venue_simulator.rebuilding import Recording
from venue_simulator.venues import VENUES

__all__ = ["load_recordings"]


def load_recordings(directory: Path) -> list[Recording]:
    """Rebuild every book recorded under `directory`, a folder per venue.

    Raises:
        ConfigError: nothing is recorded there, or a recording contradicts itself.
    """
    try:
        recordings = list(
            chain.from_iterable(venue.rebuild(directory / name) for name, venue in VENUES.items())
        )
    except (msgspec.MsgspecError, LookupError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the recordings in {str(directory)!r} hold a message of another shape: {error}"
        ) from error
    if not recordings:
        *names, last = (f"{name}/{name.upper()}.*" for name in VENUES)
        raise ConfigError(
            f"no recorded book in {str(directory)!r}: name a folder that holds "
            f"{', '.join(names)} or {last}"
        )
    return recordings
