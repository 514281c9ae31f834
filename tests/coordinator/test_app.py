"""The web application: a night passes over it from its beginning to its results."""

from __future__ import annotations

import subprocess
import sys

import httpx

from common.protocol.job_views import JobDetail, JobPage
from common.protocol.results import Results
from common.protocol.runs import RunPage, RunView
from common.protocol.status import StatusDocument
from common.protocol.trainers import REASON_HEADER
from coordinator.assembly import Parts
from tests.coordinator.specimens import claim
from tests.coordinator.wire import body, trained


def test_a_night_passes_over_http_from_its_beginning_to_its_results(
    client: httpx.Client, parts: Parts
) -> None:
    run = trained(client)
    assert client.get(f"/api/runs/{run}/results").status_code == 404
    nothing = client.post("/api/claims", **body(claim("t1-boot")))
    assert (nothing.status_code, nothing.headers[REASON_HEADER], nothing.headers["Retry-After"]) == (
        204,
        "empty",
        "1",
    )
    parts.housekeeping.tick()
    results = Results.model_validate_json(client.get(f"/api/runs/{run}/results").content)
    assert results.totals.promoted == 4
    status = StatusDocument.model_validate_json(client.get("/api/status").content)
    assert status.run is not None and status.run.promoted == 4
    assert RunPage.model_validate_json(client.get("/api/runs").content).runs[0] == status.run
    assert RunView.model_validate_json(client.get(f"/api/runs/{run}").content) == status.run
    page = JobPage.model_validate_json(client.get("/api/jobs").content)
    assert page.total == 5
    detail = JobDetail.model_validate_json(client.get(f"/api/jobs/{page.jobs[1].id}").content)
    assert detail.report is not None and detail.history[0].trainer == "t1"


def test_a_start_builds_no_model_of_the_document_of_its_interface() -> None:
    script = "import coordinator.app, fastapi.openapi.models as m; print(m.OpenAPI.__pydantic_complete__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
