"""Whom we trust: the machine's authorities, and one more where the user names it."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from dragonfly_common.authorities import named_authority

from dragonfly_venues.transport.errors import VenueCertificateError

__all__ = ["Trust", "trusted"]

T = TypeVar("T")


class Trust:
    """The authorities that certificates are verified by, always, and host names with them.

    One that is named has a context of its own, which is milder (see `named_authority`): the
    machine's authorities are never judged by that.
    """

    def __init__(self, ca_file: Path | None) -> None:
        machine = ssl.create_default_context()
        self._contexts = {"the machine's authorities": machine}
        self.proxies = machine
        """For proxies that are spoken with over TLS."""
        if ca_file is not None:
            self._contexts = {f"the authority of --ca-file {ca_file}": named_authority(ca_file)}
            self._contexts["the machine's"] = machine
            self.proxies = ssl.create_default_context()
            self.proxies.load_verify_locations(ca_file)

    async def verify(self, url: str, connect: Callable[[ssl.SSLContext], Awaitable[T]]) -> T:
        """Return what `connect` does with the first context by which the certificate is good.

        Raises:
            VenueCertificateError: it is good by none.
        """
        refusals: list[str] = []
        for whose, context in self._contexts.items():
            try:
                return await connect(context)
            except ssl.SSLCertVerificationError as error:
                refusals.append(f"by {whose} ({error.verify_message})")
        remedy = "; where a private one signed it, name that with --ca-file"
        raise VenueCertificateError(
            f"the certificate of {url} is not to be trusted {', nor '.join(refusals)}"
            f"{remedy if len(refusals) == 1 else ''}"
        )


def trusted(ca_file: Path | None) -> Trust:
    """Return whom we trust: the machine's authorities, and that of `ca_file`.

    Raises:
        ConfigError: `ca_file` cannot be read or holds no certificate.
    """
    return Trust(ca_file)
