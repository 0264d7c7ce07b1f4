"""Authorities as companies make them, and what is said of certificates that are refused."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dragonfly_venues.transport import (
    ClientOptions,
    VenueCertificateError,
    build_client,
    fetch,
    trusted,
)
from fake_venue import FakeServer

Key = ec.EllipticCurvePrivateKey
NOW = datetime.now(UTC)


def certificate(
    name: str, key: Key, issuer: str, issuer_key: Key, extension: x509.ExtensionType, days: int
) -> bytes:
    """Return a certificate with no identifier of any key, as `openssl ca` of old made them."""
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=9))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(issuer_key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


class Company:
    """An authority without key identifiers, and certificates that it signed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(
            certificate("Company", self._key, "Company", self._key, constraints, 9)
        )

    def serve_by(self, days: int) -> ssl.SSLContext:
        """Return what a venue serves with, by a certificate that is good for so many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        pem = certificate("venue", key, "Company", self._key, names, days)
        pem += key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file = self._folder / "venue.pem"
        file.write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every Python be as strict as 3.13 is."""
    create = ssl.create_default_context

    def create_strict(*arguments: object, cafile: Path | None = None) -> ssl.SSLContext:
        context = create(cafile=cafile)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", create_strict)


@pytest.fixture
async def server(company: Company) -> AsyncIterator[FakeServer]:
    async with FakeServer(company.serve_by(days=9)) as fake:
        yield fake


async def connect_both_ways(server: FakeServer, ca_file: Path | None) -> None:
    options = ClientOptions(trusted(ca_file), 2**16, compression=False)
    connection = await build_client(server.ws_url, options).connect(server.ws_url)
    await connection.close()
    assert await fetch(f"{server.rest_url}/list", trusted(ca_file), 1000)


async def refused_both_ways(server: FakeServer, ca_file: Path | None) -> list[str]:
    options = ClientOptions(trusted(ca_file), 2**16, compression=False)
    with pytest.raises(VenueCertificateError) as by_websocket:
        await build_client(server.ws_url, options).connect(server.ws_url)
    with pytest.raises(VenueCertificateError) as by_http:
        await fetch(f"{server.rest_url}/list", trusted(ca_file), 1000)
    return [str(by_websocket.value), str(by_http.value)]


async def test_an_authority_that_is_named_need_not_be_to_the_letter(
    server: FakeServer, company: Company
) -> None:
    await connect_both_ways(server, company.ca_file)


async def test_among_the_machines_it_is_refused_and_may_be_named(
    server: FakeServer, company: Company, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(company.ca_file))
    for said in await refused_both_ways(server, None):
        assert "by the machine's authorities (Missing " in said
        assert said.endswith("name that with --ca-file")
    for said in await refused_both_ways(server, pki / "stranger.pem"):
        assert "stranger.pem (unable to get local issuer certificate), nor by the mach" in said
        assert "machine's (Missing " in said


async def test_the_machines_authorities_count_beside_one_that_is_named(
    tls_server: FakeServer, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pki / "ca.pem"))
    await connect_both_ways(tls_server, pki / "stranger.pem")


async def test_what_is_wrong_with_a_named_authoritys_certificate_is_said(company: Company) -> None:
    async with FakeServer(company.serve_by(days=-1)) as server:
        for said in await refused_both_ways(server, company.ca_file):
            assert "not to be trusted by the authority of --ca-file" in said
            assert "ca.pem (certificate has expired), nor by the machine's (" in said
            assert not said.endswith("name that with --ca-file")
