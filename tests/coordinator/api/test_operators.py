"""What operators ask: nights are begun and gone on with, jobs are found."""

from __future__ import annotations

from typing import Any

import httpx

from common.protocol.job_views import JobPage
from common.protocol.runs import RunRequest
from common.timeframes import Timeframe
from coordinator.api.errors import Problem
from tests.coordinator.specimens import grid
from tests.coordinator.wire import begin, body, problem, trained

LARGEST = 2**31 - 1


def test_the_same_night_is_gone_on_with_and_another_is_a_conflict(client: httpx.Client) -> None:
    run = begin(client)
    again = client.post("/api/runs", **body(RunRequest(config=grid(symbols=("BTCUSDT",)))))
    assert again.status_code == 200 and again.json()["id"] == run
    other = client.post("/api/runs", **body(RunRequest(config=grid(symbols=("ETHUSDT",)))))
    assert "symbols (there BTCUSDT, here ETHUSDT)" in problem(other, 409, "conflict")["detail"]
    assert client.post(f"/api/runs/{run}/cancel").json()["changed"]
    assert client.get(f"/api/runs/{run}").json()["state"] == "cancelled"


def test_jobs_can_be_filtered_and_paged(client: httpx.Client) -> None:
    run = trained(client)

    def found(**query: Any) -> list[tuple[str, str | None, int | None]]:
        page = JobPage.model_validate_json(client.get("/api/jobs", params=query).content)
        return [(job.symbol, job.timeframe, job.horizon) for job in page.jobs]

    assert found(kind="survey") == [("BTCUSDT", None, None)]
    assert found(timeframe="1h", horizon=3, symbol="btc/usdt", run=run) == [("BTCUSDT", "1h", 3)]
    assert found(state="failed") == [] and found(run=99) == [] and len(found(state="succeeded")) == 5
    assert found(limit=2, offset=1) == [("BTCUSDT", "15m", 1), ("BTCUSDT", "15m", 3)]
    for wrong in ({"state": "asleep"}, {"limit": 0}, {"limit": 501}, {"offset": -1}, {"horizon": "x"}):
        problem(client.get("/api/jobs", params=wrong), 422, "invalid-request")


def test_jobs_that_have_changed_are_asked_for_by_the_revision_of_their_run(client: httpx.Client) -> None:
    run = trained(client)
    page = JobPage.model_validate_json(client.get("/api/jobs", params={"run": run}).content)
    assert page.total == 5 and page.revision is not None
    later = client.get("/api/jobs", params={"run": run, "since": page.revision}).json()
    assert (later["total"], later["revision"]) == (0, page.revision)
    whole = client.get("/api/jobs", params={"run": run, "since": 0}).json()
    assert whole["total"] == 5
    answer = client.get("/api/jobs", params={"since": 0})
    problem(answer, 422, "invalid-request")
    assert "name the run" in answer.json()["hint"] and client.get("/api/jobs").json()["revision"] is None


def test_an_unknown_timeframe_is_told_the_known_ones(client: httpx.Client) -> None:
    assert client.get("/api/jobs?timeframe=1h").json()["total"] == 0
    for wrong in ("7m", "1H", ""):
        answer = client.get("/api/jobs", params={"timeframe": wrong})
        assert answer.status_code == 422 and repr(wrong) in answer.json()["detail"]
        assert all(known in answer.json()["hint"] for known in Timeframe)


def test_numbers_that_no_database_holds_are_refused(client: httpx.Client) -> None:
    for path, code in (
        ("/api/runs/{}", 404),
        ("/api/runs/{}/results", 404),
        ("/api/jobs/{}", 404),
        ("/api/runs?offset={}", 200),
        ("/api/jobs?offset={}", 200),
        ("/api/alerts?offset={}", 200),
        ("/api/jobs?run={}", 200),
        ("/api/jobs?horizon={}", 200),
    ):
        assert client.get(path.format(LARGEST)).status_code == code, path
        for number in (LARGEST + 1, 2**63 - 1, 2**64, 10**40, -1):
            answer = client.get(path.format(number))
            assert answer.status_code == 422, f"{path} {number}"
            assert Problem.model_validate_json(answer.content).type.endswith("invalid-request")
    assert client.post(f"/api/runs/{LARGEST}/cancel").status_code == 404
    assert client.post(f"/api/runs/{LARGEST + 1}/cancel").status_code == 422


def test_a_filter_that_no_database_can_hold_is_no_defect(client: httpx.Client) -> None:
    # PostgreSQL takes no NUL in a text; SQLite does, and finds nothing.
    answer = client.get("/api/jobs?symbol=%00")
    if answer.status_code != 200:
        problem(answer, 422, "invalid-request")
