from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from dragonfly_common.errors import ConfigError
from dragonfly_views.tls_files import TlsFiles
from grpc_gateway.tls import Certificates
from papers import Authority
from structlog.testing import capture_logs


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return Authority().write(tmp_path, clients=Authority())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gateway.pem", None, "cannot read {}: No such file"),
        ("gateway.key", b"", "are no certificate and its key"),
        ("gateway.pem", b"no PEM", "are no certificate and its key"),
        ("clients.pem", b"no PEM", "{} holds no authority's certificate"),
        ("clients.pem", b"", "{} holds no authority's certificate"),
        ("clients.pem", None, "cannot read {}: No such file"),
    ],
)
def test_a_bad_file_is_a_sentence(
    files: TlsFiles, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    bad = tmp_path / name
    bad.unlink()
    if content is not None:
        bad.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        Certificates(files, lambda: None)
    assert words.format(bad) in str(error.value)
    assert "PRIVATE" not in str(error.value)


def test_a_key_of_another_certificate_is_a_sentence(files: TlsFiles, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority().write(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"are no certificate and its key \(key values mismatch"):
        Certificates(replace(files, key=other.key), lambda: None)


@pytest.mark.parametrize("name", ["cert", "key", "client_ca"])
def test_what_anybody_may_write_is_refused(files: TlsFiles, name: str) -> None:
    path: Path = getattr(files, name)
    path.chmod(0o666)
    with pytest.raises(ConfigError, match=f"{path} may be written by anybody"):
        Certificates(files, lambda: None)


def test_a_key_that_all_may_read_is_warned_of(files: TlsFiles) -> None:
    files.key.chmod(0o644)
    with capture_logs() as said:
        Certificates(files, lambda: None)
    assert [line["event"] for line in said] == ["key file open to all"]
