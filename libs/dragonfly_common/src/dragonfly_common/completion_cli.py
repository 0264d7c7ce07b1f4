"""`dragonfly completion`."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from dragonfly_common.cli import COMPLETE_VARIABLE

__all__ = ["completion"]

SHELLS: Final = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> None:
    """Print what makes SHELL complete commands and options on Tab.

    \b
    Example:
      dragonfly completion bash > ~/.local/share/bash-completion/completions/dragonfly
      dragonfly completion zsh > ~/.zfunc/_dragonfly        # a folder of $fpath
      dragonfly completion fish > ~/.config/fish/completions/dragonfly.fish
    """
    complete = get_completion_class(shell)
    assert complete is not None
    root = ctx.find_root()
    click.echo(complete(root.command, {}, "dragonfly", COMPLETE_VARIABLE).source())
