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
        jobs: list[JobView] = []
        while status.run is not None:
            page = self.client.jobs(run=status.run.id, limit=PAGE, offset=len(jobs))
            jobs += page.jobs
            if len(jobs) >= page.total or not page.jobs:
                break
        return Look(self.client.url, status, tuple(jobs), time.monotonic() - began)

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
