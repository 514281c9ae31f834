"""``nighttrain run``: a whole night on this machine, from start to report."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.arguments import OUT, separated
from cli.command import Candles, Config, Debug, OwnOut, Port, Retrain, Trainers

EXIT_CODES = """\b
exit codes:
  0    all that has candles is trained (to miss the gate is no failure, nor is a cell without candles)
  1    some job failed or was cancelled, nothing could be trained, or something broke
  2    usage or configuration error: nothing was started, or no trainer can start any more (the night is kept)
  130  interrupted; progress is saved: run the same command to continue
"""

EPILOG = f"""\b
examples:
  nighttrain run                                  the whole grid, on data/candles or on a sample
  nighttrain run --data ~/candles --out ~/night   on your candles; run it again to continue
  nighttrain run --symbols BTC/USDT ETH/USDT --timeframes 1h 4h --horizons 1
  nighttrain run --trainers 3 --json > results.json

{EXIT_CODES}"""


def run(
    config: Config = None,
    data: Candles = None,
    out: OwnOut = OUT,
    trainers: Trainers = None,
    symbols: Annotated[
        list[str] | None,
        typer.Option(metavar="S...", help="only these symbols, e.g. BTCUSDT ETH/USDT, or all of the folder"),
    ] = None,
    timeframes: Annotated[
        list[str] | None,
        typer.Option(metavar="T...", help="only these timeframes, e.g. 1h 4h, or all that the candles fill"),
    ] = None,
    horizons: Annotated[
        list[str] | None, typer.Option(metavar="H...", help="only these horizons in bars, e.g. 1 3")
    ] = None,
    port: Port = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="begin anew instead of resuming an unfinished night; see --retrain"),
    ] = False,
    retrain: Retrain = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the results as JSON; the progress goes to stderr")
    ] = False,
    debug: Debug = False,
) -> int:
    """Train a night on this machine, from start to report."""
    from cli.local.head_start import ahead
    from common.lean_import import uncollected

    given: dict[str, Any] = {
        "num_workers": trainers,
        "symbols": separated(symbols),
        "timeframes": separated(timeframes),
        "horizons": separated(horizons),
        "dashboard.port": port,
    }
    given = {key: value for key, value in given.items() if value is not None}
    with ahead(out, debug) as started:
        with uncollected():
            # Imported only now, at the same time as what the coordinator needs.
            from cli.local.night import train
            from cli.local.preparation import Order

        return train(Order(config, data, out, given, debug), fresh, retrain, as_json, started)
