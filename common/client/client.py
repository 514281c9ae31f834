"""The part of the coordinator's HTTP interface that is for operators, as functions.

Each is one line of the tables in `common.protocol`, and raises what `common.client.connection` says.
"""

from __future__ import annotations

import time
import uuid
from urllib.parse import quote

from common.client.caller import Caller
from common.client.connection import Backoff
from common.errors import UnavailableError
from common.protocol.alerts import AlertPage
from common.protocol.champions import ChampionHistory, ChampionPage, ModelDifference
from common.protocol.job_views import JobDetail, JobPage
from common.protocol.jobs import JobKind, JobState
from common.protocol.nights import NightDifference, NightDigest
from common.protocol.results import Results
from common.protocol.runs import RunPage, RunRequest, RunView
from common.protocol.status import Health, StatusDocument
from common.protocol.steering import KEY_HEADER, Action, AuditPage, Order, Steered

REPEATS = 3
"""How often an order is sent again to a coordinator that does not answer: it may only be restarting."""


class OperatorClient(Caller):
    """What an operator asks of a coordinator.

    Parameters
    ----------
    url : str
        Where the coordinator listens.
    token : Path or None
        The file with the bearer token; None where nothing is changed.
    """

    def create_run(self, request: RunRequest) -> tuple[RunView, bool]:
        """Ask for a night, and return it and whether it was made now.

        An unfinished one with the same configuration is continued.
        """
        answer = self._connection.send("POST", "/api/runs", request)
        return answer.read(RunView), answer.status == 201

    def runs(self, *, limit: int | None = None, offset: int | None = None) -> RunPage:
        """Return runs, the newest first."""
        return self._connection.send("GET", "/api/runs", query={"limit": limit, "offset": offset}).read(
            RunPage
        )

    def run(self, run_id: int) -> RunView:
        """Return one run."""
        return self._connection.send("GET", f"/api/runs/{run_id}").read(RunView)

    def results(self, run_id: int, *, so_far: bool = False) -> Results:
        """Return the results of a run; one that has not ended has none but `so_far` (`NotFoundError`)."""
        path = f"/api/runs/{run_id}/results"
        return self._connection.send("GET", path, query={"so_far": so_far or None}).read(Results)

    def report(self, run_id: int) -> str:
        """Return the report of a run as HTML; of one that goes on, what is known so far."""
        return self._connection.send("GET", f"/api/runs/{run_id}/report").content.decode()

    def digest(self, run_id: int) -> NightDigest:
        """Return a run in ten lines, likewise."""
        return self._connection.send("GET", f"/api/runs/{run_id}/digest").read(NightDigest)

    def steer_run(self, run_id: int, action: Action, order: Order) -> Steered:
        """Pause, resume, end or cancel a run, or have its failed jobs tried again."""
        return self._steer(f"/api/runs/{run_id}/{action}", order)

    def steer_job(self, job_id: int, action: Action, order: Order) -> Steered:
        """Have a job tried again, cancelled, or handed out next."""
        return self._steer(f"/api/jobs/{job_id}/{action.removesuffix('_job')}", order)

    def unpark(self, run_id: int, symbol: str, order: Order) -> Steered:
        """Have the jobs of a parked symbol handed out again."""
        return self._steer(f"/api/runs/{run_id}/symbols/{quote(symbol, safe='')}/unpark", order)

    def roll_back(self, cell: str, order: Order) -> Steered:
        """Make the model champion of a cell again that was before the present one."""
        return self._steer(f"/api/champions/{quote(cell, safe='')}/rollback", order)

    def champions(self) -> ChampionPage:
        """Return the champion of each cell."""
        return self._connection.send("GET", "/api/champions").read(ChampionPage)

    def champion(self, cell: str) -> ChampionHistory:
        """Return the champion of a cell, with its history."""
        return self._connection.send("GET", f"/api/champions/{quote(cell, safe='')}").read(ChampionHistory)

    def compare_models(self, left: int, right: int) -> ModelDifference:
        """Return what differs between the models of two jobs."""
        query = {"left": left, "right": right}
        return self._connection.send("GET", "/api/models/difference", query=query).read(ModelDifference)

    def compare_runs(self, left: int, right: int) -> NightDifference:
        """Return what differs between two runs."""
        query = {"left": left, "right": right}
        return self._connection.send("GET", "/api/nights/difference", query=query).read(NightDifference)

    def audit(self, *, run: int | None = None, job: int | None = None, limit: int | None = None) -> AuditPage:
        """Return what operators have changed, the newest first."""
        query = {"run": run, "job": job, "limit": limit}
        return self._connection.send("GET", "/api/audit", query=query).read(AuditPage)

    def _steer(self, path: str, order: Order) -> Steered:
        # With its key the same order can be sent again after an answer that was lost.
        headers = {KEY_HEADER: uuid.uuid4().hex}
        backoff = Backoff()
        while True:
            try:
                return self._connection.send("POST", path, order, headers=headers).read(Steered)
            except UnavailableError:
                if backoff.failures >= REPEATS:
                    raise
                time.sleep(backoff.wait())

    def jobs(
        self,
        *,
        run: int | None = None,
        state: JobState | None = None,
        symbol: str | None = None,
        timeframe: str | None = None,
        horizon: int | None = None,
        kind: JobKind | None = None,
        since: int | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> JobPage:
        """Return the jobs that match, in the order of the grid.

        With `since`, the `revision` of an earlier page of the run, only those that changed after it or are at
        work.
        """
        query = {"symbol": symbol, "timeframe": timeframe, "horizon": horizon, "kind": kind}
        page = {"run": run, "state": state, "since": since, "limit": limit, "offset": offset}
        return self._connection.send("GET", "/api/jobs", query=query | page).read(JobPage)

    def job(self, job_id: int) -> JobDetail:
        """Return all that is known of one job."""
        return self._connection.send("GET", f"/api/jobs/{job_id}").read(JobDetail)

    def status(self) -> StatusDocument:
        """Return the whole night in one document."""
        return self._connection.send("GET", "/api/status").read(StatusDocument)

    def alerts(
        self, *, firing: bool | None = None, limit: int | None = None, offset: int | None = None
    ) -> AlertPage:
        """Return alerts, the firing ones first; `firing` leaves only those that do, or only the others."""
        query = {"firing": None if firing is None else str(firing).lower(), "limit": limit, "offset": offset}
        return self._connection.send("GET", "/api/alerts", query=query).read(AlertPage)

    def health(self) -> Health:
        """Return whether the coordinator's process is up."""
        return self._connection.send("GET", "/healthz").read(Health)

    def ready(self) -> Health:
        """Return whether the coordinator can work; it is an `UnavailableError` until it can."""
        return self._connection.send("GET", "/readyz").read(Health)
