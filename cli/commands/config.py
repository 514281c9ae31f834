"""``nighttrain config``: the configuration shown, checked and edited in place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import separated
from cli.command import Command, CommandGroup, Debug, Json

if TYPE_CHECKING:
    from cli.local.config_changes import Asked, Change
    from cli.local.config_file import Edited

CONFIG = Path("deploy/night_training.yaml")

EXIT_CODES = """\b
exit codes:
  0  done, or nothing was to be done
  1  the file could not be written; it is as it was
  2  a mistake in options or in the configuration; the file is as it was
"""

EPILOG = f"""\b
examples:
  nighttrain config --show                                  each value and where it is from
  nighttrain config --create --optimize                     a documented file that fits this machine
  nighttrain config --add-symbol MATICUSDT --remove-symbol XRPUSDT
  nighttrain config --set-timeframes 1m 5m 1h --set-horizons 1 3
  nighttrain config --set-thresholds 0.52 0.26 0.50         least AUC, highest Brier score, least accuracy
  nighttrain config --config my.yaml add-symbol MATICUSDT   the same as a command

Comments and order stay. The file is written whole or not at all, and never if the result is not valid.

{EXIT_CODES}"""

app = typer.Typer(cls=CommandGroup, help="Show, check and edit the configuration.")

ConfigFile = Annotated[Path, typer.Option("--config", metavar="FILE", help="the configuration")]
Out = Annotated[
    Path, typer.Option(metavar="DIR", help="out folder of earlier nights, whose memory --optimize goes by")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show what would change, and change nothing")]


@dataclass(frozen=True)
class _Place:
    config: Path
    as_json: bool
    dry_run: bool = False
    create: bool = False


@app.callback(invoke_without_command=True, epilog=EPILOG)
def config(
    context: typer.Context,
    config: ConfigFile = CONFIG,
    create: Annotated[
        bool, typer.Option("--create", help="make the file, every key explained, where there is none")
    ] = False,
    validate: Annotated[bool, typer.Option("--validate", help="check the file and the environment")] = False,
    show: Annotated[bool, typer.Option("--show", help="show each value and its source")] = False,
    optimize: Annotated[
        bool, typer.Option("--optimize", help="set trainers and their memory for this machine, and say why")
    ] = False,
    add_symbol: Annotated[list[str] | None, typer.Option(metavar="S...", help="add symbols")] = None,
    remove_symbol: Annotated[list[str] | None, typer.Option(metavar="S...", help="remove symbols")] = None,
    set_timeframes: Annotated[
        list[str] | None, typer.Option(metavar="T...", help="set the timeframes, e.g. 1m 5m 1h")
    ] = None,
    set_horizons: Annotated[
        list[int] | None, typer.Option(metavar="H...", help="set the horizons in bars, e.g. 1 3 5")
    ] = None,
    set_thresholds: Annotated[
        list[float] | None,
        typer.Option(metavar="N N N", help="set least AUC, highest Brier score and least accuracy"),
    ] = None,
    out: Out = Path("night"),
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Show, check and edit the configuration."""
    from cli.local.config_changes import Asked

    del debug
    place = _Place(config, as_json, dry_run, create)
    asked = _asked(Asked, add_symbol, remove_symbol, set_timeframes, set_horizons, set_thresholds)
    edits = create or optimize or asked != Asked()
    if context.invoked_subcommand is not None:
        if edits or validate or show:
            context.fail("options that do something stand alone, or a command does, not both")
        context.obj = place
        return 0
    if not (edits or validate or show):
        context.fail("nothing to do: name --show, --validate, --create, --optimize or a change")
    document: dict[str, Any] = {}
    if edits:
        document |= _edit(place, asked, out if optimize else None)
    if validate:
        document |= _validate(place)
    if show:
        document |= _show(place)
    if as_json:
        print(json.dumps(document, indent=2))
    return 0


def _asked(
    kind: type[Asked],
    add: list[str] | None = None,
    remove: list[str] | None = None,
    timeframes: list[str] | None = None,
    horizons: list[int] | None = None,
    thresholds: list[float] | None = None,
) -> Asked:
    parted = separated(timeframes)
    return kind(
        add_symbols=tuple(separated(add) or ()),
        remove_symbols=tuple(separated(remove) or ()),
        # An option that was not given is None or empty, by the version of Typer.
        timeframes=tuple(parted) if parted else None,
        horizons=tuple(horizons) if horizons else None,
        thresholds=tuple(thresholds) if thresholds else None,
    )


def _edit(place: _Place, asked: Asked, of_nights: Path | None) -> dict[str, Any]:
    """Edit the file, say what changed, and return it as a document; `of_nights` asks for what fits."""
    from cli.local.config_changes import changes
    from cli.local.config_file import edit
    from cli.local.machine import fitting_here

    made: list[Change] = []

    def change(settings: Any) -> dict[str, Any]:
        choices = fitting_here(settings, of_nights) if of_nights is not None else ()
        made[:] = changes(asked, choices, settings)
        return {one.key: one.after for one in made}

    edited = edit(place.config, place.create, change, write=not place.dry_run)
    if not place.as_json:
        _say(edited, made, place, of_nights is not None)
    return {
        "file": str(place.config),
        "created": edited.before is None,
        "changed": edited.changed,
        "written": edited.changed and not place.dry_run,
        "changes": [vars(one) for one in made],
        "difference": edited.difference() if edited.before is not None else [],
    }


def _say(edited: Edited, made: list[Change], place: _Place, optimized: bool) -> None:
    from cli.screen.difference import print_difference

    if edited.before is None:
        print(f"{place.config}: {'would be made' if place.dry_run else 'made'}, every key explained")
    elif place.create:
        print(f"{place.config}: is there already, and was kept")
    for one in made:
        print(f"{one.key}: {_words(one.before)} -> {_words(one.after)}{f': {one.why}' if one.why else ''}")
    if edited.before is not None and edited.changed:
        print_difference(edited.difference())
    if not made and not (place.create and not optimized):
        print(f"{place.config}: nothing to change")
    for key, variable in _overridden(made):
        print(f"note: {variable} in the environment overrides {key}")


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _overridden(made: list[Change]) -> list[tuple[str, str]]:
    import os

    from common.settings.night import ENV_ALIASES, ENV_PREFIX

    names = {one.key: [ENV_PREFIX + one.key.upper().replace(".", "__")] for one in made}
    for alias, key in ENV_ALIASES.items():
        names.setdefault(key, []).append(alias)
    keys = [one.key for one in made]
    return [(key, name) for key in keys for name in names[key] if os.environ.get(name)]


def _validate(place: _Place) -> dict[str, Any]:
    from common.settings.night import load

    settings = load(place.config)
    cells = len(settings.symbols) * len(settings.timeframes) * len(settings.horizons)
    every = settings.all_symbols or settings.all_timeframes
    if not place.as_json:
        what = "all that the folder of candles holds" if every else f"{cells} cells"
        print(f"{place.config}: valid: {what}")
    return {"file": str(place.config), "valid": True, "cells": None if every else cells}


def _show(place: _Place) -> dict[str, Any]:
    from common.settings.night import load_with_origins

    _, origins = load_with_origins(place.config)
    if not place.as_json:
        width = max(len(one.key) for one in origins)
        shown = [json.dumps(one.value) for one in origins]
        middle = min(60, max(map(len, shown)))
        for one, value in zip(origins, shown, strict=True):
            print(f"{one.key:<{width}}  {value:<{middle}}  {one.source}")
    return {
        "file": str(place.config),
        "values": {one.key: {"value": one.value, "source": one.source} for one in origins},
    }


def _alone(context: typer.Context, what: str, *arguments: Any, **options: Any) -> int:
    """Do what the group's option of this name does."""
    from cli.local.config_changes import Asked

    given: _Place = context.obj
    place = _Place(
        options.get("config") or given.config,
        options["as_json"] or given.as_json,
        options.get("dry_run", False) or given.dry_run,
        what == "create",
    )
    if what == "show":
        document = _show(place)
    elif what == "validate":
        document = _validate(place)
    else:
        document = _edit(place, _asked(Asked, *arguments), options.get("out"))
    if place.as_json:
        print(json.dumps(document, indent=2))
    return 0


Own = Annotated[Path | None, typer.Option("--config", metavar="FILE", help=f"the configuration ({CONFIG})")]
Symbols = Annotated[list[str], typer.Argument(metavar="S...", help="symbols, such as MATICUSDT")]


def _examples(line: str) -> str:
    return f"\b\nexamples:\n  nighttrain config {line}\n\n{EXIT_CODES}"


@app.command(cls=Command, epilog=_examples("show --json"))
def show(context: typer.Context, config: Own = None, as_json: Json = False, debug: Debug = False) -> int:
    """Show each value and its source: the file, the environment, or the default."""
    del debug
    return _alone(context, "show", config=config, as_json=as_json)


@app.command(cls=Command, epilog=_examples("validate --config deploy/night_training.yaml"))
def validate(context: typer.Context, config: Own = None, as_json: Json = False, debug: Debug = False) -> int:
    """Check the file and the environment."""
    del debug
    return _alone(context, "validate", config=config, as_json=as_json)


@app.command(cls=Command, epilog=_examples("create --config my_night.yaml"))
def create(
    context: typer.Context,
    config: Own = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Make the file, every key explained, where there is none."""
    del debug
    return _alone(context, "create", config=config, dry_run=dry_run, as_json=as_json)


@app.command(cls=Command, epilog=_examples("optimize --dry-run"))
def optimize(
    context: typer.Context,
    config: Own = None,
    out: Out = Path("night"),
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Set trainers and their memory for this machine, and say why."""
    del debug
    return _alone(context, "optimize", config=config, out=out, dry_run=dry_run, as_json=as_json)


@app.command("add-symbol", cls=Command, epilog=_examples("add-symbol MATICUSDT DOT/USDT"))
def add_symbol(
    context: typer.Context,
    symbols: Symbols,
    config: Own = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Add symbols to the grid."""
    del debug
    return _alone(context, "add", symbols, config=config, dry_run=dry_run, as_json=as_json)


@app.command("remove-symbol", cls=Command, epilog=_examples("remove-symbol XRPUSDT"))
def remove_symbol(
    context: typer.Context,
    symbols: Symbols,
    config: Own = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Remove symbols from the grid."""
    del debug
    return _alone(context, "remove", None, symbols, config=config, dry_run=dry_run, as_json=as_json)


@app.command("set-timeframes", cls=Command, epilog=_examples("set-timeframes 1m 5m 1h"))
def set_timeframes(
    context: typer.Context,
    timeframes: Annotated[list[str], typer.Argument(metavar="T...", help="such as 1m 5m 1h")],
    config: Own = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Set the timeframes of the grid."""
    del debug
    return _alone(context, "set", None, None, timeframes, config=config, dry_run=dry_run, as_json=as_json)


@app.command("set-horizons", cls=Command, epilog=_examples("set-horizons 1 3 5"))
def set_horizons(
    context: typer.Context,
    horizons: Annotated[list[int], typer.Argument(metavar="H...", help="bars ahead, such as 1 3 5")],
    config: Own = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Set the horizons of the grid."""
    del debug
    return _alone(context, "set", None, None, None, horizons, config=config, dry_run=dry_run, as_json=as_json)


@app.command("set-thresholds", cls=Command, epilog=_examples("set-thresholds 0.52 0.26 0.50"))
def set_thresholds(
    context: typer.Context,
    thresholds: Annotated[
        list[float], typer.Argument(metavar="AUC BRIER ACCURACY", help="such as 0.52 0.26 0.50")
    ],
    config: Own = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Set what a model must reach to be promoted: least AUC, highest Brier score, least accuracy."""
    del debug
    return _alone(
        context, "set", None, None, None, None, thresholds, config=config, dry_run=dry_run, as_json=as_json
    )
