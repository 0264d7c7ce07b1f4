"""What gateways and bots of the tests show each other: certificates, and a tokens file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import grpc
import trustme
from dragonfly_views.tls_files import TlsFiles
from view_world import replace_file

__all__ = ["TOKEN", "Authority"]

TOKEN: Final = "a-token-that-nobody-may-ever-read-in-a-log"


class Authority:
    """Signs certificates, and writes them where a gateway looks for them."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def write(self, folder: Path, *, clients: Authority | None = None) -> TlsFiles:
        """Write a gateway's certificate and key, and the authority of its bots."""
        issued = self._ca.issue_cert("127.0.0.1")
        files = TlsFiles(
            folder / "gateway.pem",
            folder / "gateway.key",
            None if clients is None else folder / "clients.pem",
        )
        replace_file(files.cert, issued.cert_chain_pems[0].bytes())
        replace_file(files.key, issued.private_key_pem.bytes())
        if clients and files.client_ca:
            replace_file(files.client_ca, clients.pem)
        return files

    @property
    def pem(self) -> bytes:
        return self._ca.cert_pem.bytes()

    def credentials(
        self, *, name: str | None = None, signer: Authority | None = None, expired: bool = False
    ) -> grpc.ChannelCredentials:
        """Return those of a bot that trusts this authority, with a certificate if it has a name."""
        if name is None:
            return grpc.ssl_channel_credentials(self.pem)
        ends = datetime.now(UTC) + timedelta(days=-1 if expired else 1)
        issued = (signer or self)._ca.issue_cert(
            "bot.example",
            common_name=name or None,
            not_before=ends - timedelta(days=7),
            not_after=ends,
        )
        return grpc.ssl_channel_credentials(
            self.pem, issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()
        )
