"""The gateway's certificate and the authority of its bots, replaced while it serves."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import warn_if_exposed
from dragonfly_views.watched_files import WatchedFiles, read_file

__all__ = ["Certificates", "TlsFiles"]


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: the gateway's certificates and key, and whose certificates bots must show."""

    cert: Path
    key: Path
    client_ca: Path | None = None


class Certificates:
    """Hands gRPC the newest certificates at each handshake; open connections keep theirs."""

    def __init__(self, files: TlsFiles, on_handshake: Callable[[], None]) -> None:
        """Read the files. `on_handshake` is called, in gRPC's threads, as each handshake begins.

        Raises:
            ConfigError: one cannot be read, or they do not belong together.
        """
        paths = [path for path in (files.cert, files.key, files.client_ca) if path is not None]
        self._on_handshake = on_handshake
        self._required = files.client_ca is not None
        self._files = WatchedFiles("certificates", paths, lambda: _read(files))
        self._given: object = self._files.value
        warn_if_exposed(files.key)

    def credentials(self) -> grpc.ServerCredentials:
        """Return what one port is bound with."""
        return grpc.dynamic_ssl_server_credentials(
            self._files.value, self._newest, require_client_authentication=self._required
        )

    def refresh(self, now: float) -> None:
        """Read the files again if they changed."""
        self._files.refresh(now)

    def _newest(self) -> object | None:
        """Return certificates that gRPC does not have yet. Called by its threads, per handshake."""
        self._on_handshake()
        newest = self._files.value
        if newest is self._given:
            return None
        self._given = newest
        return newest


def _read(files: TlsFiles) -> object:
    """Return gRPC's form of the files, which it takes without a look and without a word."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Read first: an unreadable file is said by its own name.
    pair = (read_file(files.key), read_file(files.cert))
    authority = None if files.client_ca is None else read_file(files.client_ca)
    try:
        # A password would otherwise be asked for on the terminal.
        context.load_cert_chain(files.cert, files.key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"{files.cert} and {files.key} are no certificate and its key ({_why(error)}):"
            " give both as PEM, the key without a password"
        ) from None
    if files.client_ca is not None:
        try:
            context.load_verify_locations(files.client_ca)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(
                f"{files.client_ca} holds no authority's certificate ({_why(error)}):"
                " give it as PEM"
            ) from None
    return grpc.ssl_server_certificate_configuration([pair], authority)


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or "not PEM"
    return str(reason).lower().replace("_", " ")
