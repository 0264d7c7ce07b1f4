"""Files that are read anew when they change: certificates, tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog
from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import check_not_for_all, file_stamp

from dragonfly_views import counters

__all__ = ["WatchedFiles", "read_file"]

CHECK_INTERVAL_S: Final = 0.5
MOST_BYTES: Final = 4 << 20

T = TypeVar("T")

logger = structlog.get_logger()


class WatchedFiles(Generic[T]):
    """Reads files at the start and after each change; a bad new version leaves the old one."""

    def __init__(self, what: str, paths: Sequence[Path], read: Callable[[], T]) -> None:
        """`what` is the files' name in the log; `read` raises ConfigError where they are bad.

        Raises:
            ConfigError: they are bad now.
        """
        self._what = what
        self._paths = paths
        self._read = read
        self._seen = self._taken = self._stamps()
        self._next_check = 0.0
        self.value = read()

    def refresh(self, now: float) -> bool:
        """Look for a change, twice a second at most; return whether there is a new `value`.

        Files are read once they stay the same from one look to the next: they may belong together,
        and be written one after the other.
        """
        if now < self._next_check:
            return False
        self._next_check = now + CHECK_INTERVAL_S
        before, self._seen = self._seen, self._stamps()
        if self._seen != before or self._seen == self._taken:
            return False
        self._taken = self._seen
        try:
            self.value = self._read()
        except ConfigError as error:
            counters.FILE_FAILURES.labels(self._what).inc()
            logger.warning(f"{self._what} not read", reason=str(error), remedy="the old ones hold")
            return False
        logger.info(f"{self._what} read")
        return True

    def _stamps(self) -> list[tuple[int, ...]]:
        return [file_stamp(path) for path in self._paths]


def read_file(path: Path) -> bytes:
    """Return what is in a file, 4 MiB at most.

    Raises:
        ConfigError: it cannot be read, or may be written by anybody.
    """
    try:
        check_not_for_all(path)
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
