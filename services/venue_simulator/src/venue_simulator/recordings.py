"""All that was recorded, rebuilt into the states that the books went through."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import msgspec
from dragonfly_common.errors import ConfigError

from venue_simulator.rebuilding import Recording
from venue_simulator.venues import VENUES

__all__ = ["load_recordings"]


def load_recordings(directory: Path, venues: Iterable[str] = VENUES) -> list[Recording]:
    """Rebuild every book of `venues` recorded under `directory`, a folder per venue.

    Raises:
        ConfigError: nothing is recorded there, or a recording contradicts itself.
    """
    try:
        recordings = list(
            chain.from_iterable(VENUES[name].rebuild(directory / name) for name in venues)
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
