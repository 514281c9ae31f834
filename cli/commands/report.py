"""``nighttrain report``: what a night was, as a table, as one HTML file, or as the results document."""

from __future__ import annotations

import shutil
import sys
import tempfile
import webbrowser
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import OUT
from cli.command import Debug
from cli.orders import AnyUrl, Out, TokenFile, client_of

if TYPE_CHECKING:
    from common.client.client import OperatorClient
    from common.out_folder import OutFolder
    from common.protocol.results import Results
    from common.protocol.runs import RunView

EPILOG = """\b
examples:
  nighttrain report                              the last night that has ended, as a table
  nighttrain report 12 --html night-12.html      the whole report as one file
  nighttrain report --open                       the same in the browser
  nighttrain report 12 --json > night-12.json
  docker compose exec coordinator nighttrain report     in the container

Without N it is the last night that has ended, or the running one if none has. Of a night that still runs
everything is told so far: the table is its ten lines, and so is --json. Where no coordinator runs, it is what
was written in the out folder when the night ended.

\b
exit codes:
  0  the report was shown
  1  there is no night yet or none of that number, or the coordinator does not answer
  2  a mistake in options, or the file cannot be written
"""


def report(
    night: Annotated[
        int | None, typer.Argument(metavar="N", help="one particular night, by its number")
    ] = None,
    number: Annotated[int | None, typer.Option("--run", metavar="N", hidden=True)] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="write the whole report to a file; - prints it"),
    ] = None,
    browse: Annotated[
        bool, typer.Option("--open", help="open the whole report in the browser of this machine")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the whole results document instead of the table")
    ] = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    debug: Debug = False,
) -> int:
    """Show what a night was: the results, or its report as one HTML file."""
    del debug
    from cli.local.nights_measured import kept_night
    from common.errors import NotFoundError, UnavailableError
    from common.out_folder import OutFolder

    night = night if night is not None else number
    folder = OutFolder(out)
    try:
        client = client_of(url, token_file, out)
    except NotFoundError:
        kept = kept_night(folder, night)
        if kept is None:
            raise
        return _show_kept(folder, *kept, html, browse, as_json)
    try:
        with client:
            newest = client.runs(limit=2).runs
            run = client.run(night) if night is not None else _last(newest)
            if html is not None or browse:
                return _hand_out(client.report(run.id).encode(), run.id, html, browse)
            return _print(client, run, newest, as_json)
    except UnavailableError as error:
        # It may be that of containers that have been stopped.
        kept = kept_night(folder, night) if url is None else None
        if kept is None:
            raise
        print(f"nighttrain: {error.detail}; this is what is kept in {out}", file=sys.stderr)
        return _show_kept(folder, *kept, html, browse, as_json)


def _show_kept(
    folder: OutFolder, path: Path, results: Results, html: Path | None, browse: bool, as_json: bool
) -> int:
    from cli.local.nights_measured import unfinished

    written = folder.report(results.finished)
    if html is not None or browse:
        return _hand_out(_read(written), results.run, html, browse)
    going = unfinished(folder, results.run)
    return _show(
        (going,) if going else (), results, as_json, _places(path, written if written.exists() else None)
    )


def _print(client: OperatorClient, run: RunView, newest: Sequence[RunView], as_json: bool) -> int:
    from common.protocol.runs import RunState

    if run.state is RunState.RUNNING:
        digest = client.digest(run.id)
        print(digest.model_dump_json(indent=2) if as_json else "\n".join((digest.subject, *digest.lines)))
        return 0
    running = [_progress(one) for one in newest if one.state is RunState.RUNNING]
    written = Path(run.report_path) if run.report_path else None
    places = _places(Path(run.results_path), written) if run.results_path else ()
    return _show(running, client.results(run.id), as_json, places)


def _read(report: Path) -> bytes:
    from common.errors import NotFoundError

    try:
        return report.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise NotFoundError(
            f"the report {report} cannot be read: {why}", "nighttrain up makes it again"
        ) from error


def _show(before: Sequence[str], results: Results, as_json: bool, places: Iterable[str]) -> int:
    from cli.screen.plain_table import lines

    if as_json:
        print(results.model_dump_json(by_alias=True, indent=2))
        return 0
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in (*before, *lines(results, width), *places):
        print(line)
    return 0


def _hand_out(content: bytes, night: int, html: Path | None, browse: bool) -> int:
    """Write a report where it is wanted, and open it."""
    from common.whole_file import write_whole

    if html == Path("-"):
        sys.stdout.write(content.decode("utf-8", errors="replace"))
        return 0
    path = html or Path(tempfile.mkdtemp(prefix="nighttrain-")) / f"night-{night}.html"
    write_whole(path, content)
    print(f"report {path}")
    if browse and not webbrowser.open(path.resolve().as_uri()):
        print("no browser was found here: open that file by hand", file=sys.stderr)
    return 0


def _last(newest: Sequence[RunView]) -> RunView:
    from common.errors import NotFoundError
    from common.protocol.runs import RunState

    # There is one unfinished run at most, and it is the newest: of two, one has ended.
    if not newest:
        raise NotFoundError("there is no night yet", "begin one with nighttrain start or nighttrain run")
    return next((run for run in newest if run.state is not RunState.RUNNING), newest[0])


def _progress(run: RunView) -> str:
    return f"night {run.id} is running: {run.training.final} of {run.training.total} cells are done"


def _places(results: Path, report: Path | None) -> Iterator[str]:
    from common.out_folder import OutFolder

    out = OutFolder(results.parent.parent)
    yield f"results {results}"
    if report is not None:
        yield f"report  {report}"
    yield f"models  {out.models}"
    yield f"logs    {out.logs}"
