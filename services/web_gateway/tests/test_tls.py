"""TLS on both sides: towards browsers, and towards a gateway that has another name."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc
import trustme
from dragonfly_client.tls import Tls
from dragonfly_views.tls_files import TlsFiles
from patience import eventually
from stub_gateway import StubGateway, make_book, make_venues
from web_world import running


async def test_both_sides_encrypt_and_are_verified(tmp_path: Path) -> None:
    authority = trustme.CA()
    gateway, web_certificate = (
        authority.issue_cert(name) for name in ("gateway.example", "127.0.0.1")
    )
    cert, key, ca = (tmp_path / name for name in ("cert.pem", "key.pem", "ca.pem"))
    cert.write_bytes(web_certificate.cert_chain_pems[0].bytes())
    key.write_bytes(web_certificate.private_key_pem.bytes())
    key.chmod(0o600)
    ca.write_bytes(authority.cert_pem.bytes())
    credentials = grpc.ssl_server_credentials(
        [(gateway.private_key_pem.bytes(), gateway.cert_chain_pems[0].bytes())]
    )
    trust = ssl.create_default_context(cafile=ca)
    async with StubGateway(token="ours", credentials=credentials) as stub:
        stub.venues = make_venues()
        stub.publish(make_book())
        async with running(
            stub.address,
            trust=trust,
            tls=TlsFiles(cert, key, None),
            gateway_tls=Tls(ca_file=ca, server_name="gateway.example"),
            gateway_token="ours",
        ) as web:
            assert web.url.startswith("https://")

            async def live() -> bool:
                return (await web.get("/v1/health"))[0] == 200

            await eventually(live, "the venues are live")
            async with web.tab() as tab:
                assert (await tab.subscribe("book", instrument="ETH-BTC"))["success"]
                assert (await tab.state())["live"]
