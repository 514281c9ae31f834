"""``nighttrain estimate``: how long a night takes, how much memory and disk, before it begins."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import separated
from cli.command import Candles, Config, Debug, Json, Trainers

if TYPE_CHECKING:
    from cli.local.estimate import Estimate, OnCores
    from common.objects.address import Place
    from common.settings.night import NightSettings

EPILOG = """\b
examples:
  nighttrain estimate                                  the configuration, on data/candles or a sample
  nighttrain estimate --data ~/candles --out ~/night   by the nights that were measured there
  nighttrain estimate --symbols BTCUSDT --timeframes 1m 5m --trainers 3 --json

Where no night was measured below --out, a few cells are trained first, which takes some seconds.

\b
exit codes:
  0    an estimate was made
  1    the candles cannot be trained
  2    a mistake in options or configuration
  130  interrupted
"""


def estimate(
    config: Config = None,
    data: Candles = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="out folder of earlier nights")] = Path("night"),
    trainers: Trainers = None,
    symbols: Annotated[list[str] | None, typer.Option(metavar="S...", help="only these symbols")] = None,
    timeframes: Annotated[
        list[str] | None, typer.Option(metavar="T...", help="only these timeframes")
    ] = None,
    horizons: Annotated[list[str] | None, typer.Option(metavar="H...", help="only these horizons")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Say how long a night takes here and on other machines, and what it needs."""
    from cli.commands.config import CONFIG
    from common.settings.night import load

    del debug
    given: dict[str, Any] = {
        "num_workers": trainers,
        "symbols": separated(symbols),
        "timeframes": separated(timeframes),
        "horizons": separated(horizons),
    }
    found = config or (CONFIG if CONFIG.exists() else None)
    return report(load(found, {key: value for key, value in given.items() if value}), data, out, as_json)


def report(settings: NightSettings, data: Place | None, out: Path, as_json: bool) -> int:
    """Estimate, and print it."""
    from cli.local.estimate import estimate as estimated
    from cli.local.interrupt import interruptible
    from cli.screen.waiting import waiting

    with interruptible() as interrupt, waiting() as progress:
        progress.say("estimating; a few cells are trained where no night was measured")
        found = estimated(settings, data, out, interrupt.check)
    if as_json:
        print(json.dumps(asdict(found), indent=2))
    else:
        _print(found)
    return 0


def _print(found: Estimate) -> None:
    rows = sum(one.rows for one in found.series)
    if found.guessed:
        told = f"about {_rounded(rows):,} rows in about {len(found.series)} series"
        print(f"{found.cells} cells, {told}, by the size of their files (nighttrain data check counts them)")
    else:
        print(f"{found.cells} cells, {rows:,} rows in {len(found.series)} series")
    if found.untrainable:
        have = "seem to have" if found.guessed else "have"
        print(f"{found.untrainable} of them {have} no candles, or too few, and take no time: see data check")
    print(f"based on {found.basis}")
    print(f"disk {'about' if found.guessed else 'at most'} {found.disk_bytes / 1024**3:.1f} GiB")
    print()
    print(f"{'cores':>8}  {'trainers':>8}  {'as likely':>10}  {'9 of 10':>10}  {'memory':>9}")
    for one, where in ((found.here, "  this machine"), *((other, "") for other in found.others)):
        print(_line(one) + where)
    print("other machines: if their cores are as fast as these, and busy with nothing else but here")


def _rounded(rows: int) -> int:
    digits = len(str(rows))
    return round(rows, 2 - digits)


def _line(one: OnCores) -> str:
    times = f"{_duration(one.length.p50):>10}  {_duration(one.length.p90):>10}"
    return f"{one.cores:>8g}  {one.trainers:>8}  {times}  {one.memory_bytes / 1024**3:>5.1f} GiB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
