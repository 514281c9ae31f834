"""``nighttrain data``: candles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import separated
from cli.command import Command, Debug, Group

EPILOG = """\b
examples:
  nighttrain data sample --out data/sample    two years of 1m candles of six symbols, always the same
  nighttrain data sample --out /tmp/tiny --symbols BTCUSDT --days 30
"""

app = typer.Typer(cls=Group, help="Make candles to train on.")


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
    print(f"sample candles (synthetic): {out}")
    return 0
