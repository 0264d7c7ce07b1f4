"""Options that commands share mean the same in each, and name what is wrong with a value."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from dragonfly_common.errors import InstrumentError
from dragonfly_common.options import depth_option, instrument_option, linger_option


@click.command()
@instrument_option()
@depth_option()
@linger_option("Seconds.")
def show(**options: object) -> None:
    click.echo(dict(sorted(options.items())))


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


@pytest.mark.parametrize("argument", ["--depth=0", "--depth=21", "--depth=x", "--linger-s=-1"])
def test_a_bad_value_is_named_in_one_sentence(argument: str) -> None:
    result = CliRunner().invoke(show, [argument])
    assert result.exit_code == 2
    (sentence,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    name, _, value = argument.partition("=")
    assert name in sentence
    assert value in sentence


def test_what_is_no_instrument_is_a_person_s_mistake() -> None:
    assert isinstance(CliRunner().invoke(show, ["--instrument=ETH"]).exception, InstrumentError)
