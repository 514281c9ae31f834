"""The command line: ``nighttrain run``, ``nighttrain data sample``.

Exit codes: 0 all jobs finished, 1 some job failed or something broke, 2 usage or configuration error,
130 interrupted with progress saved.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from common.errors import NighttrainError

EXIT_CODES = """\
exit codes:
  0    all jobs finished (a model that misses the gate is no failure)
  1    some job failed, or something broke
  2    usage or configuration error; nothing was started
  130  interrupted; progress is saved, the same command goes on
"""

RUN_EXAMPLES = """\
examples:
  nighttrain run                                    the whole grid, on data/candles or on a sample
  nighttrain run --data ~/candles --out ~/night     on your candles; the same --out again resumes
  nighttrain run --symbols BTC/USDT ETH/USDT --timeframes 1h 4h --horizons 1
  nighttrain run --trainers 3 --json > results.json
"""

SAMPLE_EXAMPLES = """\
examples:
  nighttrain data sample --out data/sample          two years of 1m candles of six symbols, always the same
  nighttrain data sample --out /tmp/tiny --symbols BTCUSDT --days 30
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="nighttrain",
        description="Trains a grid of direction classifiers on market candles, unattended and leak-free.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"nighttrain {version('nighttrain')}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = _command(
        commands,
        "run",
        "train a night on this machine, from start to report",
        RUN_EXAMPLES + "\n" + EXIT_CODES,
    )
    run.add_argument(
        "--config", type=Path, metavar="FILE", help="the configuration (deploy/night_training.yaml)"
    )
    run.add_argument(
        "--data", type=Path, metavar="DIR", help="folder with candles (data.dir of the configuration)"
    )
    run.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("night"), help="where all is written (night)"
    )
    run.add_argument("--trainers", type=int, metavar="N", help="number of trainers (num_workers)")
    run.add_argument("--symbols", nargs="+", metavar="S", help="only these symbols, e.g. BTCUSDT ETH/USDT")
    run.add_argument("--timeframes", nargs="+", metavar="T", help="only these timeframes, e.g. 1h 4h")
    run.add_argument("--horizons", nargs="+", metavar="H", help="only these horizons in bars, e.g. 1 3")
    run.add_argument("--port", type=int, metavar="PORT", help="port of the coordinator (dashboard.port)")
    run.add_argument(
        "--fresh", action="store_true", help="start over instead of resuming an unfinished night"
    )
    run.add_argument(
        "--json", action="store_true", help="print the results as JSON; the progress goes to stderr"
    )
    run.set_defaults(command=_run)

    data = _command(commands, "data", "candles", SAMPLE_EXAMPLES).add_subparsers(
        metavar="COMMAND", required=True
    )
    sample = _command(data, "sample", "make synthetic candles", SAMPLE_EXAMPLES)
    sample.add_argument(
        "--out", type=Path, metavar="DIR", required=True, help="folder to write the candles to"
    )
    sample.add_argument("--symbols", nargs="+", metavar="S", help="symbols (those of the default grid)")
    sample.add_argument("--days", type=int, metavar="N", help="length in days (730)")
    sample.add_argument("--seed", type=int, metavar="N", help="seed of the random numbers (7)")
    sample.set_defaults(command=_sample)
    return top


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, epilog: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--debug", action="store_true", help="show tracebacks and debug messages")
    return command


def _run(arguments: argparse.Namespace) -> int:
    from cli.commands.run import run

    return run(arguments)


def _sample(arguments: argparse.Namespace) -> int:
    from cli.commands.data import sample

    return sample(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; known errors are one line on stderr."""
    arguments = parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except NighttrainError as error:
        if arguments.debug:
            traceback.print_exc()
        print(f"nighttrain: {error}", file=sys.stderr)
        return error.kind.exit_code
    except KeyboardInterrupt:
        print("nighttrain: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
