"""Whatever somebody types, or sets in the environment: a sentence or a start, never a traceback.

Each command runs up to where it would begin its work, which is taken from it.
"""

from __future__ import annotations

import io
import os
import socket
import string
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Final

import click
import dragonfly_conformance.cli
import pytest
import supervisor.cli
import terminal.cli
import terminal.fix_command
import terminal.order_commands
from dragonfly_common.cli import main
from dragonfly_common.errors import ConfigError, UserError
from dragonfly_common.runtime import gather
from dragonfly_common.wording import write_what_can_be
from hypothesis import given
from hypothesis import strategies as st

NO_SERVICE: Final = "a command that runs no service cannot run beside others"

# With these words a command gets as far as its work.
SOUND: Final = {
    "aggregator": ["--upstream=ipc://x", "--bind=ipc://y"],
    "engine": ["--upstream=ipc://x", "--bind=ipc://y", "--journal=journal"],
    "completion": ["bash"],
    "config check": ["/dev/null"],
    "config show": ["/dev/null"],
    "explain": ["ETH-BTC"],
    "fault": ["--control=http://127.0.0.1:1/control", "kraken", "gap"],
    "fix-gateway": ["--upstream=ipc://x"],
    "gateway": ["--upstream=ipc://x"],
    "health": ["--status=127.0.0.1:1"],
    "keys new": ["folder"],
    "listener": ["--venue=kraken", "--bind=ipc://y"],
    "liquidate": ["ETH-BTC", "sell", "120", "--twap=20m"],
    "price": ["ETH-BTC", "buy", "50"],
    "together": ["--service=gateway --upstream inproc://x"],
    "token new": ["bot"],
}

NASTY: Final = (
    *(
        "",
        " ",
        "-",
        "--",
        "-1",
        "0",
        "00",
        "1",
        "3000000000",
        "1e18",
        "1e999",
        "-inf",
        "nan",
        "0x1",
    ),
    *(
        "true",
        "maybe",
        "null",
        "[]",
        "{}",
        "%s",
        "$HOME",
        "~",
        "*",
        "a=b",
        "=",
        ";",
        "\\",
        "'",
        '"',
    ),
    *(
        ".",
        "..",
        "/dev/null",
        "/proc/nothing",
        "no/such/file",
        "x" * 300,
        "a-b",
        "ETH-BTC",
        "eth/btc",
    ),
    *("localhost", "127.0.0.1:1", "127.0.0.1:99999", ":1", "[::1]:1", "0.0.0.0:0", "[", "[:]:1"),
    *("http://", "http://[", "http://127.0.0.1:1", "https://127.0.0.1:x/", "ws://h:1", "file:///x"),
    *(
        "tcp://",
        "tcp://*:0",
        "tcp://h:-1",
        "ipc://",
        "inproc://",
        "kraken",
        "kraken=ws://h",
        "kraken=",
    ),
    *("kraken silence", "kraken silence at=1e99 for=nan", "kraken gap every=0", "gateway --bind x"),
    *("ünï-cødé", "\x1b[2J", "\r\n", "日本", "\udcff"),
)

# What a shell and the environment can hold: any bytes but the one that ends a word.
words = st.one_of(
    st.sampled_from(NASTY),
    st.integers().map(str),
    st.floats().map(str),
    st.text(string.printable, max_size=20),
    st.binary(max_size=12).map(lambda raw: os.fsdecode(raw.replace(b"\0", b""))),
)


def commands() -> dict[str, click.Command]:
    """Return every command that is installed, those in groups by both names."""
    context = click.Context(main)
    found: dict[str, click.Command] = {}
    for name in [*main.list_commands(context), "together"]:
        command = main.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{name} {part}": one for part, one in command.commands.items()}
        else:
            found[name] = command
    return found


COMMANDS: Final = commands()


@st.composite
def lines(draw: st.DrawFn) -> tuple[list[str], dict[str, str]]:
    """Make a command's words and its environment, some of them sound."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    typed = [*name.split(), *(SOUND.get(name, []) if draw(st.booleans()) else [])]
    environment = {}
    options = [one for one in COMMANDS[name].params if isinstance(one, click.Option)]
    for option in draw(st.lists(st.sampled_from(options), max_size=4) if options else st.just([])):
        if isinstance(option.envvar, str) and draw(st.booleans()):
            environment[option.envvar] = draw(words)
        else:
            typed.append(draw(st.sampled_from((*option.opts, *option.secondary_opts))))
            if not option.is_flag:
                typed.append(draw(words))
    typed += draw(st.lists(words, max_size=2))
    return typed, environment


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take all work from the commands, the network, and what they would write elsewhere."""

    def forget(main: Coroutine[Any, Any, object], **_: object) -> None:
        main.close()

    def look_up(host: object, *rest: object, **options: object) -> object:
        if host in {"127.0.0.1", "::1"}:
            return real(host, *rest, **options)  # type: ignore[arg-type]
        raise socket.gaierror(socket.EAI_NONAME, "no network here")

    real = socket.getaddrinfo
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("nowhere"))
        patch.setattr(supervisor.cli, "_run", forget)
        patch.setattr(terminal.cli, "run_bot", forget)
        patch.setattr(terminal.fix_command, "run_bot", forget)
        patch.setattr(terminal.order_commands, "run_bot", forget)
        patch.setattr(dragonfly_conformance.cli, "_run", forget)
        patch.setattr(socket, "getaddrinfo", look_up)
        for name in [name for name in os.environ if name.startswith("DRAGONFLY_")]:
            patch.delenv(name)
        yield


def say(sentence: str) -> bytes:
    """Return what is written to a terminal that has ASCII only."""
    written = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", io.TextIOWrapper(written, "ascii"))
        write_what_can_be()
        sys.stderr.write(sentence)
        sys.stderr.flush()
        return written.getvalue()


@pytest.mark.usefixtures("nowhere")
@given(lines())
def test_no_word_and_no_variable_is_a_traceback(line: tuple[list[str], dict[str, str]]) -> None:
    typed, environment = line
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            gather(lambda: main.main(typed, "dragonfly", standalone_mode=False))
        except click.ClickException as error:
            sentence = error.format_message()
        except UserError as error:
            sentence = str(error)
        except click.exceptions.Exit:
            return
        else:
            return
    assert sentence.strip(), typed
    assert say(sentence)


@pytest.mark.parametrize("name", sorted(COMMANDS))
@pytest.mark.usefixtures("nowhere")
def test_sound_words_reach_the_work_of_every_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the test above would only ever see options refused."""
    monkeypatch.chdir(tmp_path)
    try:
        gather(lambda: main.main([*name.split(), *SOUND.get(name, [])], standalone_mode=False))
    except ConfigError as error:
        reason = str(error)
    else:
        return
    # It went to its end, or asked somebody who is not there.
    assert reason == NO_SERVICE or "no simulator answers" in reason


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"together"}))
def test_every_option_is_a_variable(name: str) -> None:
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option):
            spelled = max(option.opts, key=len).lstrip("-")
            assert option.envvar == f"DRAGONFLY_{name} {spelled}".upper().translate(
                str.maketrans("- ", "__")
            )
