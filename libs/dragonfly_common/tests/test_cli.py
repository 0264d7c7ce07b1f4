"""The one command finds what is installed, and says in a sentence what is not."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint

import click
import pytest
from click.testing import CliRunner, Result
from dragonfly_common import cli
from dragonfly_common.errors import AddressError, InstrumentError


@click.command()
@click.option("--bind", default="nowhere")
@click.option("--linger-s", "patience", type=float, default=1.0)
@click.option("--max", "-m", "most", type=int, default=7)
@click.option("--instrument", multiple=True)
@click.option("--simulated", is_flag=True)
def show(**options: object) -> None:
    """Show the options.

    More of it.
    """
    click.echo(options)


@click.command()
@click.argument("kind")
def fail(kind: str) -> None:
    """Fail."""
    if kind == "address":
        raise AddressError("cannot bind it; choose another --bind")
    if kind == "instrument":
        raise InstrumentError("'ETH' is not an instrument: write BASE-QUOTE")
    if kind == "ctrl-c":
        raise KeyboardInterrupt
    raise LookupError(kind)


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command as if these packages were installed."""
    here = f"{__name__}_commands"
    module = type(cli)(here)
    module.show, module.fail = show, fail  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, here, module)
    places = {
        "show": f"{here}:show",
        "fail": f"{here}:fail",
        "watch": "a_package_that_is_not_installed.watch:command",
    }
    found = [EntryPoint(name, place, cli.ENTRY_POINTS) for name, place in places.items()]
    monkeypatch.setattr(cli, "entry_points", lambda group: found)

    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(cli.main, arguments, env=environment, prog_name="dragonfly")

    return run


def test_the_help_lists_what_is_installed_and_what_it_lacks(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "Show the options." in result.output
    assert "(needs a_package_that_is_not_installed, which is not installed)" in result.output


def test_the_help_of_a_group_cuts_no_sentence() -> None:
    for arguments in (["--help"], ["keys", "--help"]):
        result = CliRunner().invoke(cli.main, arguments, terminal_width=60)
        _, listed = result.output.split("Commands:")
        assert "..." not in listed
        assert max(map(len, listed.splitlines())) <= 60


def test_a_command_that_lacks_a_package_says_which(run: Run) -> None:
    result = run("watch", "ETH-BTC", "--seconds", "5")
    assert result.exit_code == 78
    assert result.output == (
        "Error: `dragonfly watch` needs the package a_package_that_is_not_installed, "
        "which is not installed\n"
    )


def test_what_runs_no_service_cannot_run_beside_others(run: Run) -> None:
    result = run("together", "--service", "show --max 3")
    assert result.exit_code == 78
    assert result.output.endswith(
        "Error: a command that runs no service cannot run beside others\n"
    )


def test_a_mistake_in_what_runs_beside_others_is_its_own_sentence(run: Run) -> None:
    result = run("together", "--service", "fail address")
    assert result.exit_code == 78
    assert result.output == "Error: cannot bind it; choose another --bind\n"
    result = run("together", "--service", "show --max three")
    assert result.exit_code == 2
    assert "Invalid value for '--max'" in result.output


@pytest.mark.parametrize(
    ("kind", "code", "sentence"),
    [
        ("address", 78, "cannot bind it; choose another --bind"),
        ("instrument", 2, "'ETH' is not an instrument: write BASE-QUOTE"),
    ],
)
def test_a_person_s_mistake_is_one_sentence_and_its_code(
    run: Run, kind: str, code: int, sentence: str
) -> None:
    result = run("fail", kind)
    assert (result.exit_code, result.output) == (code, f"Error: {sentence}\n")


def test_ctrl_c_is_no_mistake_and_has_the_shells_code(run: Run) -> None:
    result = run("fail", "ctrl-c")
    assert (result.exit_code, result.output) == (130, "\n")


def test_a_bug_is_not_mistaken_for_one(run: Run) -> None:
    assert isinstance(run("fail", "else").exception, LookupError)


def test_a_command_that_nobody_has_is_named(run: Run) -> None:
    result = run("lisener")
    assert result.exit_code == 2
    assert "No such command 'lisener'" in result.output


def test_a_group_by_itself_shows_its_help_and_no_error() -> None:
    result = CliRunner().invoke(cli.main, ["keys"])
    assert result.stderr.startswith("Usage: ")
    assert result.stderr.count("Usage: ") == 1
    assert "Error" not in result.output


def test_every_option_is_a_variable_of_its_own_name(run: Run) -> None:
    result = run(
        "show",
        DRAGONFLY_SHOW_BIND="ipc:///x",
        DRAGONFLY_SHOW_LINGER_S="2.5",
        DRAGONFLY_SHOW_MAX="9",
        DRAGONFLY_SHOW_INSTRUMENT="ETH-BTC BTC-USD",
        DRAGONFLY_SHOW_SIMULATED="true",
    )
    assert result.output == (
        "{'bind': 'ipc:///x', 'patience': 2.5, 'most': 9, "
        "'instrument': ('ETH-BTC', 'BTC-USD'), 'simulated': True}\n"
    )


def test_what_is_written_on_the_line_wins_over_the_variable(run: Run) -> None:
    result = run("show", "--bind", "here", DRAGONFLY_SHOW_BIND="there")
    assert "'bind': 'here'" in result.output


def test_a_bad_variable_is_named(run: Run) -> None:
    result = run("show", DRAGONFLY_SHOW_MAX="many")
    assert result.exit_code == 2
    assert "'many'" in result.output


def test_it_knows_its_version(run: Run) -> None:
    assert run("--version").output.startswith("dragonfly, version ")
