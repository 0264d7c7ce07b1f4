"""How a bot and its gateway prove to each other who they are."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from dragonfly_client.errors import SettingError

__all__ = ["Tls", "warn_if_exposed"]

_log: Final = logging.getLogger("dragonfly_client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Encrypt, and verify the gateway; with a certificate of one's own the gateway verifies too.

    The files are PEM, and read anew for each connection: a stream that reconnects presents the
    certificate of that day.
    """

    ca_file: str | Path | None = None
    """The authority that signed the gateway's certificate; by default those of this machine."""
    cert_file: str | Path | None = None
    """The bot's certificate, and those above it up to the authority."""
    key_file: str | Path | None = None
    """The key of that certificate, without a password."""
    server_name: str | None = None
    """The name that the gateway's certificate is for, where the target's host is another."""

    def __post_init__(self) -> None:
        for argument in ("ca_file", "cert_file", "key_file"):
            if not isinstance(path := getattr(self, argument), str | Path | None):
                raise SettingError(f"{argument} {path!r}: give the path of a PEM file")
        if not isinstance(self.server_name, str | None):
            raise SettingError(f"server_name {self.server_name!r}: give a host's name")
        if (self.cert_file is None) != (self.key_file is None):
            raise SettingError("cert_file and key_file belong together: give both or neither")
        if self.key_file is not None:
            warn_if_exposed("key_file", self.key_file)

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises:
            SettingError: one cannot be read.
        """
        return grpc.ssl_channel_credentials(
            root_certificates=_read("ca_file", self.ca_file),
            private_key=_read("key_file", self.key_file),
            certificate_chain=_read("cert_file", self.cert_file),
        )


def warn_if_exposed(argument: str, path: str | Path) -> None:
    """Log that others may read a secret's file: all, or the group of one that is our own."""
    with suppress(OSError):  # which is said when it is read
        found = Path(path).stat()
        others = stat.S_IRWXO | (stat.S_IRWXG if found.st_uid == os.geteuid() else 0)
        if stat.S_ISREG(found.st_mode) and found.st_mode & others:
            _log.warning("%s %s can be read by others: chmod 600 it", argument, path)


def _read(argument: str, path: str | Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        found = Path(path).stat()
        if stat.S_ISREG(found.st_mode) and found.st_mode & stat.S_IWOTH:
            raise SettingError(f"{argument} {str(path)!r} may be written by anybody: chmod o-w it")
        content = Path(path).read_bytes()
    except OSError as error:
        raise SettingError(f"{argument} {str(path)!r} cannot be read: {error.strerror}") from None
    if b"-----BEGIN " not in content:
        raise SettingError(f"{argument} {str(path)!r} is not PEM: convert it")
    return content
