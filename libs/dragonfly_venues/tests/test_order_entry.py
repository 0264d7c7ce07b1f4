"""What accounts at all venues share: keys, the venue's time, where orders may be sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dragonfly_common.clock import ManualClock
from dragonfly_common.errors import ConfigError
from dragonfly_venues.order_entry.keys import AccountKeys, read_account_keys
from dragonfly_venues.order_entry.venue_time import VenueTime
from dragonfly_venues.orders import EntrySettings, OrderEntry
from dragonfly_venues.registry import find_order_entry, order_venue_names
from dragonfly_venues.transport import UnresponsiveError

GOOD = 'key = "MYKEY"\nsecret = "MYSECRET"\n'


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_keys_are_read_and_never_shown(tmp_path: Path) -> None:
    keys = read_account_keys(written(tmp_path, GOOD), "binance")
    assert (keys.key, keys.secret) == ("MYKEY", "MYSECRET")
    assert repr(keys) == "AccountKeys()"


def test_an_ed25519_key_signs(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    text = f"key = \"MYKEY\"\nprivate_key = '''\n{pem}'''\n"
    keys = read_account_keys(written(tmp_path, text), "binance")
    assert isinstance(keys, AccountKeys)
    assert keys.ed25519 is not None
    key.public_key().verify(keys.ed25519(b"text"), b"text")


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (GOOD, 0o644, "may be read by all: chmod 600"),
        (GOOD, 0o640, "may be read by its group: chmod 600"),
        ("MYSECRET", 0o600, "holds no keys of binance: write key ="),
        ('key = "MYSECRET"', 0o600, "holds no keys of binance"),
        (GOOD + "more = 1", 0o600, "holds no keys of binance"),
        ('key = "K"\nprivate_key = "MYSECRET"', 0o600, "is no Ed25519 key in PEM"),
    ],
)
def test_keys_that_cannot_be_used(tmp_path: Path, text: str, mode: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        read_account_keys(written(tmp_path, text, mode), "binance")
    assert "MYSECRET" not in str(refused.value)


def test_keys_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: no such file"):
        read_account_keys(tmp_path / "none", "binance")
    with pytest.raises(ConfigError, match="give --key-file binance=FILE"):
        read_account_keys(None, "binance")


@pytest.mark.parametrize("venue", order_venue_names())
def test_signed_requests_go_nowhere_in_the_clear(tmp_path: Path, venue: str) -> None:
    for changes in ({"ws_url": "ws://example.com"}, {"rest_url": "http://example.com"}):
        settings: Any = {"key_file": written(tmp_path, GOOD), **changes}
        with pytest.raises(ConfigError, match="would show orders to whoever is on the way"):
            find_order_entry(venue)(EntrySettings(**settings), ManualClock(), lambda _: None)


@pytest.mark.parametrize("venue", order_venue_names())
def test_paper_goes_nowhere_where_it_would_be_real(tmp_path: Path, venue: str) -> None:
    real = find_order_entry(venue)
    keys = written(tmp_path, GOOD.replace("MYSECRET", "c2VjcmV0"))
    here = {"ws_url": "ws://127.0.0.1:1", "rest_url": "http://127.0.0.1:1"}
    for name in here:
        for url in (None, getattr(real, name)):
            settings: Any = {**here, name: url, "key_file": keys, "paper": True}
            with pytest.raises(ConfigError, match="these are to be on paper"):
                real(EntrySettings(**settings), ManualClock(), lambda _: None)
    settings = {**here, "key_file": keys, "paper": True}
    assert real(EntrySettings(**settings), ManualClock(), lambda _: None).venue == venue


def test_an_account_may_have_a_tier(tmp_path: Path) -> None:
    text = GOOD.replace("MYSECRET", "c2VjcmV0")

    def entry(venue: str, tier: str) -> OrderEntry:
        keys = written(tmp_path, f'{text}tier = "{tier}"\n')
        settings = EntrySettings(key_file=keys)
        return find_order_entry(venue)(settings, ManualClock(), lambda _: None)

    assert entry("kraken", "").places_per_second == 1.0
    assert entry("kraken", "pro").places_per_second == 3.75
    with pytest.raises(ConfigError, match="kraken has starter, intermediate, pro"):
        entry("kraken", "gold")
    with pytest.raises(ConfigError, match="binance has none: leave it out"):
        entry("binance", "pro")


@pytest.mark.parametrize("venue", ["binance", "bitstamp", "kraken"])
def test_the_time_of_a_venue_that_was_not_asked_is_not_known(venue: str, tmp_path: Path) -> None:
    keys = written(tmp_path, 'key = "k"\nsecret = "YWJj"\n')
    entry = find_order_entry(venue)(EntrySettings(key_file=keys), ManualClock(), lambda _: None)
    assert entry.time_ns() is None


def test_the_venues_time_goes_on_by_itself() -> None:
    clock = ManualClock()
    venue = VenueTime(clock)
    with pytest.raises(UnresponsiveError, match="is not known"):
        venue.now_ns()
    asked_at = clock.monotonic()
    clock.advance(0.5)
    venue.take(asked_at, clock.now_ns() + 2 * 10**9)
    assert venue.now_ns() == clock.now_ns() + 2_250_000_000
    clock.advance(100)
    assert venue.now_ns() == clock.now_ns() + 2_250_000_000
    clock.advance(81)
    with pytest.raises(UnresponsiveError, match="is not known"):
        venue.now_ns()


@pytest.mark.parametrize(
    ("took_s", "apart_s", "said"),
    [
        (0, 6, r"its clock is 6\.0 s ahead of this machine's"),
        (0, -6, r"its clock is 6\.0 s behind this machine's"),
        (3, 0, r"took 3\.0 s to come"),
    ],
)
def test_a_time_that_is_wrong_or_late_is_refused(took_s: float, apart_s: int, said: str) -> None:
    clock = ManualClock()
    venue, asked_at = VenueTime(clock), clock.monotonic()
    clock.advance(took_s)
    with pytest.raises(UnresponsiveError, match=said):
        venue.take(asked_at, clock.now_ns() + apart_s * 10**9)
