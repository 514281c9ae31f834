"""Addresses that boards write, which know names and no ids."""

from __future__ import annotations

import httpx

from common.protocol.jobs import JobKind
from tests.coordinator.web.conftest import Place


def asked(place: Place, path: str) -> httpx.Response:
    return httpx.get(f"{place.url}{path}", trust_env=False, timeout=30, headers={"accept": "text/html"})


def test_a_cell_leads_to_its_job_in_the_run_that_is_named_or_in_the_newest(place: Place) -> None:
    (job, *_) = place.night.operator.jobs(kind=JobKind.TRAINING).jobs
    cell = f"/cells/{job.symbol}/{job.timeframe}/{job.horizon}"
    for run in (f"?run={job.run_id}", "", "?run=.*", "?run=$__all"):
        answer = asked(place, cell + run)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
    assert asked(place, f"/jobs/{job.id}").status_code == 200


def test_a_cell_that_is_in_no_grid_is_not_found(place: Place) -> None:
    for path in ("/cells/NOBODY/1h/1", "/cells/BTCUSDT/1h/1?run=99999", "/cells/BTCUSDT/7h/1"):
        answer = asked(place, path)
        assert answer.status_code == 404
        assert "has no cell" in answer.text


def test_an_alert_leads_to_its_heading_by_its_name(place: Place) -> None:
    answer = asked(place, "/runbook/NighttrainTrainerLost")
    assert answer.headers["location"] == "/runbook#nighttraintrainerlost"
