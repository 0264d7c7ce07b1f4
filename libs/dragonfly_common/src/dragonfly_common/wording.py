"""The reader's words: the command as they call it, options as they gave them, their letters."""

from __future__ import annotations

import codecs
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

__all__ = ["as_given", "command_name", "variables_given", "write_what_can_be"]

NAME: Final = "dragonfly"

# What we write ourselves, for where only ASCII can be written; each by one cell, so that columns
# stay as they are.
_PLAIN: Final = str.maketrans(
    "…│─╭╮╰╯·→●○—µ█▉▊▋▌▍▎▏▐▕▇▆▅▄▃▂▁",
    ".|-++++->*o-u" + 17 * "#",
)
_UNWRITABLE: Final = "dragonfly.plain"


def command_name() -> str:
    """Return how whoever reads this calls `dragonfly` from where they are."""
    script = Path(sys.executable).with_name(NAME)
    if (found := shutil.which(NAME)) and script.exists() and script.samefile(found):
        return NAME
    if not script.exists():
        return f"{sys.executable} -m dragonfly_common.cli"
    here = Path.cwd()
    return str(script.relative_to(here) if script.is_relative_to(here) else script)


def variables_given(command: click.Command, words: Sequence[str]) -> dict[str, str]:
    """Return the variable of each option that it was given by, and not by `words` of the line."""
    typed = {word.partition("=")[0] for word in words}
    return {
        option: parameter.envvar
        for parameter in command.params
        if isinstance(parameter, click.Option)
        and isinstance(parameter.envvar, str)
        and os.environ.get(parameter.envvar)
        and typed.isdisjoint(spellings := (*parameter.opts, *parameter.secondary_opts))
        for option in spellings
    }


def as_given(sentence: str, command: click.Command, words: Sequence[str]) -> str:
    """Return `sentence` with the variable in place of each option that nobody typed."""
    for option, variable in variables_given(command, words).items():
        sentence = re.sub(rf"(?<![\w-]){re.escape(option)}(?![\w-])", variable, sentence)
    return sentence


def write_what_can_be() -> None:
    """Let output whose encoding lacks a character have another in its place, never a traceback."""
    codecs.register_error(_UNWRITABLE, _plain)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_UNWRITABLE)


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(letter if letter.isascii() else "?" for letter in text), error.end
