"""Files that hold a secret, or say whom to trust: who else may read or write them.

What anybody may write is refused: whoever has a foot on the machine would be trusted. What others
may read is only said, since containers mount secrets so (Docker's are 0444 unless told otherwise).
A secret that its group may read is as it should be where the file is another's, as Kubernetes
mounts it for `fsGroup`: the process reads it by that right.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import structlog

from dragonfly_common.errors import ConfigError

__all__ = ["check_not_for_all", "create_secret", "exposed_to", "file_stamp", "warn_if_exposed"]

logger = structlog.get_logger()


def check_not_for_all(path: Path) -> None:
    """Refuse a file that anybody may write.

    Raises:
        ConfigError: anybody may.
        OSError: it is not there.
    """
    found = path.stat()
    if stat.S_ISREG(found.st_mode) and found.st_mode & stat.S_IWOTH:
        raise ConfigError(f"{path} may be written by anybody on this machine: chmod o-w {path}")


def exposed_to(path: Path | int) -> str | None:
    """Return who else may read a secret's file (or descriptor): `all`, `its group`, or None."""
    found = os.stat(path)  # noqa: PTH116 - of a descriptor too
    if not stat.S_ISREG(found.st_mode):
        return None
    if found.st_mode & stat.S_IRWXO:
        return "all"
    if found.st_mode & stat.S_IRWXG and found.st_uid == os.geteuid():
        return "its group"
    return None


def warn_if_exposed(path: Path) -> None:
    """Say it where others may read a secret's file."""
    if others := exposed_to(path):
        logger.warning(f"key file open to {others}", file=str(path), remedy="chmod 400")


def file_stamp(path: Path) -> tuple[int, ...]:
    """Return what changes whenever another file, or another content, is at `path`."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode


def create_secret(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a new file that its owner alone may read; never over another.

    Raises:
        OSError: it exists, or cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
