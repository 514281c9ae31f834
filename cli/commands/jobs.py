"""``nighttrain jobs``: the jobs of a night, why they wait or failed, and orders about single ones."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cli.arguments import OUT
from cli.command import Command, Debug, Group, Json
from cli.orders import (
    EXIT_CODES,
    AnyUrl,
    Night,
    Out,
    Preview,
    Reason,
    TokenFile,
    client_of,
    dump,
    made,
    night_of,
    order,
    tell,
)

if TYPE_CHECKING:
    from common.client.client import OperatorClient
    from common.protocol.steering import Action

LIST_EPILOG = f"""\b
examples:
  nighttrain jobs list                              all jobs of the newest night
  nighttrain jobs list --state failed --json
  nighttrain jobs list --night 3 --symbol BTC/USDT --timeframe 1h

{EXIT_CODES}"""

SHOW_EPILOG = f"""\b
examples:
  nighttrain jobs show BTCUSDT_1h_H3       a cell of the newest night
  nighttrain jobs show 17                  a job by its id
  nighttrain jobs show "survey of BTCUSDT" --json

{EXIT_CODES}"""

WHY_EPILOG = f"""\b
examples:
  nighttrain jobs why BTCUSDT_1h_H3        why it waits, has failed, or was not promoted
  nighttrain jobs why 17 --json

{EXIT_CODES}"""

RETRY_EPILOG = f"""\b
examples:
  nighttrain jobs retry BTCUSDT_1h_H3                     one job, or several
  nighttrain jobs retry --failed --reason "disk cleared"  all that have failed
  nighttrain jobs retry --failed --cause oom --preview    those of one cause; says only what would be done
  nighttrain jobs retry --failed --message "it broke"     those with exactly this message

Budgets begin anew, saved folds are kept. Cells whose candles were refused are surveyed again first.

{EXIT_CODES}"""

CANCEL_EPILOG = f"""\b
examples:
  nighttrain jobs cancel BTCUSDT_1m_H5 --reason "takes too long"
  nighttrain jobs cancel 17 18 --preview

Saved folds are kept; nighttrain jobs retry goes on with them.

{EXIT_CODES}"""

NEXT_EPILOG = f"""\b
examples:
  nighttrain jobs next BTCUSDT_1h_H3       before all others, with the survey that it may need
  nighttrain jobs next 17 --json

{EXIT_CODES}"""

UNPARK_EPILOG = f"""\b
examples:
  nighttrain jobs unpark BTCUSDT --reason "the days are there"
  nighttrain jobs unpark BTC/USDT --night 3

{EXIT_CODES}"""

app = typer.Typer(cls=Group, help="List jobs, say why they wait or failed, retry, cancel or prefer them.")

Choice = TypeVar("Choice", bound=StrEnum)
One = Annotated[str, typer.Argument(metavar="JOB", help="its id, or its name such as BTCUSDT_1h_H3")]
Several = Annotated[list[str], typer.Argument(metavar="JOB...", help="ids, or names such as BTCUSDT_1h_H3")]


@app.command("list", cls=Command, epilog=LIST_EPILOG)
def list_jobs(
    night: Night = None,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="only queued, leased, succeeded, failed or cancelled ones"),
    ] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="only survey or training jobs")] = None,
    symbol: Annotated[str | None, typer.Option(metavar="S", help="only those of this symbol")] = None,
    timeframe: Annotated[str | None, typer.Option(metavar="T", help="only those of this timeframe")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=500, help="how many at most")] = 500,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """List the jobs of a night."""
    from cli.screen.jobs import job_table
    from common.protocol.jobs import JobKind, JobState

    del debug
    with client_of(url, token_file, out) as client:
        page = client.jobs(
            run=night_of(client, night),
            state=_one_of("state", JobState, state),
            kind=_one_of("kind", JobKind, kind),
            symbol=symbol,
            timeframe=timeframe,
            limit=limit,
        )
    if as_json:
        return dump(page)
    print(job_table(page))
    return 0


@app.command(cls=Command, epilog=SHOW_EPILOG)
def show(
    job: One,
    night: Night = None,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Show all that is known of a job: attempts, causes, folds, scores."""
    from cli.screen.jobs import job_page

    del debug
    with client_of(url, token_file, out) as client:
        detail = client.job(find(client, job, night))
    if as_json:
        return dump(detail)
    print(job_page(detail))
    return 0


@app.command(cls=Command, epilog=WHY_EPILOG)
def why(
    job: One,
    night: Night = None,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Say in sentences why a job waits, has failed, or was not promoted."""
    import json

    from cli.screen.jobs import name_of, reasons

    del debug
    with client_of(url, token_file, out) as client:
        detail = client.job(find(client, job, night))
    told = reasons(detail)
    if as_json:
        print(
            json.dumps(
                {"job": detail.id, "name": name_of(detail), "state": detail.state, "why": told}, indent=2
            )
        )
    else:
        print("\n".join(told))
    return 0


@app.command(cls=Command, epilog=RETRY_EPILOG)
def retry(
    jobs: Annotated[
        list[str] | None, typer.Argument(metavar="JOB...", help="ids, or names such as BTCUSDT_1h_H3")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="all that have failed, or a group")] = False,
    cause: Annotated[
        str | None, typer.Option(metavar="CAUSE", help="of those only the ones of this cause, such as oom")
    ] = None,
    message: Annotated[
        str | None, typer.Option(metavar="TEXT", help="of those only the ones with this message")
    ] = None,
    reason: Reason = "",
    night: Night = None,
    preview: Preview = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Try jobs again that have failed or were cancelled."""
    from common.errors import ConfigurationError
    from common.protocol.steering import Action, RetryOrder

    del debug
    if bool(jobs) == failed:
        raise ConfigurationError("which jobs?", "name jobs, or say --failed")
    if not failed and (cause or message):
        raise ConfigurationError("--cause and --message choose among the failed jobs", "say --failed too")
    with client_of(url, token_file, out) as client:
        if failed:
            wanted = made(RetryOrder, order(reason, preview, cause=cause, message=message))
            return tell(client.steer_run(night_of(client, night), Action.RETRY, wanted), as_json)
        return _steer(client, jobs or [], night, Action.RETRY, reason, preview, as_json)


@app.command(cls=Command, epilog=CANCEL_EPILOG)
def cancel(
    jobs: Several,
    reason: Reason = "",
    night: Night = None,
    preview: Preview = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Cancel jobs that are not over; trainers learn of it at their next renewal."""
    from common.protocol.steering import Action

    del debug
    with client_of(url, token_file, out) as client:
        return _steer(client, jobs, night, Action.CANCEL_JOB, reason, preview, as_json)


@app.command("next", cls=Command, epilog=NEXT_EPILOG)
def run_next(
    jobs: Several,
    reason: Reason = "",
    night: Night = None,
    preview: Preview = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Hand jobs out before all others, in this order."""
    from common.protocol.steering import Action

    del debug
    with client_of(url, token_file, out) as client:
        return _steer(client, jobs, night, Action.NEXT, reason, preview, as_json)


@app.command(cls=Command, epilog=UNPARK_EPILOG)
def unpark(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="a symbol that is parked")],
    reason: Reason = "",
    night: Night = None,
    preview: Preview = False,
    url: AnyUrl = None,
    token_file: TokenFile = None,
    out: Out = OUT,
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Hand the jobs of a symbol out again that was parked because cell after cell of it failed."""
    from common.protocol.steering import Order
    from common.settings.night import canonical_symbol

    del debug
    wanted = made(Order, order(reason, preview))
    with client_of(url, token_file, out) as client:
        return tell(client.unpark(night_of(client, night), canonical_symbol(symbol), wanted), as_json)


def find(client: OperatorClient, job: str, night: int | None) -> int:
    """Return the id of a job that is named by its id or by its name.

    Raises
    ------
    InvalidRequestError
        It is neither.
    NotFoundError
        The night has no such job.
    """
    from common.errors import NotFoundError
    from common.protocol.jobs import Cell, JobKind

    if job.isdigit():
        return int(job)
    run = night_of(client, night)
    if job.startswith("survey of "):
        page = client.jobs(run=run, symbol=job.removeprefix("survey of "), kind=JobKind.SURVEY, limit=1)
    else:
        cell = Cell.of_name(job)
        page = client.jobs(
            run=run, symbol=cell.symbol, timeframe=cell.timeframe, horizon=cell.horizon, limit=1
        )
    if not page.jobs:
        raise NotFoundError(f"night {run} has no job {job}", "nighttrain jobs list names them")
    return page.jobs[0].id


def _steer(
    client: OperatorClient,
    names: list[str],
    night: int | None,
    action: Action,
    reason: str,
    preview: bool,
    as_json: bool,
) -> int:
    """Give one order about each job, and print what was done: one document, or a list of several."""
    from common.protocol.steering import Order

    wanted = made(Order, order(reason, preview))
    # A name that is wrong is found before anything is done.
    ids = [find(client, name, night) for name in names]
    answers = [client.steer_job(job_id, action, wanted) for job_id in ids]
    if as_json and len(answers) > 1:
        print("[\n" + ",\n".join(answer.model_dump_json(indent=2) for answer in answers) + "\n]")
        return 0
    return max(tell(answer, as_json) for answer in answers)


def _one_of(option: str, kind: type[Choice], value: str | None) -> Choice | None:
    from common.errors import ConfigurationError

    if value is not None and value not in tuple(kind):
        raise ConfigurationError(f"--{option}: there is no {value!r}", f"use one of {', '.join(kind)}")
    return None if value is None else kind(value)
