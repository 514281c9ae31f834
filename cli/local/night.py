"""A whole night on this machine, from start to report.

One pass: settings -> out folder -> candles -> coordinator -> run -> trainers -> watch -> results.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from cli.local.crew import at_work
from cli.local.head_start import Ahead
from cli.local.interrupt import EXIT_INTERRUPTED, Interrupt, interruptible
from cli.local.nights_measured import read_results
from cli.local.preparation import Order, assert_room, configured, prepared
from cli.local.watch import LOOK_SECONDS, Watch
from cli.screen.progress import display_for
from cli.screen.rich_table import print_summary
from common import logs
from common.out_folder import OutFolder, held
from common.protocol.jobs import Cause, JobState
from common.protocol.results import Results
from common.settings.given import Given


def train(order: Order, fresh: bool, retrain: bool, as_json: bool, ahead: Ahead | None = None) -> int:
    """Train a night and return the exit code.

    Parameters
    ----------
    order : Order
        What the command line asks for.
    fresh : bool
        Start over instead of resuming an unfinished night.
    retrain : bool
        Train a cell again even if nothing has changed since it was trained last.
    as_json : bool
        Print the results document to stdout, and all else to stderr.
    ahead : Ahead or None
        What is started already.

    Raises
    ------
    NighttrainError
        Anything that stands in the way, with what to do about it.
    """
    given = configured(order)
    console = console_for(as_json)
    assert_room(given.settings, console)
    with held(order.out) as out, interruptible() as interrupt:
        logs.configure(out.launcher_log, order.debug, "nighttrain.launcher", stderr=False)
        try:
            given = prepared(order, given, out, console, interrupt)
            document, path = _night(given, order, out, fresh, retrain, interrupt, console, as_json, ahead)
        except KeyboardInterrupt:
            console.print("interrupted; progress is saved: run the same command to continue", soft_wrap=True)
            return EXIT_INTERRUPTED
        written = out.report(document.finished)
        report = f"\nreport  {written}" if written.exists() else ""
        where = f"results {path}{report}\nmodels  {out.models}\nlogs    {out.logs}"
        where += f"\npage    {order.spelled('up')} shows it again, with all nights of the folder"
        console.print(where, highlight=False, soft_wrap=True)
        return _exit_code(document)


def _exit_code(results: Results) -> int:
    """Return 0 where all that has candles was trained; cells without are no failure beside others."""
    refused = sum(job.state is JobState.FAILED and job.cause is Cause.DATA for job in results.jobs)
    sums = results.totals
    return 0 if sums.succeeded > 0 and sums.succeeded + refused == sums.jobs else 1


def console_for(as_json: bool) -> Console:
    """Return the console that people read; with JSON on stdout it is stderr."""
    # Paths and messages may have brackets and colons in them: they are no markup.
    width = None if sys.stdout.isatty() else 120
    return Console(stderr=as_json, width=width, markup=False, emoji=False)


def _night(
    given: Given,
    order: Order,
    out: OutFolder,
    fresh: bool,
    retrain: bool,
    interrupt: Interrupt,
    console: Console,
    as_json: bool,
    ahead: Ahead | None,
) -> tuple[Results, Path]:
    settings, display = given.settings, display_for(console)
    with at_work(given, out, order.debug, interrupt, display, ahead=ahead) as crew:
        crew.hire(settings)
        client = crew.client
        run = crew.begin(settings, fresh, retrain)
        crew.send_to_work()
        patience = settings.retry.storage_seconds
        watch = Watch(client, crew.watched(patience), run.id, display, patience)

        def is_over() -> bool:
            over = watch.look()
            if not over:
                crew.assert_able()
            return over

        crew.supervision.until(is_over, LOOK_SECONDS)
        path = Path(watch.results_path)
        # The coordinator, which is writing its report, would have to put them together anew.
        document = read_results(path) or crew.supervision.ask(lambda: client.results(run.id))
        crew.send_home()
        display.close()
        # While the coordinator ends, which writes its report before.
        if as_json:
            sys.stdout.write(document.model_dump_json(by_alias=True, indent=2) + "\n")
        print_summary(document, console)
        return document, path
