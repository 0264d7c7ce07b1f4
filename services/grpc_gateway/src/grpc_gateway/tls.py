"""The gateway's certificate and the authority of its bots, replaced while it serves."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from dragonfly_views.tls_files import TlsFiles, server_context, watched
from dragonfly_views.watched_files import read_file

__all__ = ["Certificates"]


class Certificates:
    """Hands gRPC the newest certificates at each handshake; open connections keep theirs."""

    def __init__(self, files: TlsFiles, on_handshake: Callable[[], None]) -> None:
        """Read the files. `on_handshake` is called, in gRPC's threads, as each handshake begins.

        Raises:
            ConfigError: one cannot be read, or they do not belong together.
        """
        self._on_handshake = on_handshake
        self._required = files.client_ca is not None
        self._files = watched(files, _read)
        self._given: object = self._files.value

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
    server_context(files)
    pair = (read_file(files.key), read_file(files.cert))
    authority = None if files.client_ca is None else read_file(files.client_ca)
    return grpc.ssl_server_certificate_configuration([pair], authority)
