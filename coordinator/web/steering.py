"""Forms that steer a night: each says first what it would do and how many jobs it touches, then does it.

What they do is done by the same functions as behind `/api`, recorded and logged alike.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import Depends, Form, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from common.errors import InvalidRequestError
from common.protocol.jobs import Cause, Cell
from common.protocol.steering import Order, PauseOrder, ReasonedOrder, RetryOrder, Steered
from coordinator.api.access import CellName, JobId, PartsOf, RunId
from coordinator.api.steering import asked_by
from coordinator.audit import Request as Asked
from coordinator.web.access import SAID, ReaderOf, SignInFirst, places_of
from coordinator.web.addresses import local
from coordinator.web.forms import SteeringForm
from coordinator.web.rendering import Page, render
from coordinator.web.screens import page_router

SAID_SECONDS = 20

router = page_router()


@dataclass(frozen=True)
class Deed:
    """What is asked of an operator before it is done.

    `undone` says how it can be undone; empty: it cannot, and the button warns. A `reasoned` one needs a
    reason, and one that `may_give_back` asks what becomes of running jobs.
    """

    question: str
    button: str
    undone: str = ""
    reasoned: bool = False
    may_give_back: bool = False


OF_RUN = {
    "pause": Deed("Pause night {}?", "Pause the night", "It goes on when you resume it.", may_give_back=True),
    "resume": Deed("Resume night {}?", "Resume the night", "You can pause it again."),
    "end": Deed("End night {} now?", "End the night now"),
    "cancel": Deed("Cancel night {}?", "Cancel the night"),
    "retry": Deed("Try failed jobs of night {} again?", "Try again", "You can cancel the jobs again."),
}
OF_JOB = {
    "retry": Deed("Try job {} again?", "Try again", "You can cancel it again."),
    "cancel": Deed("Cancel job {}?", "Cancel the job", "You can have it tried again."),
    "next": Deed("Hand out job {} next?", "Run it next", "To take it back, cancel the job and try it again."),
    "promote": Deed("Promote the model of job {}?", "Promote", "You can roll back.", reasoned=True),
}
UNPARK = Deed("Hand out the jobs of {} again?", "Release the symbol", "It is parked again if its cells fail.")
ROLLBACK = Deed("Roll back the champion of {}?", "Roll back", "You can promote it again.", reasoned=True)

Act = Callable[[dict[str, Any], Asked], Steered]
"""Does what is asked for, given who wants it and why."""


def who_steers(reader: ReaderOf) -> None:
    """Let only those ask what would be done who may do it; the others are led to sign in."""
    if not reader.may_steer:
        raise SignInFirst


STEERS = (Depends(who_steers),)


@dataclass(frozen=True)
class Asking:
    """Everything of a form but what it is about."""

    request: Request
    then: str
    by: str = ""
    reason: str = ""
    key: str = ""
    give_back: bool = False


def sent(
    request: Request,
    _: SteeringForm,
    then: Annotated[str, Form()] = "/",
    by: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    key: Annotated[str, Form(max_length=100)] = "",
    give_back: Annotated[bool, Form()] = False,
) -> Asking:
    """Return what was filled in, by somebody who may."""
    return Asking(request, local(then), by, reason, key, give_back)


Sent = Annotated[Asking, Depends(sent)]
Then = Annotated[str, Query()]
Message = Annotated[str | None, Query()]
RunDeed = Literal["pause", "resume", "end", "cancel", "retry"]
JobDeed = Literal["retry", "cancel", "next", "promote"]


@router.get("/runs/{run}/{deed}", dependencies=STEERS)
async def ask_of_run(
    request: Request,
    run: RunId,
    deed: RunDeed,
    parts: PartsOf,
    reader: ReaderOf,
    then: Then = "/",
    cause: Cause | None = None,
    message: Message = None,
) -> Response:
    """Say what would be done to a night."""
    act = _act_on_run(parts, run, deed, cause, message)
    return await _asked(request, reader, OF_RUN[deed], str(run), then, act)


@router.post("/runs/{run}/{deed}")
async def do_to_run(
    run: RunId,
    deed: RunDeed,
    parts: PartsOf,
    asking: Sent,
    cause: Cause | None = None,
    message: Message = None,
) -> Response:
    """Do it."""
    return await _done(asking, OF_RUN[deed], _act_on_run(parts, run, deed, cause, message))


@router.get("/runs/{run}/symbols/{symbol}/unpark", dependencies=STEERS)
async def ask_of_symbol(
    request: Request, run: RunId, symbol: str, parts: PartsOf, reader: ReaderOf, then: Then = "/"
) -> Response:
    """Say what would be done to a parked symbol."""
    return await _asked(request, reader, UNPARK, symbol, then, _unpark(parts, run, symbol))


@router.post("/runs/{run}/symbols/{symbol}/unpark")
async def do_to_symbol(run: RunId, symbol: str, parts: PartsOf, asking: Sent) -> Response:
    """Do it."""
    return await _done(asking, UNPARK, _unpark(parts, run, symbol))


@router.get("/jobs/{job}/{deed}", dependencies=STEERS)
async def ask_of_job(
    request: Request, job: JobId, deed: JobDeed, parts: PartsOf, reader: ReaderOf, then: Then = "/"
) -> Response:
    """Say what would be done to a job."""
    name = await run_in_threadpool(lambda: parts.job_listing.detail(job))
    said = f"{name.symbol}_{name.timeframe}_H{name.horizon}" if name.timeframe else f"survey of {name.symbol}"
    return await _asked(request, reader, OF_JOB[deed], said, then, _act_on_job(parts, job, deed))


@router.post("/jobs/{job}/{deed}")
async def do_to_job(job: JobId, deed: JobDeed, parts: PartsOf, asking: Sent) -> Response:
    """Do it."""
    return await _done(asking, OF_JOB[deed], _act_on_job(parts, job, deed))


@router.get("/champions/{cell}/rollback", dependencies=STEERS)
async def ask_of_champion(
    request: Request, cell: CellName, parts: PartsOf, reader: ReaderOf, then: Then = "/"
) -> Response:
    """Say what would be done to a champion."""
    return await _asked(request, reader, ROLLBACK, cell, then, _roll_back(parts, cell))


@router.post("/champions/{cell}/rollback")
async def do_to_champion(cell: CellName, parts: PartsOf, asking: Sent) -> Response:
    """Do it."""
    return await _done(asking, ROLLBACK, _roll_back(parts, cell))


def _act_on_run(parts: PartsOf, run: int, deed: str, cause: Cause | None, message: str | None) -> Act:
    steering = parts.steering

    def act(said: dict[str, Any], asked: Asked) -> Steered:
        if deed == "pause":
            return steering.pause(run, PauseOrder(**said), asked)
        if deed == "retry":
            return steering.retry(run, RetryOrder(**said, cause=cause, message=message), asked)
        plain = {"resume": steering.resume, "end": steering.end, "cancel": steering.cancel}[deed]
        done = plain(run, Order(**said), asked)
        if deed in ("end", "cancel") and not done.preview:
            parts.housekeeping.wake()
        return done

    return act


def _act_on_job(parts: PartsOf, job: int, deed: str) -> Act:
    steering = parts.steering

    def act(said: dict[str, Any], asked: Asked) -> Steered:
        if deed == "promote":
            done = steering.promote(job, ReasonedOrder(**said), asked)
            parts.housekeeping.wake()
            return done
        plain = {"retry": steering.retry_job, "cancel": steering.cancel_job, "next": steering.run_next}[deed]
        return plain(job, Order(**said), asked)

    return act


def _unpark(parts: PartsOf, run: int, symbol: str) -> Act:
    def act(said: dict[str, Any], asked: Asked) -> Steered:
        return parts.steering.unpark(run, symbol, Order(**said), asked)

    return act


def _roll_back(parts: PartsOf, cell: str) -> Act:
    def act(said: dict[str, Any], asked: Asked) -> Steered:
        done = parts.steering.roll_back(Cell.of_name(cell), ReasonedOrder(**said), asked)
        parts.housekeeping.wake()
        return done

    return act


async def _asked(request: Request, reader: ReaderOf, deed: Deed, name: str, then: str, act: Act) -> Response:
    preview = {"preview": True, **({"reason": "to see what would be done"} if deed.reasoned else {})}
    effect = await run_in_threadpool(act, preview, Asked(""))
    content = {
        "deed": deed,
        "question": deed.question.format(name),
        "effect": effect,
        "then": local(then),
        "key": secrets.token_hex(16),
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    }
    page = Page("confirm.html", deed.button, content)
    return HTMLResponse(render(page, request.url.path, reader, places_of(request)).html)


async def _done(asking: Asking, deed: Deed, act: Act) -> Response:
    said: dict[str, Any] = {"by": asking.by, "reason": asking.reason}
    if deed.may_give_back:
        said["give_back"] = asking.give_back
    try:
        effect = await run_in_threadpool(act, said, asked_by(asking.request, asking.key))
    except ValidationError as error:
        mistake = error.errors()[0]
        words = f"{mistake['loc'][0]}: {mistake['msg'].removeprefix('Value error, ')}"
        raise InvalidRequestError(words, "go back and fill it in") from None
    done = RedirectResponse(asking.then, HTTPStatus.SEE_OTHER)
    words = effect.words if effect.changed else f"Nothing was changed: {effect.words}"
    done.set_cookie(SAID, quote(words[:600]), max_age=SAID_SECONDS, httponly=True, samesite="strict")
    return done
