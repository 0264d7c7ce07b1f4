"""The one command, `dragonfly`: each installed package adds its subcommands by entry point."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any, Final

import click

from dragonfly_common import bare_structlog, log  # noqa: F401 - the first before all that logs
from dragonfly_common.errors import ConfigError, ExitCode, UserError
from dragonfly_common.one_process import together
from dragonfly_common.wording import as_given, write_what_can_be

__all__ = ["COMPLETE_VARIABLE", "CommandGroup", "LoggedCommand", "main"]

COMPLETE_VARIABLE: Final = "_DRAGONFLY_COMPLETE"
"""By which a shell asks for completions, whatever name it calls this by."""
ENTRY_POINTS: Final = "dragonfly.commands"
WHOLE: Final = 1000
"""More characters than a first sentence has."""


class LoggedCommand(click.Command):
    """A command that logs, mistakes included: JSON where standard error is no terminal."""


class CommandGroup(click.Group):
    """A group whose help says all of what each command does, and cuts no sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [
            (name, command.get_short_help_str(WHOLE))
            for name, command in found
            if command and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class _InstalledCommands(CommandGroup):
    """Finds subcommands among the installed packages, and loads only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_installed())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = _installed().get(cmd_name)
        if found is None:
            return super().get_command(ctx, cmd_name)
        try:
            command: click.Command = found.load()
        except ModuleNotFoundError as error:
            missing = error.name  # an extra that was not installed: say so, without a traceback
            return click.Command(
                cmd_name,
                callback=lambda: _missing(cmd_name, missing),
                short_help=f"(needs {missing}, which is not installed)",
                context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
            )
        _name_variables(command, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=_installed(), ctx=ctx
            ) from None

    def invoke(self, ctx: click.Context) -> Any:
        words = list(ctx.args)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)  # what is next does not stand behind the terminal's ^C
            ctx.exit(ExitCode.INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError:  # the help of a group, which is no mistake
            raise
        except (click.UsageError, UserError) as error:
            command = ctx.invoked_subcommand and self.get_command(ctx, ctx.invoked_subcommand)
            if not command:
                raise
            raise _in_their_words(error, command, words) from None

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        write_what_can_be()
        try:
            return super().main(
                args, prog_name, complete_var or COMPLETE_VARIABLE, standalone_mode, **extra
            )
        except UserError as error:
            if not standalone_mode:
                raise
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT} and error.filename is None
            if not (standalone_mode and full):
                raise
            click.echo(f"Error: the output ends here: {error.strerror}; make room for it", err=True)
            sys.exit(ExitCode.UNFINISHED)


def _installed() -> dict[str, EntryPoint]:
    return {found.name: found for found in entry_points(group=ENTRY_POINTS)}


def _name_variables(command: click.Command, name: str) -> None:
    """Name each option's environment variable after the option itself: DRAGONFLY_GATEWAY_BIND."""
    for part in command.commands.values() if isinstance(command, click.Group) else ():
        _name_variables(part, f"{name}_{part.name}")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.envvar is None:
            option = max(parameter.opts, key=len).lstrip("-")
            parameter.envvar = f"DRAGONFLY_{name}_{option}".upper().replace("-", "_")


def _in_their_words(
    error: click.UsageError | UserError, command: click.Command, words: Sequence[str]
) -> Exception:
    """Return `error` as whoever made the mistake would say it, on the line or by a variable."""
    said = error.format_message() if isinstance(error, click.UsageError) else str(error)
    sentence = as_given(said, command, words)
    if isinstance(command, LoggedCommand) and not sys.stderr.isatty():
        click.echo(log.line("error", sentence, str(command.name)), err=True)
        return click.exceptions.Exit(error.exit_code)
    if isinstance(error, click.UsageError):
        return click.UsageError(sentence, error.ctx)
    error.args = (sentence,)
    return error


def _missing(command: str, module: str | None) -> None:
    raise ConfigError(f"`dragonfly {command}` needs the package {module}, which is not installed")


@click.group(
    cls=_InstalledCommands,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(version("dragonflybot-common"), prog_name="dragonfly")
def main() -> None:
    """One order book per instrument, made of every venue that trades it.

    Every option is also an environment variable: `dragonfly gateway --bind` is
    DRAGONFLY_GATEWAY_BIND.

    \b
    Example:
      dragonfly demo
    """


main.add_command(together)


if __name__ == "__main__":
    # What commands are made of, and not a second copy of it.
    from dragonfly_common.cli import main as dragonfly

    dragonfly()
