"""A gateway's certificate and the authority of its bots, as PEM files."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import warn_if_exposed

from dragonfly_views.watched_files import WatchedFiles, read_file

__all__ = ["TlsFiles", "server_context", "tls_files", "watched"]

T = TypeVar("T")


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: the gateway's certificates and key, and whose certificates bots must show."""

    cert: Path
    key: Path
    client_ca: Path | None = None


def tls_files(cert: Path | None, key: Path | None, client_ca: Path | None) -> TlsFiles | None:
    """Return the files of `--tls-cert`, `--tls-key` and `--tls-client-ca`, None without any.

    Raises:
        ConfigError: what belongs together is not given together.
    """
    if cert is not None and key is not None:
        return TlsFiles(cert, key, client_ca)
    if cert is not None or key is not None:
        raise ConfigError("--tls-cert and --tls-key belong together: give both or neither")
    if client_ca is not None:
        raise ConfigError("--tls-client-ca needs TLS: give --tls-cert and --tls-key too")
    return None


def watched(files: TlsFiles, read: Callable[[TlsFiles], T]) -> WatchedFiles[T]:
    """Return the files in the form that `read` makes of them, read anew when they change.

    Raises:
        ConfigError: one cannot be read, or they do not belong together.
    """
    paths = [path for path in (files.cert, files.key, files.client_ca) if path is not None]
    found = WatchedFiles("certificates", paths, lambda: read(files))
    warn_if_exposed(files.key)
    return found


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return what a server of TLS 1.2 or later needs of the files.

    Raises:
        ConfigError: one cannot be read, or they do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Read first: an unreadable file is said by its own name.
    for path in filter(None, (files.key, files.cert, files.client_ca)):
        read_file(path)
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
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or "not PEM"
    return str(reason).lower().replace("_", " ")
