from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import grpc
import pytest
from dragonfly_client import DragonflyClient, UnavailableError
from stub_gateway import StubGateway, make_book

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, `ca` and `stranger`, and what `ca` signed: a gateway and a bot."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def key_and(kind: str, name: str, subject: str) -> list[str]:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        return [*curve, "-keyout", f"{name}.key", "-out", f"{name}.{kind}", "-subj", subject]

    for authority in ("ca", "stranger"):
        openssl("req", "-x509", "-days", "2", *key_and("pem", authority, f"/CN={authority}"))
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("gateway", "bot"):
        openssl("req", "-new", *key_and("csr", name, f"/CN={name}"))
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
        openssl("x509", "-req", "-days", "2", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    return folder


def server_credentials(pki: Path, *, ask_for_certificate: bool) -> grpc.ServerCredentials:
    pair = ((pki / "gateway.key").read_bytes(), (pki / "gateway.pem").read_bytes())
    authority = (pki / "ca.pem").read_bytes() if ask_for_certificate else None
    return grpc.ssl_server_credentials([pair], authority, ask_for_certificate)


async def test_a_private_authority_is_trusted_when_named(pki: Path) -> None:
    credentials = server_credentials(pki, ask_for_certificate=False)
    async with StubGateway(credentials=credentials) as gateway:
        gateway.publish(make_book())
        async with DragonflyClient(gateway.address, ca_file=pki / "ca.pem") as client:
            assert (await anext(client.book("ETH-BTC"))).seq == 1


@pytest.mark.parametrize("trusted", ["stranger.pem", None])
async def test_nobody_else_is_trusted(pki: Path, trusted: str | None) -> None:
    credentials = server_credentials(pki, ask_for_certificate=False)
    async with StubGateway(credentials=credentials) as gateway:
        client = DragonflyClient(
            gateway.address,
            tls=True,
            ca_file=pki / trusted if trusted else None,
            connect_timeout_s=0.1,
        )
        async with client:
            with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
                await anext(client.book("ETH-BTC"))


async def test_the_bots_certificate_is_presented(pki: Path) -> None:
    credentials = server_credentials(pki, ask_for_certificate=True)
    async with StubGateway(credentials=credentials) as gateway:
        gateway.publish(make_book())
        known = DragonflyClient(
            gateway.address,
            ca_file=pki / "ca.pem",
            cert_file=pki / "bot.pem",
            key_file=pki / "bot.key",
        )
        async with known:
            assert (await anext(known.book("ETH-BTC"))).seq == 1
        unknown = DragonflyClient(gateway.address, ca_file=pki / "ca.pem", connect_timeout_s=0.1)
        async with unknown:
            with pytest.raises(UnavailableError):
                await anext(unknown.book("ETH-BTC"))
