"""``nighttrain data sample``: synthetic candles where there are no others."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from common.settings.night import load


def sample(arguments: argparse.Namespace) -> int:
    """Write sample candles to ``--out`` and say where they are; return the exit code."""
    given = {
        "symbols": arguments.symbols,
        "data.sample.days": arguments.days,
        "data.sample.seed": arguments.seed,
    }
    settings = load(None, {key: value for key, value in given.items() if value is not None})
    out: Path = arguments.out
    make_sample(out, settings.symbols, settings.data.sample.days, settings.data.sample.seed)
    print(f"sample candles (synthetic): {out}")
    return 0


def make_sample(
    directory: Path,
    symbols: tuple[str, ...],
    days: int,
    seed: int,
    heed: Callable[[], None] = lambda: None,
) -> None:
    """Write the sample to `directory`, saying on stderr how far it is.

    `heed` is called between two symbols, and may raise to stop; the symbols that are there by then are not
    made again.
    """
    # Here and not above: a run that has candles would wait a second for the numeric stack, and not use it.
    from trainer.sources.sample import write_sample

    def say(stage: str, done: int, total: int) -> None:
        del stage
        heed()
        print(f"making sample candles (synthetic): {done} of {total} symbols", file=sys.stderr, flush=True)

    write_sample(directory, symbols, days, seed, say)
