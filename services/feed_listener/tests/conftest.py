"""A venue to listen to, in the test's own loop."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from feed_listener import pulse

# Tests are imported one by one (importlib), so the modules beside them have to be made findable.
sys.path.insert(0, str(Path(__file__).parent))

from fake_venue import FakeServer


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test machine stand still for a while: those who mean it let the clock skip more."""
    monkeypatch.setattr(pulse, "FROZEN_S", 30.0)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as fake:
        yield fake


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, `ca` and `stranger`, and a certificate for 127.0.0.1 signed by `ca`."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def key_and(kind: str, name: str) -> list[str]:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        return [*curve, "-keyout", f"{name}.key", "-out", f"{name}.{kind}", "-subj", f"/CN={name}"]

    for authority in ("ca", "stranger"):
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        openssl("req", "-x509", "-days", "2", *usage, *key_and("pem", authority))
    (folder / "extensions").write_text(
        "subjectAltName=IP:127.0.0.1,DNS:venue.example\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    )
    openssl("req", "-new", *key_and("csr", "venue"))
    signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions"]
    openssl("x509", "-req", "-days", "2", "-in", "venue.csr", "-out", "venue.pem", *signer)
    return folder


@pytest.fixture
async def tls_server(pki: Path) -> AsyncIterator[FakeServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "venue.pem", pki / "venue.key")
    async with FakeServer(context) as fake:
        yield fake
