from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import trustme
from dragonfly_client import CertificateError, DragonflyClient, SettingError, Tls, UnavailableError
from dragonfly_client.errors import error_of_status
from stub_gateway import StubGateway, make_book

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


class Papers:
    """Two authorities, `ca` and `stranger`, and what `ca` signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(folder / "ca.pem")
        trustme.CA().cert_pem.write_to_path(folder / "stranger.pem")

    def gateway(
        self, *, ask: bool = False, name: str = "127.0.0.1", ends: datetime | None = None
    ) -> grpc.ServerCredentials:
        """Return what a gateway is served with; with `ask`, bots must show a certificate."""
        issued = self._ca.issue_cert(name, not_after=ends)
        pair = (issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())
        return grpc.ssl_server_credentials([pair], self._ca.cert_pem.bytes() if ask else None, ask)

    def bot(self, *, ends: datetime | None = None) -> Tls:
        """Return what a bot with a certificate presents."""
        issued = self._ca.issue_cert("bot.example", not_after=ends)
        cert_file, key_file = (self.folder / f"bot.{kind}" for kind in ("pem", "key"))
        issued.cert_chain_pems[0].write_to_path(cert_file)
        issued.private_key_pem.write_to_path(key_file)
        return Tls(ca_file=self.folder / "ca.pem", cert_file=cert_file, key_file=key_file)


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path)


async def test_a_private_authority_is_trusted_when_named(papers: Papers) -> None:
    async with StubGateway(credentials=papers.gateway()) as gateway:
        gateway.publish(make_book())
        tls = Tls(ca_file=papers.folder / "ca.pem")
        async with DragonflyClient(gateway.address, tls=tls) as client:
            assert (await anext(client.book("ETH-BTC"))).seq == 1


@pytest.mark.parametrize("trusted", ["stranger.pem", None])
async def test_nobody_else_is_trusted(papers: Papers, trusted: str | None) -> None:
    tls = Tls(ca_file=papers.folder / trusted if trusted else None)
    async with (
        StubGateway(credentials=papers.gateway()) as gateway,
        DragonflyClient(gateway.address, tls=tls) as client,
    ):
        for asking in (anext(client.book("ETH-BTC")), client.get_venues()):
            with pytest.raises(CertificateError, match="not accepted: unable to get local issuer"):
                await asking


async def test_an_expired_gateway_is_not_trusted(papers: Papers) -> None:
    tls = Tls(ca_file=papers.folder / "ca.pem")
    async with (
        StubGateway(credentials=papers.gateway(ends=YESTERDAY)) as gateway,
        DragonflyClient(gateway.address, tls=tls) as client,
    ):
        with pytest.raises(CertificateError, match="not accepted: certificate has expired"):
            await anext(client.book("ETH-BTC"))


async def test_a_gateway_may_go_by_another_name_than_its_address(papers: Papers) -> None:
    async with StubGateway(credentials=papers.gateway(name="gateway.example")) as gateway:
        gateway.publish(make_book())
        ca_file = papers.folder / "ca.pem"
        async with DragonflyClient(gateway.address, tls=Tls(ca_file=ca_file)) as client:
            with pytest.raises(CertificateError, match="Hostname Verification Check failed; give"):
                await anext(client.book("ETH-BTC"))
        named = Tls(ca_file=ca_file, server_name="gateway.example")
        async with DragonflyClient(gateway.address, tls=named) as client:
            assert (await anext(client.book("ETH-BTC"))).seq == 1


async def test_the_bots_certificate_is_presented(papers: Papers) -> None:
    async with StubGateway(credentials=papers.gateway(ask=True)) as gateway:
        gateway.publish(make_book())
        async with DragonflyClient(gateway.address, tls=papers.bot()) as known:
            assert (await anext(known.book("ETH-BTC"))).seq == 1
        for tls in (
            None,
            Tls(ca_file=papers.folder / "ca.pem"),
            papers.bot(ends=YESTERDAY),
        ):
            unknown = DragonflyClient(
                gateway.address, tls=tls, connect_timeout_s=0.1, request_timeout_s=0.2
            )
            async with unknown:
                for asking in (anext(unknown.book("ETH-BTC")), unknown.get_venues()):
                    with pytest.raises(UnavailableError, match="ask for TLS, or for another"):
                        await asking


async def test_each_connection_presents_the_certificate_of_that_day(papers: Papers) -> None:
    async with StubGateway(credentials=papers.gateway(ask=True)) as gateway:
        gateway.publish(make_book())
        async with DragonflyClient(gateway.address, tls=papers.bot(ends=YESTERDAY)) as client:
            asking = asyncio.create_task(client.get_book("ETH-BTC"))
            await asyncio.sleep(0.05)  # it may have been refused by then, or not: all the same
            papers.bot()
            assert (await anext(client.book("ETH-BTC"))).seq == 1
            assert (await asking).seq == 1


async def test_files_that_are_just_being_replaced_leave_the_old_ones(papers: Papers) -> None:
    async with StubGateway(credentials=papers.gateway(ask=True)) as gateway:
        gateway.publish(make_book())
        async with DragonflyClient(gateway.address, tls=papers.bot()) as client:
            (papers.folder / "bot.key").unlink()
            assert (await anext(client.book("ETH-BTC"))).seq == 1


@pytest.mark.parametrize(("mode", "said"), [(0o600, 0), (0o640, 1), (0o644, 1)])
def test_a_key_that_others_may_read_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, said: int
) -> None:
    key = tmp_path / "bot.key"
    key.touch()
    key.chmod(mode)
    Tls(cert_file=tmp_path / "bot.pem", key_file=key)
    assert [f"{key} can be read by others: chmod 600" in text for text in caplog.messages] == (
        [True] * said
    )


def test_an_authority_that_anybody_may_write_is_refused(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----")
    authority.chmod(0o666)
    with pytest.raises(SettingError, match="may be written by anybody: chmod o-w"):
        Tls(ca_file=authority).credentials()


async def test_a_gateway_that_does_not_encrypt_is_told_at_once_and_in_words() -> None:
    async with (
        StubGateway() as gateway,
        DragonflyClient(gateway.address, tls=Tls()) as client,
    ):
        for asking in (anext(client.book("ETH-BTC")), client.get_venues()):
            with pytest.raises(CertificateError, match="does not encrypt: leave TLS") as told:
                await asking
            assert "OPENSSL" not in str(told.value)


def test_a_handshake_that_fails_otherwise_is_told_in_words() -> None:
    details = (
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Tls handshake"
        " failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000042e:SSL routines:"
        "OPENSSL_internal:TLSV1_ALERT_PROTOCOL_VERSION: Invalid certificate verification context"
    )
    error = error_of_status(grpc.StatusCode.UNAVAILABLE, details)
    assert str(error) == "the TLS handshake failed: tlsv1 alert protocol version"
