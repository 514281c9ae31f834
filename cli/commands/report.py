"""``nighttrain report``: the results of the last night of a running coordinator."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import URL, Debug, Url

if TYPE_CHECKING:
    from common.protocol.runs import RunView

EPILOG = """\b
examples:
  docker compose exec coordinator nighttrain report     in the container
  nighttrain report --run 12 --json > night-12.json

Shown is the last night that has ended; if another one is running, the report says so.

\b
exit codes:
  0  results were shown
  1  no night has ended yet, or the coordinator does not answer
  2  a mistake in options
"""


def report(
    url: Url = URL,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="its token, where reading is not open to everybody")
    ] = None,
    number: Annotated[
        int | None, typer.Option("--run", metavar="N", help="one particular night, by its number")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the whole results document instead of the table")
    ] = False,
    debug: Debug = False,
) -> int:
    """Show the results of the last night of a running coordinator."""
    from cli.screen.plain_table import lines
    from common.client.client import OperatorClient
    from common.protocol.runs import RunState

    del debug
    with OperatorClient(url, token_file) as client:
        newest = client.runs(limit=2).runs
        run = client.run(number) if number is not None else _ended(newest)
        results = client.results(run.id)
    if as_json:
        print(results.model_dump_json(by_alias=True, indent=2))
        return 0
    running = [one for one in newest if one.state is RunState.RUNNING]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in (*map(_progress, running), *lines(results, width), *_places(run)):
        print(line)
    return 0


def _ended(newest: Sequence[RunView]) -> RunView:
    from common.errors import NotFoundError
    from common.protocol.runs import RunState

    # There is one unfinished run at most, and it is the newest: of two, one has ended.
    for run in newest:
        if run.state is not RunState.RUNNING:
            return run
    raise NotFoundError("; ".join(("no night has ended yet", *map(_progress, newest))))


def _progress(run: RunView) -> str:
    return f"night {run.id} is running: {run.training.final} of {run.training.total} cells are done"


def _places(run: RunView) -> Iterator[str]:
    from common.out_folder import OutFolder

    if run.results_path:
        out = OutFolder(Path(run.results_path).parent.parent)
        yield f"results {run.results_path}"
        yield f"models  {out.models}"
        yield f"logs    {out.logs}"
