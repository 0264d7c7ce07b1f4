"""The file of accounts: what it says, how a mistake is told, and that no secret gets out."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from dragonfly_common.errors import ConfigError
from venue_simulator.trading.accounts import AccountPlan
from venue_simulator.trading.accounts_file import load_accounts
from venue_simulator.trading.delays import LegDelays, LegDraws, parse_delays

GOOD = """
[[account]]
venue = "kraken"
key = "K"
secret = "c2VjcmV0"
taker = "0.002"
[account.balances]
BTC = "1.5"

[[account]]
venue = "binance"
key = "B"
public_key = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "accounts.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_accounts_are_read(tmp_path: Path) -> None:
    kraken, binance = load_accounts(write(tmp_path, GOOD), ["kraken", "binance"])
    assert kraken == AccountPlan(
        "kraken", "K", "c2VjcmV0", balances=(("BTC", Decimal("1.5")),), taker=Decimal("0.002")
    )
    assert (binance.key, binance.secret, binance.balances) == ("B", "", ())


def test_no_text_of_an_account_shows_its_secret() -> None:
    plan = AccountPlan("kraken", "K", "hidden-secret", "hidden-key")
    assert "hidden" not in repr(plan)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[", "no TOML"),
        ("x = 1", "x"),
        (GOOD.replace('"1.5"', "1.5"), "balances"),
        (GOOD.replace('"1.5"', '"-1"'), "balances"),
        (GOOD.replace('"1.5"', '"999999999999"'), "give less"),
        (GOOD.replace('"0.002"', '"2"'), "0.001 for 0.1 %"),
        (GOOD.replace('"kraken"', '"okx"'), "takes no orders here"),
        (GOOD.replace('secret = "c2VjcmV0"', ""), "either secret or public_key"),
        (GOOD.replace('secret = "c2VjcmV0"', 'secret = "no base64"'), "base64"),
        (GOOD.replace("A6EHv/", ""), "public_key"),
        (GOOD + GOOD, "twice"),
    ],
)
def test_a_mistake_is_one_sentence_without_the_secret(
    tmp_path: Path, text: str, named: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load_accounts(write(tmp_path, text), ["kraken", "binance"])
    said = str(raised.value)
    assert named in said
    assert "accounts.toml" in said
    assert "\n" not in said
    assert "c2VjcmV0" not in said
    assert "no base64 secret" not in said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml"):
        load_accounts(tmp_path / "nothing.toml", ["kraken"])


def test_delays_are_four_numbers_and_drawn_from_a_seed() -> None:
    delays = parse_delays("2,0.5,2,3")
    assert delays == LegDelays(2.0, 0.5, 2.0, 3.0)
    for text in ("", "1,2,3", "1,2,3,x", "1,2,3,-1", "1,2,3,nan", "1,2,3,60001"):
        with pytest.raises(ConfigError, match="REQUEST,ENGINE,REPLY,STREAM"):
            parse_delays(text)
    one, other = LegDraws(delays, "1/kraken"), LegDraws(delays, "1/kraken")
    drawn = sorted(one.draw_s("reply") for _ in range(999))
    assert drawn == sorted(other.draw_s("reply") for _ in range(999))
    assert 0.0018 < drawn[499] < 0.0022
    assert LegDraws(LegDelays(), "x").draw_s("stream") == 0.0
