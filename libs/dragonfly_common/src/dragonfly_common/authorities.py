"""Certificate authorities: one that a person names, which is trusted for what it is."""

from __future__ import annotations

import ssl
from pathlib import Path

from dragonfly_common.errors import ConfigError
from dragonfly_common.secret_files import check_not_for_all

__all__ = ["named_authority"]


def named_authority(ca_file: Path) -> ssl.SSLContext:
    """Return a context that verifies host names, and certificates by the authority of a PEM file.

    From Python 3.13 on, RFC 5280 is held against every certificate to the letter, and authorities
    that companies have made themselves seldom know it all: most often the Authority Key Identifier
    is missing. Whom a person names is taken as earlier versions and curl take it; an intermediate
    authority may be named as well.

    Raises:
        ConfigError: `ca_file` cannot be read, holds no certificate, or may be written by anybody.
    """
    try:
        check_not_for_all(ca_file)
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise ConfigError(
            f"--ca-file {str(ca_file)!r} holds no certificate: give a PEM file that begins with"
            " -----BEGIN CERTIFICATE-----"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"--ca-file {str(ca_file)!r} cannot be read ({error.strerror}): give a PEM file"
        ) from None
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
