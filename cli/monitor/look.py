"""One look at a night: what its coordinator tells of it at a moment, and how to go on asking."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from cli.local.coordinator_at_hand import Place, find
from common.client.client import OperatorClient
from common.errors import ConfigurationError, NotFoundError, UnavailableError
from common.out_folder import OutFolder
from common.protocol.job_views import JobView
from common.protocol.status import StatusDocument

PAGE = 500
"""So many jobs come at once at most."""


@dataclass(frozen=True)
class Look:
    """What a coordinator told.

    Parameters
    ----------
    url : str
        Where it listens.
    status : StatusDocument
        The night.
    jobs : tuple of JobView
        All jobs of the newest run, in the order of the grid.
    seconds : float
        How long it took to ask.
    """

    url: str
    status: StatusDocument
    jobs: tuple[JobView, ...]
    seconds: float


@dataclass(frozen=True)
class _Kept:
    """The jobs of an earlier look, by id in the order of the grid; `of` says of which run they are."""

    of: tuple[object, ...]
    jobs: dict[int, JobView]
    revision: int | None


class Source:
    """Asks the coordinator that is named or found; one that comes back at another address is found again.

    Parameters
    ----------
    url : str or None
        Where it listens; None: it is looked for.
    token_file : Path or None
        The file with its token; None: it is looked for.
    out : Path
        The out folder of a night on this machine.

    Attributes
    ----------
    client : OperatorClient
        May be used from several threads.
    may_steer : bool
        Whether a token is at hand; without one the night can only be looked at.

    Raises
    ------
    NotFoundError
        None was named, and none is found.
    ConfigurationError
        The address or the token file that was named cannot be used.
    """

    def __init__(self, url: str | None, token_file: Path | None, out: Path) -> None:
        self._url, self._token_file, self._out = url, token_file, out
        self._place = find(url, out)
        self._kept: _Kept | None = None
        self.client, self.may_steer = self._connected(self._place)

    def look(self) -> Look:
        """Ask for the night and its jobs.

        Raises
        ------
        NighttrainError
            The coordinator does not answer, or with something else.
        """
        began = time.monotonic()
        try:
            status = self.client.status()
        except UnavailableError:
            self._find_again()
            raise
        jobs = self._jobs_of(status) if status.run is not None else ()
        return Look(self.client.url, status, jobs, time.monotonic() - began)

    def _jobs_of(self, status: StatusDocument) -> tuple[JobView, ...]:
        """Return all jobs of the newest run, of which only those are asked for that have changed.

        Why a queued job waits can change without it. That is looked at where no job is at work, and symbols
        that are parked are named by the warnings; then all are asked for.
        """
        run = status.run
        assert run is not None
        parked = tuple(words for words in status.warnings if "is parked" in words)
        of = (self.client.url, run.id, run.created, parked)
        kept = self._kept
        at_work = run.training.leased + run.surveys.leased > 0
        known, since = (kept.jobs, kept.revision) if kept and kept.of == of and at_work else ({}, None)
        changed, revision = self._asked(run.id, since)
        found = known | {job.id: job for job in changed}
        if len(found) < run.training.total + run.surveys.total and since is not None:
            changed, revision = self._asked(run.id, None)
            found = {job.id: job for job in changed}
        self._kept = _Kept(of, found, revision)
        return tuple(found.values())

    def _asked(self, run_id: int, since: int | None) -> tuple[list[JobView], int | None]:
        jobs: list[JobView] = []
        revision = None
        while True:
            page = self.client.jobs(run=run_id, since=since, limit=PAGE, offset=len(jobs))
            # What changes while pages are read is told again at the next look.
            revision = page.revision if revision is None else revision
            jobs += page.jobs
            if len(jobs) >= page.total or not page.jobs:
                return jobs, revision

    @property
    def has_ended(self) -> bool:
        """Whether it was one of this machine that has stopped by itself, neither killed nor restarted.

        It withdraws its address then, while one that was killed leaves it, and is started again.
        """
        folder = OutFolder(self._out)
        return self._place.token == folder.token and not folder.address.exists()

    def close(self) -> None:
        """Close all connections."""
        self.client.close()

    def _find_again(self) -> None:
        try:
            place = find(self._url, self._out)
        except NotFoundError:
            if self.has_ended:
                where = f"the results of its nights are in {OutFolder(self._out).logs}"
                raise UnavailableError(f"the coordinator at {self.client.url} has ended", where) from None
            return
        if place != self._place:
            self.client.close()
            self._place = place
            self.client, self.may_steer = self._connected(place)

    def _connected(self, place: Place) -> tuple[OperatorClient, bool]:
        if self._token_file is not None:
            return OperatorClient(place.url, self._token_file), True
        if place.token is not None:
            try:
                return OperatorClient(place.url, place.token), True
            except ConfigurationError:
                # Somebody else's night, whose token this user cannot read: looking needs none.
                pass
        return OperatorClient(place.url, None), False
