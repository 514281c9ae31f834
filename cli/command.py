"""What all commands have in common: how their words are read, and how their errors end."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from cli.arguments import Takes, spelled_out
from cli.local.interrupt import EXIT_INTERRUPTED
from common.errors import NighttrainError, UnauthorizedError
from common.quoted import escaped_lines

if TYPE_CHECKING:
    from common.objects.address import Place

EXIT_USAGE = 2

PLACES = ("DIR", "FILE", "DIR|URL")
"""What options that name a file or a folder show in place of it."""

PARTS = ("coordinator", "trainer", "numpy", "isal")
"""What an image may lack: that of the coordinator has no trainer, and the other way round."""

WHERE_IT_IS = "--token-file names its file: `token` in its out folder, or secrets/nighttrain_token of make up"

Debug = Annotated[bool, typer.Option("--debug", help="show tracebacks and debug messages")]
"""The option that every command has."""


Json = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]
"""The option of each command that prints something."""

Retrain = Annotated[
    bool,
    typer.Option(
        "--retrain", help="train cells again whose candles, settings and program are those of the last time"
    ),
]

Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="the configuration (deploy/night_training.yaml)")
]


def _place(text: str) -> Place:
    from common.objects.address import place_of

    try:
        return place_of(text)
    except ValueError as error:
        # Without the value, which may hold a password.
        raise typer.BadParameter(f"the address {error}") from None


Candles = Annotated[
    Any,
    typer.Option(
        metavar="DIR|URL",
        parser=_place,
        help="folder with candles, or s3://BUCKET/PREFIX, gs://..., az://... (data.dir of the configuration)",
    ),
]
"""A folder or an address; Typer knows no option that may be either, so the type stands with the parser."""

OwnOut = Annotated[Path, typer.Option(metavar="DIR", help="folder that everything is written to")]
Trainers = Annotated[str | None, typer.Option(metavar="N", help="number of trainers, or auto (num_workers)")]
Port = Annotated[str | None, typer.Option(metavar="PORT", help="port of the coordinator (dashboard.port)")]
"""The options of commands that prepare a night or start its processes."""


class Group(TyperGroup):
    """A group of commands; without one of them it shows its help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words up to the command."""
        # A shell that completes the words asks for no help.
        if not args and not ctx.resilient_parsing:
            print(ctx.get_help(), file=sys.stderr)
            ctx.exit(EXIT_USAGE)
        for option in self.params:
            # Typer imports Pydantic to read None as a flag, which takes longer than the help itself.
            if isinstance(option, TyperOption) and option.is_flag and option.default is None:
                option.default = False
        return super().parse_args(ctx, args)

    def get_help_option(self, ctx: Any) -> Any:
        """Return ``--help``."""
        option = super().get_help_option(ctx)
        if option is not None:
            # As above: None would import Pydantic.
            option.default = False
        return option


class Command(TyperCommand):
    """A command whose options take several values, and whose known errors are one line on stderr."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of the command line."""
        return super().parse_args(ctx, _spelled_out(self, ctx, args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command and return its exit code."""
        return _ended(ctx, super().invoke)


class CommandGroup(Group):
    """A group that is a command too, with options of its own, as in ``config --show`` and ``config show``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words up to the command."""
        return super().parse_args(ctx, _spelled_out(self, ctx, args))

    def invoke(self, ctx: Any) -> Any:
        """Run the group's own options, or the command, and return the exit code."""
        return _ended(ctx, super().invoke)


def _spelled_out(command: Any, ctx: Any, args: list[str]) -> list[str]:
    options: dict[str, Takes] = {}
    places: set[str] = set()
    for option in command.get_params(ctx):
        if isinstance(option, TyperOption):
            takes = Takes.NONE if option.is_flag else Takes.MANY if option.multiple else Takes.ONE
            options |= dict.fromkeys((*option.opts, *option.secondary_opts), takes)
            if option.metavar in PLACES:
                places.update(option.opts)
    try:
        return spelled_out(args, options, places)
    except ValueError as mistake:
        if ctx.resilient_parsing:
            return args
        ctx.fail(str(mistake))
    raise AssertionError  # a failure of the context never returns


def _ended(ctx: Any, invoke: Callable[[Any], Any]) -> Any:
    try:
        return invoke(ctx)
    except NighttrainError as error:
        if ctx.params.get("debug"):
            traceback.print_exc()
        if isinstance(error, UnauthorizedError):
            # What the coordinator says to whoever speaks HTTP is of no use to whoever types a command.
            error = UnauthorizedError(error.detail, WHERE_IT_IS)
        print(f"nighttrain: {escaped_lines(str(error))}", file=sys.stderr)
        return error.kind.exit_code
    except ModuleNotFoundError as error:
        part = (error.name or "").split(".")[0]
        if part not in PARTS:
            raise
        print(f"nighttrain: {ctx.command_path} needs {part}, which is not installed here", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("nighttrain: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
