"""Show what the last night of a running coordinator came to: ``python3 -m cli.commands.report``."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.commands.start import URL
from common import summary
from common.client.client import OperatorClient
from common.errors import NighttrainError, NotFoundError
from common.protocol.results import Results
from common.protocol.runs import RunState, RunView

EPILOG = """\
Shown is the last night that has ended; one that is under way is said to be.

exit codes:
  0  results were shown
  1  no night has ended yet, or the coordinator does not answer
  2  a mistake in options
"""
GAP = "   "


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the results, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with OperatorClient(options.url, options.token_file) as client:
            newest = client.runs(limit=2).runs
            run = client.run(options.run) if options.run is not None else _ended(newest)
            results = client.results(run.id)
    except NighttrainError as error:
        print(f"cli.commands.report: {error}", file=sys.stderr)
        return error.kind.exit_code
    if options.json:
        print(results.model_dump_json(by_alias=True, indent=2))
        return 0
    going = [one for one in newest if one.state is RunState.RUNNING]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in (*map(_under_way, going), *report(results, width), *_places(run)):
        print(line)
    return 0


def report(results: Results, width: int | None = None) -> Iterator[str]:
    """Yield a plain table, symbol x timeframe, then failures, findings and the totals.

    What stands below the table is broken to the width of the terminal, or not at all without one.
    """
    yield summary.title(results)
    yield ""
    rows = [(symbol, *(cell.text for cell in cells)) for symbol, cells in summary.rows(results)]
    yield from _table([("symbol", *results.config.timeframes), *rows])
    yield ""
    yield summary.LEGEND
    for line in (*summary.failures(results.jobs), *summary.findings(results), summary.totals(results)):
        yield summary.wrapped(line, width)


def _ended(newest: Sequence[RunView]) -> RunView:
    # There is one unfinished run at most, and it is the newest: of two, one has ended.
    for run in newest:
        if run.state is not RunState.RUNNING:
            return run
    raise NotFoundError("; ".join(("no night has ended yet", *map(_under_way, newest))))


def _under_way(run: RunView) -> str:
    return f"night {run.id} is under way: {run.training.final} of {run.training.total} cells are over"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _places(run: RunView) -> Iterator[str]:
    if run.results_path:
        logs = Path(run.results_path).parent
        yield f"results {run.results_path}"
        yield f"models  {logs.parent / 'artifacts' / 'direction'}"
        yield f"logs    {logs}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m cli.commands.report",
        description="Shows what the last night of a running coordinator came to.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default=URL, help=f"where the coordinator listens ({URL})")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="its token, where reading is not open to everybody"
    )
    parser.add_argument("--run", type=int, metavar="N", help="a certain night, by its number")
    parser.add_argument("--json", action="store_true", help="print the whole results document instead")
    return parser


if __name__ == "__main__":
    sys.exit(main())
