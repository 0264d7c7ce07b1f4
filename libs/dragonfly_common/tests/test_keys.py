"""Key files and the trust file: what they say, and what is refused with one sentence."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from dragonfly_common.bus import Keys, Role
from dragonfly_common.bus.curve import new_pair, parse_trust, short
from dragonfly_common.errors import ConfigError, ExitCode
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

A, B = (new_pair()[0].decode() for _ in range(2))


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    public, secret = (key.decode() for key in new_pair())
    path = tmp_path / "key"
    path.write_text(f"# a comment\npublic {public}\nsecret {secret}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    path = tmp_path / "trust"
    path.write_text(f"listener {A}\n")
    return path


def test_a_trust_file_names_a_key_and_its_role_a_line() -> None:
    text = f"# all of us\n\nlistener {A} host one\n  gateway {B}\n#listener {A}\n"
    assert parse_trust(text) == {A.encode(): Role.LISTENER, B.encode(): Role.GATEWAY}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"listener {A}\nbot {B}", "line 2: 'bot' is not one of listener, aggregator, gateway"),
        (f"listener {A[:-1]}", "line 1: a public key has 40 characters of Z85"),
        (f"listener {A[:-1]}~", "line 1: a public key has 40 characters of Z85"),
        ("listener", "line 1: a public key has 40 characters of Z85"),
        ("listener " + "#" * 40, "line 1: a public key has 40 characters of Z85"),
        (f"listener {A}\ngateway {A}", f"line 2: the key {A[:8]}… is there twice"),
    ],
    ids=[
        "role",
        "short",
        "long",
        "none",
        "no 32 bytes",
        "twice",
    ],  # the keys differ from run to run
)
def test_what_is_no_trust_file_is_refused_by_its_line(
    tmp_path: Path, pair: Path, text: str, says: str
) -> None:
    path = tmp_path / "trust"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Keys(Role.LISTENER, pair, path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.CONFIG


@given(st.text())
def test_any_text_is_a_trust_file_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert set(parse_trust(text).values()) <= set(Role)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: "", "is not a key file"),
        (lambda text: text.replace("secret", "sacred"), "is not a key file"),
        (lambda text: text[:-5], "is not a key file"),
        (lambda text: f"public {A}\nsecret {'#' * 40}", "is not a key file"),
        (lambda text: text.replace("public ", f"public {A}\nformer "), "two keys that are no pair"),
        (lambda text: text + "é", "it is not plain text"),
    ],
)
def test_what_is_no_key_file_is_refused_without_its_secret(
    pair: Path, trust: Path, change: object, says: str
) -> None:
    assert callable(change)
    text = pair.read_text()
    secret = text.split()[-1]
    pair.write_text(change(text))
    with pytest.raises(ConfigError, match=says) as caught:
        Keys(Role.LISTENER, pair, trust)
    assert secret[:-5] not in str(caught.value)
    assert str(pair) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path, pair: Path, trust: Path) -> None:
    missing = tmp_path / "missing"
    for key_file, trust_file in ((missing, trust), (pair, missing), (tmp_path, trust)):
        with pytest.raises(ConfigError, match="cannot read") as caught:
            Keys(Role.LISTENER, key_file, trust_file)
        assert "\n" not in str(caught.value)


def test_a_changed_trust_file_holds_and_a_broken_one_changes_nothing(
    pair: Path, trust: Path
) -> None:
    held = Keys(Role.AGGREGATOR, pair, trust)
    held.refresh(0.0)
    failures = REGISTRY.get_sample_value("dragonfly_trust_failures_total") or 0.0
    assert held.trusted(Role.LISTENER) == (A.encode(),)
    trust.write_text(f"listener {A}\nlistener {B} second\n")
    held.refresh(0.5)
    assert held.trusted(Role.LISTENER) == (A.encode(),)  # not twice within a second
    held.refresh(1.0)
    assert held.trusted(Role.LISTENER) == (A.encode(), B.encode())
    trust.write_text("listener nonsense\n")
    for now in (2.0, 3.0):
        held.refresh(now)
    trust.unlink()
    for now in (4.0, 5.0):
        held.refresh(now)
    assert held.trusted(Role.LISTENER) == (A.encode(), B.encode())
    assert REGISTRY.get_sample_value("dragonfly_trust_failures_total") == failures + 2
    trust.write_text(f"gateway {B}\n")
    held.refresh(6.0)
    assert held.trusted(Role.LISTENER) == ()
    assert held.refusal(B.encode()) is None
    assert held.refusal(A.encode()) == "unknown key"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o400, []),
        (0o600, []),
        (0o440, ["key file open to its group"]),
        (0o444, ["key file open to all"]),
    ],
)
def test_a_key_file_that_others_may_read_is_spoken_of(
    pair: Path, trust: Path, mode: int, expected: list[str]
) -> None:
    pair.chmod(mode)
    with capture_logs() as said:
        Keys(Role.LISTENER, pair, trust).refresh(0.0)
    assert [line["event"] for line in said] == ["own key not trusted", *expected]


def test_a_key_of_anothers_that_is_read_by_the_group_is_as_mounted(
    pair: Path, trust: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Kubernetes does it for `fsGroup`: root's, 0440."""
    pair.chmod(0o440)
    other = pair.stat().st_uid + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with capture_logs() as said:
        Keys(Role.LISTENER, pair, trust).refresh(0.0)
    assert [line["event"] for line in said] == ["own key not trusted"]


@pytest.mark.parametrize("which", ["pair", "trust"])
def test_what_anybody_may_write_is_not_believed(pair: Path, trust: Path, which: str) -> None:
    path = {"pair": pair, "trust": trust}[which]
    path.chmod(0o666)
    with pytest.raises(ConfigError, match=f"{path} may be written by anybody.*chmod o-w"):
        Keys(Role.LISTENER, pair, trust)


def test_a_trust_file_that_anybody_may_write_from_now_on_changes_nothing(
    pair: Path, trust: Path
) -> None:
    held = Keys(Role.LISTENER, pair, trust)
    trust.write_text(f"listener {B}\n")
    trust.chmod(0o666)
    with capture_logs() as said:
        held.refresh(2.0)
    assert held.trusted(Role.LISTENER) == (A.encode(),)
    assert "trust file not read" in [line["event"] for line in said]


def test_the_beginning_of_a_key_finds_it() -> None:
    assert A.startswith(short(A.encode()))
