"""Whom we trust: the machine's authorities, and one more where the user names it."""

from __future__ import annotations

import ssl
from pathlib import Path

from dragonfly_common.errors import ConfigError

__all__ = ["certificate_sentence", "trusted"]


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that verifies certificates and host names, always.

    Raises:
        ConfigError: `ca_file` cannot be read or holds no certificate.
    """
    context = ssl.create_default_context()
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError:
        raise ConfigError(
            f"--ca-file {str(ca_file)!r} holds no certificate: give a PEM file that begins with"
            " -----BEGIN CERTIFICATE-----"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"--ca-file {str(ca_file)!r} cannot be read ({error.strerror}): give a PEM file"
        ) from None
    return context


def certificate_sentence(url: str, error: ssl.SSLCertVerificationError) -> str:
    """Say what is wrong with a venue's certificate, and what a person can do about it."""
    return (
        f"the certificate of {url} is not to be trusted ({error.verify_message});"
        " where a private authority signed it, name that with --ca-file"
    )
