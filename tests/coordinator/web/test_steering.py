"""Each form that steers: what it needs, what it does, and that nothing else does it."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import update

from common.protocol.job_views import JobView
from common.protocol.jobs import Cause, JobKind, JobState
from coordinator.alerts import store_own
from coordinator.assembly import Parts
from coordinator.store import tables
from tests.coordinator.specimens import failure, finish, hello, survey_report
from tests.coordinator.web.browsing import HTML, form_token, press, sign_in
from tests.coordinator.wire import begin, granted, trained


@pytest.fixture
def signed(anonymous: httpx.Client) -> httpx.Client:
    sign_in(anonymous)
    return anonymous


def jobs(parts: Parts, **filters: object) -> tuple[JobView, ...]:
    return parts.job_listing.page(filters, 500, 0).jobs


def test_who_has_not_signed_in_changes_nothing(client: httpx.Client, anonymous: httpx.Client) -> None:
    run = begin(client)
    for path in (f"/runs/{run}/pause", f"/jobs/{run}/next", "/champions/BTCUSDT_1h_H3/rollback"):
        asked = anonymous.get(path, headers=HTML)
        assert asked.status_code == 303 and asked.headers["location"].startswith("/login?then=")
        assert anonymous.post(path, data={"form_token": "x"}).status_code == 401
        # The token of the interface is no session: a form is sent by a browser that signed in.
        assert client.post(path, data={"form_token": "x"}).status_code == 401
    assert client.get(f"/api/runs/{run}").json()["paused"] is None


def test_a_form_without_its_token_changes_nothing(client: httpx.Client, signed: httpx.Client) -> None:
    run = begin(client)
    token = form_token(signed.get(f"/runs/{run}/pause").text)
    for sent in ({}, {"form_token": "x"}, {"form_token": token[:-1]}):
        assert signed.post(f"/runs/{run}/pause", data=sent).status_code == 403
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert signed.post(f"/runs/{run}/pause", data={"form_token": token}, headers=foreign).status_code == 403
    assert client.get(f"/api/runs/{run}").json()["paused"] is None


def test_asking_changes_nothing_and_sending_twice_changes_once(
    client: httpx.Client, signed: httpx.Client
) -> None:
    run = begin(client)
    page = signed.get(f"/runs/{run}/pause").text
    assert "This touches" in page and client.get(f"/api/runs/{run}").json()["paused"] is None
    sent = {"form_token": form_token(page), "key": "one-key", "reason": "why <b>not</b>"}
    for _ in range(2):
        answer = signed.post(f"/runs/{run}/pause", data=sent)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert len(client.get("/api/audit").json()["entries"]) == 1
    shown = signed.get("/").text
    assert "why &lt;b&gt;not&lt;/b&gt;" in shown and "<b>not" not in shown


def test_what_was_done_is_said_once(client: httpx.Client, signed: httpx.Client) -> None:
    run = begin(client)
    press(signed, f"/runs/{run}/pause")
    assert f"Night {run} is paused" in signed.get("/trainers").text
    assert f"Night {run} is paused" not in signed.get("/trainers").text


def test_an_order_that_cannot_be_given_says_why(client: httpx.Client, signed: httpx.Client) -> None:
    run = begin(client)
    press(signed, f"/runs/{run}/cancel")
    answer = signed.get(f"/runs/{run}/pause", headers=HTML)
    assert (
        answer.status_code == 409
        and "was cancelled" in answer.text
        and "That cannot be done now" in answer.text
    )
    assert signed.get("/runs/99/pause", headers=HTML).status_code == 404


def test_a_job_is_run_next_cancelled_and_tried_again(
    client: httpx.Client, signed: httpx.Client, parts: Parts
) -> None:
    begin(client)
    [survey] = jobs(parts, kind=JobKind.SURVEY)
    last = jobs(parts, kind=JobKind.TRAINING)[-1]
    assert press(signed, f"/jobs/{last.id}/next").status_code == 303
    assert press(signed, f"/jobs/{last.id}/cancel").status_code == 303
    assert parts.job_listing.detail(last.id).state is JobState.CANCELLED
    assert press(signed, f"/jobs/{last.id}/retry").status_code == 303
    assert parts.job_listing.detail(last.id).state is JobState.QUEUED
    actions = [entry["action"] for entry in client.get("/api/audit").json()["entries"]]
    assert actions == ["retry", "cancel_job", "next"] and survey.state is JobState.QUEUED


def test_a_model_is_promoted_and_rolled_back_with_a_reason_only(
    client: httpx.Client, signed: httpx.Client, parts: Parts
) -> None:
    trained(client)
    parts.housekeeping.tick()
    cell = jobs(parts, kind=JobKind.TRAINING)[0]
    name = f"{cell.symbol}_{cell.timeframe}_H{cell.horizon}"
    assert "required" in signed.get(f"/champions/{name}/rollback").text
    refused = press(signed, f"/champions/{name}/rollback")
    assert refused.status_code == 422 and "say why" in refused.text
    assert press(signed, f"/champions/{name}/rollback", reason="it lost").status_code == 303
    assert press(signed, f"/jobs/{cell.id}/promote", reason="it wins again").status_code == 303
    actions = [entry["action"] for entry in client.get("/api/audit").json()["entries"]]
    assert actions == ["promote", "rollback"]


def test_a_group_is_tried_again_and_no_other(
    client: httpx.Client, signed: httpx.Client, parts: Parts
) -> None:
    run = begin(client)
    parts.queue.register(hello())
    survey = granted(client)
    parts.queue.finish(survey.lease_id, finish(survey_report(survey.spec)))  # type: ignore[arg-type]
    for message in ("<script>alert(1)</script>", "another"):
        parts.queue.fail(granted(client).lease_id, failure(Cause.DATA, message))
    page = signed.get("/failures").text
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    answer = press(signed, f"/runs/{run}/retry?cause=data&message=another")
    assert answer.status_code == 303
    [left] = jobs(parts, state=JobState.FAILED)
    assert left.message == "<script>alert(1)</script>"


def test_a_hostile_symbol_and_a_hostile_alert_stay_text(client: httpx.Client, parts: Parts) -> None:
    begin(client)
    script = "<script>alert(1)</script>"
    with parts.database.write() as tx:
        for table in (tables.jobs, tables.symbols):
            tx.connection.execute(update(table).values(symbol=script))
        store_own(
            tx,
            name=script,
            labels={"severity": "critical"},
            summary=script,
            description=script,
            runbook=f"deploy/runbook.md#{script}",
            starts=tx.now,
            ends=None,
        )
    for path in ("/", "/failures", "/trainers"):
        page = client.get(path).text
        assert "<script>alert" not in page and "<script" not in page.partition("</head>")[2], path
    shown = client.get("/")
    assert shown.status_code == 200 and shown.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 3
