"""Steering a night: what operators may change while it runs, and the record of who changed what.

POST /api/runs/{run}/pause       PauseOrder      -> Steered
POST /api/runs/{run}/resume      Order           -> Steered
POST /api/runs/{run}/end         Order           -> Steered
POST /api/runs/{run}/cancel      Order           -> Steered
POST /api/runs/{run}/retry       RetryOrder      -> Steered
POST /api/runs/{run}/symbols/{symbol}/unpark     Order -> Steered
POST /api/jobs/{job}/retry       Order           -> Steered
POST /api/jobs/{job}/cancel      Order           -> Steered
POST /api/jobs/{job}/next        Order           -> Steered
POST /api/jobs/{job}/promote     ReasonedOrder   -> Steered
POST /api/champions/{cell}/rollback              ReasonedOrder -> Steered
GET  /api/audit?run=&job=&action=&limit=&offset= -> AuditPage, the newest first

Each may be sent any number of times: what is done already is not done again, and `changed` says so. A request
with the header `Idempotency-Key` is answered again as before, even if the night has gone on meanwhile.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from common.frozen import Frozen
from common.protocol.jobs import Cause

KEY_HEADER = "Idempotency-Key"

MAX_REASON_CHARACTERS = 500
MAX_NAME_CHARACTERS = 100
MAX_MESSAGE_CHARACTERS = 10_000


def one_line(text: str) -> str:
    """Return a text of one line, with single spaces; it goes into logs and onto terminals.

    Raises
    ------
    ValueError
        It has characters that cannot be shown.
    """
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError("it has characters that cannot be shown: write plain text")
    return line


def _said(reason: str) -> str:
    if not reason:
        raise ValueError("say why: the reason is kept")
    return reason


Reason = Annotated[str, Field(max_length=MAX_REASON_CHARACTERS), AfterValidator(one_line)]
Name = Annotated[str, Field(max_length=MAX_NAME_CHARACTERS), AfterValidator(one_line)]


class Action(StrEnum):
    """What an operator did; CONFIGURE is a change of the configuration, which the coordinator found."""

    PAUSE = "pause"
    RESUME = "resume"
    END = "end"
    CANCEL = "cancel"
    RETRY = "retry"
    CANCEL_JOB = "cancel_job"
    NEXT = "next"
    UNPARK = "unpark"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    CONFIGURE = "configure"


class Order(Frozen):
    """Who wants it, and why; both are kept."""

    by: Name = ""
    """Who wants it, such as a name; by default `operator`."""
    reason: Reason = ""
    """Why, in one line; may be empty."""
    preview: bool = False
    """Whether only to say what would be done."""


class ReasonedOrder(Order):
    """An order that changes what bots trade on: it needs a reason."""

    reason: Annotated[Reason, AfterValidator(_said)]
    """Why, in one line."""


class PauseOrder(Order):
    """Hand out no more jobs of a night."""

    give_back: bool = False
    """Whether running jobs are given back after their next fold, which is saved, instead of going on to
    their end."""


class RetryOrder(Order):
    """Try failed jobs of a night again: all of them, or a group."""

    cause: Cause | None = None
    """Only jobs that failed by this cause."""
    message: Annotated[str, Field(max_length=MAX_MESSAGE_CHARACTERS)] | None = None
    """Only jobs that failed with this message, whose own name before it may be left out."""


class Steered(Frozen):
    """What was done, or would be done."""

    action: Action
    """What was asked for."""
    run: int | None
    """Id of the run that it is about; null if about none."""
    job: int | None
    """Id of the job that it is about; null if about none or several."""
    changed: bool
    """Whether anything was changed, or would be; false if it was done already."""
    preview: bool
    """Whether it was only asked what would be done."""
    jobs: int
    """How many jobs it touches."""
    folds_saved: int
    """How many finished folds of unfinished jobs are kept."""
    words: str
    """The same in a sentence."""


class Hold(Frozen):
    """Who holds a night back, since when and why."""

    since: datetime
    """Since when."""
    by: str
    """Who wanted it."""
    reason: str
    """Why; may be empty."""

    @property
    def words(self) -> str:
        """Since when, by whom and why, as the end of a sentence."""
        why = f": {self.reason}" if self.reason else ""
        return f"since {self.since:%Y-%m-%d %H:%M} UTC by {self.by}{why}"


class AuditEntry(Frozen):
    """One change by an operator."""

    id: int
    """Its number; later changes have larger ones."""
    time: datetime
    """When it was made."""
    by: str
    """Who made it, as they said."""
    origin: str
    """From where: the address of the client, and the name of its program."""
    action: Action
    """What was done."""
    run: int | None
    """Id of the run that it is about; null if about none."""
    job: int | None
    """Id of the job that it is about; null if about none or several."""
    jobs: int
    """How many jobs it touched."""
    folds_saved: int
    """How many finished folds of unfinished jobs were kept."""
    words: str
    """What was done, in a sentence."""
    reason: str
    """Why; may be empty."""


class AuditPage(Frozen):
    """Some of the changes by operators."""

    total: int
    """How many match the filter in all."""
    limit: int
    """How many were asked for at most."""
    offset: int
    """How many were skipped."""
    entries: tuple[AuditEntry, ...]
    """The changes, the newest first."""
