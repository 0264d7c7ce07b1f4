"""Options that commands share mean the same in each, and name what is wrong with a value."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from dragonfly_common.bus import Keys, Role
from dragonfly_common.bus.curve import new_pair
from dragonfly_common.errors import ConfigError
from dragonfly_common.options import (
    curve_options,
    depth_option,
    instrument_option,
    linger_option,
    upstream_option,
)


@click.command()
@instrument_option()
@depth_option()
@linger_option("Seconds.")
def show(**options: object) -> None:
    click.echo(dict(sorted(options.items())))


def test_what_is_no_number_is_in_no_range() -> None:
    refused = CliRunner().invoke(show, ["--linger-s=nan"])
    assert refused.exit_code == 2
    assert "'nan' is not a number." in refused.output


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {"instruments": (), "depth": 10, "linger_s": 10.0}),
        (
            ("--instrument=eth-btc", "--instrument=BTC-USD", "--instrument=ETH-BTC"),
            {"instruments": ("ETH-BTC", "BTC-USD"), "depth": 10, "linger_s": 10.0},
        ),
        (("--depth=20", "--linger-s=0"), {"instruments": (), "depth": 20, "linger_s": 0.0}),
    ],
)
def test_options_arrive_in_normal_form(
    arguments: tuple[str, ...], options: dict[str, object]
) -> None:
    result = CliRunner().invoke(show, arguments)
    assert result.output == f"{dict(sorted(options.items()))}\n"


@pytest.mark.parametrize("argument", ["--depth=0", "--depth=101", "--depth=x", "--linger-s=-1"])
def test_a_bad_value_is_named_in_one_sentence(argument: str) -> None:
    result = CliRunner().invoke(show, [argument])
    assert result.exit_code == 2
    (sentence,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    name, _, value = argument.partition("=")
    assert name in sentence
    assert value in sentence


def test_what_is_no_instrument_is_a_person_s_mistake() -> None:
    result = CliRunner().invoke(show, ["--instrument=ETH"])
    assert result.exit_code == 2
    assert "Error: Invalid value for '--instrument': 'ETH' is not an instrument" in result.output


@click.command()
@upstream_option("A publisher's")
@curve_options(Role.GATEWAY)
def connect(*, upstreams: tuple[str, ...], keys: Keys | None) -> None:
    click.echo(f"{upstreams} {keys.role if keys else None}")


def test_keys_are_read_where_both_files_are_given(tmp_path: Path) -> None:
    public, secret = (key.decode() for key in new_pair())
    pair, trust = tmp_path / "key", tmp_path / "trust"
    pair.write_text(f"public {public}\nsecret {secret}\n")
    trust.write_text("")
    upstreams = ["--upstream=tcp://a:1", "--upstream=tcp://b:1"]
    files = [f"--curve-key={pair}", f"--curve-trust={trust}"]
    assert CliRunner().invoke(connect, upstreams).output == "('tcp://a:1', 'tcp://b:1') None\n"
    assert CliRunner().invoke(connect, upstreams + files).output.endswith("gateway\n")
    for one in files:
        mistake = CliRunner().invoke(connect, [*upstreams, one]).exception
        assert isinstance(mistake, ConfigError)
        assert "belong together" in str(mistake)
