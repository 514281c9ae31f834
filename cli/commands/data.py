"""``nighttrain data``: candles made, fetched, written as Parquet, and looked at."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import separated
from cli.command import Candles, Command, Debug, Group, Json

if TYPE_CHECKING:
    from cli.archive.download import Downloaded
    from cli.local.candle_survey import FolderSurvey

CODES = """\b
exit codes:
  0    done
  1    something failed, or could not be read
  2    a mistake in options or configuration
  130  interrupted; what is done is kept: run the same command to continue
"""

EPILOG = f"""\b
examples:
  nighttrain data sample --out data/sample    two years of 1m candles of six symbols, always the same
  nighttrain data sample --out /tmp/tiny --symbols BTCUSDT --days 30

{CODES}"""

CHECK_EPILOG = """\b
examples:
  nighttrain data check --data ~/candles              all symbols of the folder
  nighttrain data check --config deploy/night_training.yaml --json

\b
exit codes:
  0  every cell could be trained
  1  some could not, or nothing can be read
  2  a mistake in options or configuration
"""

IMPORT_EPILOG = f"""\b
examples:
  nighttrain data import --data ~/downloads --out data/candles
  nighttrain data import --data ~/mt5 --out data/candles --symbols BTCUSD --config my.yaml

Rows are written as they are read and not judged; a file that was imported before is left alone.

{CODES}"""

DOWNLOAD_EPILOG = """\b
examples:
  nighttrain data download --symbols BTCUSDT ETHUSDT            two years of 1m candles into data/candles
  nighttrain data download --symbols BTCUSDT --from 2019-09     older ones too; none is loaded twice
  nighttrain data download --update                             what is new of all that is there
  nighttrain data download --market um --symbols BTCUSDT --timeframes 1h --out data/perpetuals

Files are Binance's monthly and daily ones, each verified by its checksum; months that are not published
are made up of their days. A file that does not fit its checksum is set aside and tried again.

"""
DOWNLOAD_EPILOG += CODES

app = typer.Typer(cls=Group, help="Make, fetch, convert and check candles.")


@app.command(cls=Command, epilog=EPILOG)
def sample(
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder to write the candles to")],
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a configuration, whose sample is made")
    ] = None,
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="S...", help="symbols (those of the default grid)")
    ] = None,
    days: Annotated[str | None, typer.Option(metavar="N", help="length in days (730)")] = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="seed of the random numbers (7)")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Make synthetic candles, the same ones each time."""
    from cli.local.candles_at_hand import make_sample
    from common.errors import ConfigurationError
    from common.settings.night import load

    del debug  # read where errors end
    given = {"symbols": separated(symbols), "data.sample.days": days, "data.sample.seed": seed}
    settings = load(config, {key: value for key, value in given.items() if value is not None})
    if settings.all_symbols:
        problem = "symbols is all, and a sample has none of its own"
        raise ConfigurationError(problem, "name them with --symbols")
    make_sample(out, settings.symbols, settings.data.sample.days, settings.data.sample.seed)
    if as_json:
        print(json.dumps({"out": str(out), "symbols": settings.symbols, "days": settings.data.sample.days}))
    else:
        print(f"sample candles (synthetic): {out}")
    return 0


@app.command(cls=Command, epilog=CHECK_EPILOG)
def check(
    data: Candles = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a configuration, whose grid is looked at")
    ] = None,
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="S...", help="only these symbols (all of the folder)")
    ] = None,
    timeframes: Annotated[
        list[str] | None, typer.Option(metavar="T...", help="only these timeframes")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Survey a folder of candles without a night: coverage, findings, what could be trained."""
    from cli.local.candle_survey import survey_folder
    from cli.screen.waiting import waiting
    from common.settings.night import load

    del debug
    given = {"symbols": separated(symbols), "timeframes": separated(timeframes)}
    settings = load(config, {key: value for key, value in given.items() if value})
    everything = config is None and not symbols
    with waiting() as progress:
        found = survey_folder(settings, data or settings.data.dir, everything, progress.say)
    if as_json:
        print(json.dumps(_document(found), indent=2))
    else:
        _print_survey(found)
    return 0 if found.trainable == found.cells else 1


def _document(found: FolderSurvey) -> dict[str, object]:
    return {
        "cells": found.cells,
        "trainable": found.trainable,
        "series": [asdict(one) for one in found.series],
        "refused": found.refused,
        "surveys": [report.model_dump(mode="json") for report in found.reports],
    }


def _print_survey(found: FolderSurvey) -> None:
    from cli.screen.findings import finding_lines

    print(f"{'symbol':<12} {'bars':<5} {'rows':>9}  {'from':<10}  {'to':<10}  {'missing':>7}  trained on")
    for one in found.series:
        what = f"not: {one.why}" if one.why else one.source
        line = f"{one.symbol:<12} {one.timeframe:<5} {one.rows:>9}  {one.start:<10}  {one.end:<10}  "
        print(f"{line}{one.missing_share:>7.2%}  {what}")
    for line in finding_lines(found.refused, found.reports, {one.why for one in found.series}):
        print(line)
    print(f"{found.trainable} of {found.cells} cells could be trained")


@app.command("import", cls=Command, epilog=IMPORT_EPILOG)
def import_(
    data: Annotated[Path, typer.Option(metavar="DIR", help="folder with candles of any format that is read")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder that the Parquet files go to")],
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="S...", help="only these symbols (all of the folder)")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a configuration, for its data.columns")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Write candles of any format that is read as Parquet, each file whole or not at all."""
    from cli.local.candle_import import import_candles
    from cli.local.interrupt import interruptible
    from cli.screen.waiting import waiting
    from common.settings.night import canonical_symbol, load

    del debug
    named = tuple(canonical_symbol(symbol) for symbol in separated(symbols) or ())
    with interruptible() as interrupt, waiting() as progress:
        interrupt.saying = "the file that is being written is finished, and all written ones stay"

        def said(words: str) -> None:
            interrupt.check()
            progress.say(words)

        result = import_candles(data, out, named, load(config).data.policy, said)
    if as_json:
        print(json.dumps(asdict(result), indent=2))
    else:
        for note in result.notes:
            print(note)
        print(
            f"{len(result.written)} files with {result.rows} rows written to {out}, {len(result.unchanged)} "
            f"there already, {result.unreadable} could not be read"
        )
    return 1 if result.unreadable else 0


@app.command(cls=Command, epilog=DOWNLOAD_EPILOG)
def download(
    symbols: Annotated[
        list[str] | None, typer.Option(metavar="S...", help="symbols (those of the configuration)")
    ] = None,
    timeframes: Annotated[
        list[str] | None,
        typer.Option(metavar="T...", help="timeframes (1m, of which all others can be made)"),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="MONTH", help="the first month, e.g. 2023-01 (2 years ago)"),
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="fetch what is new of all that is there")] = False,
    market: Annotated[str, typer.Option(metavar="M", help="spot; um or cm for futures")] = "spot",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="folder of candles (data.dir of the configuration)")
    ] = None,
    archive: Annotated[
        str | None,
        typer.Option(metavar="URL", help="address of the archive or of a mirror (data.archive)"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a configuration, for its symbols and folder")
    ] = None,
    parallel: Annotated[int, typer.Option(metavar="N", min=1, max=32, help="files at once")] = 6,
    timeout: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="seconds without a byte until a file is tried again")
    ] = 30.0,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Fetch candles from Binance's public archive, verified, in parallel; run it again to continue."""
    from cli.local.candle_download import Order, fetch
    from cli.local.interrupt import EXIT_INTERRUPTED, interruptible
    from common.errors import ConfigurationError
    from common.settings.night import canonical_symbol, load

    del debug
    settings = load(config)
    named = [canonical_symbol(symbol) for symbol in separated(symbols) or ()]
    if not named and not update:
        if settings.all_symbols:
            raise ConfigurationError("symbols is all, which names none", "name them with --symbols")
        named = list(settings.symbols)
    bars = separated(timeframes) or ["1m"]
    if out is None and isinstance(settings.data.dir, str):
        problem = f"{settings.data.dir}: candles are fetched into a folder"
        raise ConfigurationError(problem, "name one with --out, and copy it to the store")
    folder, address = out or settings.data.dir, archive or settings.data.archive
    assert isinstance(folder, Path)
    order = Order(market, named, bars, start, update, folder, address, parallel, timeout)
    with interruptible() as interrupt:
        result = fetch(order, interrupt)
    if as_json:
        print(json.dumps(asdict(result), indent=2))
    else:
        _print_download(result, order.out)
    if result.stopped:
        print("interrupted; what has come is kept: run the same command to continue", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 1 if result.failed or result.empty else 0


def _print_download(result: Downloaded, out: Path) -> None:
    for name, why in result.failed.items():
        print(f"failed: {name}: {why}")
    for name in result.empty:
        print(f"nothing of {name} in the archive")
    if result.missing:
        first = ", ".join(result.missing[:5])
        more = f" and {len(result.missing) - 5} more" if len(result.missing) > 5 else ""
        print(f"not in the archive (yet): {first}{more}")
    for path in result.set_aside:
        print(f"set aside, as it did not fit its checksum: {path}")
    print(
        f"{len(result.loaded)} files ({result.size / 1e6:.1f} MB) loaded to {out}, "
        f"{result.held} were there already"
    )
