"""The screens as a browser gets them: what they hold, what they refuse, and how fast they answer."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update

from common.settings.given import Given
from common.settings.night import NightSettings
from coordinator.assembly import Parts
from coordinator.configuration import Configuration
from coordinator.store.tables import attempts, jobs, reports
from tests.coordinator.specimens import Night, failure, renewal, settings
from tests.coordinator.web.browsing import HTML
from tests.coordinator.wire import Serve

HOSTILE = "<script>alert('x')</script>"
WITHIN_SECONDS = 0.2
"""How long a page of a database of 5,000 jobs may take."""


@pytest.fixture
def told(parts: Parts, tmp_path: Path) -> Night:
    """The coordinator of `parts`, told what trainers would tell it."""
    return Night(parts.database, settings(), tmp_path)


def read(client: httpx.Client, path: str, status: int = 200) -> str:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
    return answer.text


def two_nights(night: Night) -> None:
    """A night that is over with one failure, and one with other settings."""
    boot = night.start()
    for _ in range(3):
        night.queue.fail(night.grant(boot).lease_id, failure(message="it broke badly"))
        night.clock.advance(600)
    night.finish_all(boot, auc=0.56)
    for _ in range(20):
        night.clock.advance(600)
        night.finish_all(boot, auc=0.56)
    night.housekeeping.tick()
    night.begin(n_splits=4)
    night.survey_all(boot)
    night.finish_all(boot, auc=0.53, seed="second")
    night.housekeeping.tick()


@pytest.mark.parametrize("path", ["/timeline", "/data", "/nights", "/compare"])
def test_before_the_first_night_a_screen_says_how_to_start_one(anonymous: httpx.Client, path: str) -> None:
    page = read(anonymous, path)
    assert "No night has begun yet" in page and "make run" in page


def test_screens_that_need_no_night_are_there_before_the_first(anonymous: httpx.Client) -> None:
    assert "No model has been promoted yet" in read(anonymous, "/models")
    assert "BT_NIGHT_N_SPLITS" in read(anonymous, "/settings")
    assert 'id="trainerlost"' in read(anonymous, "/runbook")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/jobs/999", 404, "there is no job 999"),
        ("/jobs/99999999999", 422, "job"),
        ("/nights/9", 404, "there is no night 9"),
        ("/timeline?run=9", 404, "there is no night 9"),
        ("/data?run=9", 404, "there is no night 9"),
        ("/compare?before=8&after=9", 404, "there is no night"),
        ("/models/BTCUSDT/1h/7", 404, "no night has trained BTCUSDT_1h_H7"),
        ("/models/BTCUSDT/7m/1", 404, "'7m' is no timeframe"),
        ("/models/jobs/1/model.pkl", 404, "job 1 has no model"),
        ("/models/jobs/..%2f..%2ftoken/model.pkl", 404, "there is no page"),
        ("/models/jobs/token/model.json", 422, "job"),
        ("/timeline?trainr=x", 422, "there is nothing called 'trainr' to choose by"),
        ("/timeline?since=yesterday", 422, "'yesterday' is no since that can be shown: a time like"),
    ],
)
def test_what_there_is_not_is_a_page_with_a_way_back(
    anonymous: httpx.Client, told: Night, path: str, status: int, words: str
) -> None:
    told.start()
    page = unescape(read(anonymous, path, status))
    assert words.lower() in page.lower() and 'href="/"' in page


def test_a_job_says_how_it_went_and_why_it_is_promoted_or_not(anonymous: httpx.Client, told: Night) -> None:
    two_nights(told)
    page = unescape(read(anonymous, "/jobs/5"))
    assert "BTCUSDT_1h_H1" in page and "Promoted: it met every condition." in page
    assert "AUC 0.5600 is at least 0.52." in page and "Brier score 0.2450 is at most 0.26." in page
    assert "this report has no curves" in page and 'href="/models/jobs/5/model.pkl"' in page
    refused = unescape(read(anonymous, "/jobs/15"))
    assert "Not promoted: it missed" in refused
    [tried] = [one for one in told.jobs(run_id=1) if one.attempts > 2]
    page = read(anonymous, f"/jobs/{tried.id}")
    assert page.count('class="attempt"') == tried.attempts and "it broke badly" in page


def test_a_job_that_waits_or_runs_says_so(anonymous: httpx.Client, told: Night) -> None:
    boot = told.start()
    grant = told.grant(boot)
    assert "Why it waits: it waits for a free trainer" in read(anonymous, f"/jobs/{grant.job_id + 1}")
    told.queue.renew(grant.lease_id, renewal(stage="folds", done=2, total=11))
    page = read(anonymous, f"/jobs/{grant.job_id}")
    assert "step 2 of 11 (folds)" in page and "0.5 GiB of 2.0 GiB so far" in page
    assert "What the survey found" in read(anonymous, "/jobs/1")


def test_a_model_is_downloaded_as_it_was_stored(anonymous: httpx.Client, told: Night) -> None:
    two_nights(told)
    pickle = anonymous.get("/models/jobs/5/model.pkl")
    manifest = anonymous.get("/models/jobs/5/model.json")
    assert hashlib.sha256(pickle.content).hexdigest() == manifest.json()["pickle_sha256"]
    assert "BTCUSDT_1h_H1_logreg_optimized.pkl" in pickle.headers["Content-Disposition"]
    assert pickle.headers["X-Content-Type-Options"] == "nosniff"


def test_filters_are_in_the_address_and_several_hold_at_once(anonymous: httpx.Client, told: Night) -> None:
    two_nights(told)
    every = read(anonymous, "/models")
    assert every.count('<th scope="row">') == 8
    some = read(anonymous, "/models?symbol=BTCUSDT&timeframe=1h&horizon=1&horizon=3")
    assert some.count('<th scope="row">') == 2
    assert read(anonymous, "/models?symbol=NONE").count('<th scope="row">') == 0
    assert read(anonymous, "/data?run=1&symbol=ETHUSDT").count("Coverage of ETHUSDT") == 2
    assert 'name="run" value="1"' in read(anonymous, "/data?run=1&symbol=ETHUSDT")


def test_two_nights_are_compared_and_what_changed_is_said(anonymous: httpx.Client, told: Night) -> None:
    two_nights(told)
    page = unescape(read(anonymous, "/compare?before=1&after=2"))
    assert "-0.0300" in page and "5 → 4" in page and "<code>n_splits</code>" in page
    assert "Night 1 and night 2" in read(anonymous, "/compare")


def test_nights_are_browsable_with_links_to_all_of_each(anonymous: httpx.Client, told: Night) -> None:
    two_nights(told)
    page = read(anonymous, "/nights")
    for link in ("/nights/1", "/timeline?run=1", "/data?run=1", "/api/runs/1/results"):
        assert f'href="{link}"' in page
        assert anonymous.get(link).status_code == 200
    assert read(anonymous, "/nights/1").count('id="cell-') == 8


def test_the_timeline_is_zoomed_by_its_address(anonymous: httpx.Client, told: Night) -> None:
    two_nights(told)
    whole = read(anonymous, "/timeline?run=1")
    assert whole.count('<a href="/jobs/') > 8
    later = read(anonymous, "/timeline?run=1&since=2026-03-02T14:00:00Z&until=2026-03-02T15:00:00Z")
    assert later.count('<a href="/jobs/') == 0 and "Whole night" in later
    assert "Whole night" in read(anonymous, "/timeline?run=1&since=9999-12-31T23:59:59Z")
    assert read(anonymous, "/timeline?run=1&trainer=nobody").count("No trainer was there") == 1


def test_settings_show_source_and_default_and_hide_passwords(serve: Serve, parts: Parts) -> None:
    told = NightSettings(n_splits=7, database_url="postgresql+psycopg://user:sesame@db/night")
    client = serve(
        replace(parts, configuration=Configuration(Given(told, {"n_splits": "night.yaml"}))), token=""
    )
    page = read(client, "/settings?changed=true")
    assert "night.yaml" in page and "finished settings" in page and page.count("<tr class=") == 2
    assert "sesame" not in page and "user:***@db" in page


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://user:se/same@db/night",
        "postgresql+psycopg://user:se@same@db/night",
        "postgresql+psycopg://db/night?user=user&password=sesame&sslmode=require",
    ],
)
def test_no_part_of_a_password_is_shown(serve: Serve, parts: Parts, address: str) -> None:
    told = NightSettings(database_url=address)
    page = read(
        serve(replace(parts, configuration=Configuration(Given(told))), token=""), "/settings?changed=true"
    )
    assert "same" not in page.partition("database_url")[2].partition("</tr>")[0].replace("the same", "")


def test_what_comes_from_outside_is_text_on_every_screen(
    anonymous: httpx.Client, told: Night, parts: Parts
) -> None:
    two_nights(told)
    with parts.database.write() as tx:
        tx.connection.execute(update(jobs).where(jobs.c.symbol == "BTCUSDT").values(symbol=HOSTILE))
        tx.connection.execute(update(jobs).values(message=HOSTILE))
        tx.connection.execute(
            update(attempts).values(message=HOSTILE, evidence=HOSTILE + "\x1b[31m", trainer=HOSTILE)
        )
        tx.connection.execute(
            text("UPDATE reports SET document = replace(document, 'exact', :x)"), {"x": HOSTILE}
        )
        tx.connection.execute(
            update(reports).where(reports.c.job_id == 1).values(document=_hostile_survey(tx.connection))
        )
    paths = ["/jobs/5", "/jobs/1", "/timeline?run=1", "/models", "/data?run=1", "/nights", "/nights/1"]
    paths += ["/compare?before=1&after=2", f"/timeline?run=1&trainer={HOSTILE}", f"/models?symbol={HOSTILE}"]
    for path in paths:
        page = read(anonymous, path)
        assert "<script>alert" not in page and "\x1b" not in page, path
    assert HOSTILE in unescape(read(anonymous, "/jobs/5"))
    assert HOSTILE in unescape(read(anonymous, "/data?run=1"))


def _hostile_survey(connection: Any) -> str:
    document = connection.execute(text("SELECT document FROM reports WHERE job_id = 1")).scalar_one()
    finding = (
        '{"defect":"<script>alert(1)</script>","timeframe":"1h","count":1,"action":"kept",'
        '"first":"<script>alert(2)</script>","detail":"<script>alert(3)</script>"}'
    )
    return str(document).replace('"findings":[]', f'"findings":[{finding}]')


def test_pages_of_five_thousand_jobs_are_fast(anonymous: httpx.Client, told: Night, parts: Parts) -> None:
    grid = NightSettings()
    told.start(symbols=grid.symbols, timeframes=grid.timeframes, horizons=grid.horizons)
    told.finish_all("t1-boot", auc=0.56)
    told.housekeeping.tick()
    with parts.database.write() as tx:
        multiply(tx.connection, 45)
        assert tx.connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() > 5000
    slow = {}
    paths = ["/jobs/50", "/jobs/5000", "/timeline?run=46", "/models", "/models/BTCUSDT/1h/1", "/data?run=46"]
    for path in [*paths, "/nights", "/nights/46", "/compare?before=45&after=46", "/settings", "/runbook"]:
        took = []
        for _ in range(4):
            # The reader's part in it is counted too; what other processes take is not.
            began = time.process_time()
            read(anonymous, path)
            took.append(time.process_time() - began)
        slow[path] = min(took)
    assert {path: took for path, took in slow.items() if took > WITHIN_SECONDS} == {}, slow


def multiply(connection: Any, times: int) -> None:
    """Copy the one night that there is, with its jobs, attempts, reports and models."""
    [count] = connection.execute(text("SELECT max(id) FROM jobs")).one()
    columns = {
        table: [row[1] for row in connection.execute(text(f"PRAGMA table_info({table})"))]
        for table in ("runs", "jobs", "attempts", "reports", "manifests")
    }
    changed = {
        "id": "id + :jobs * {n}",
        "job_id": "job_id + :jobs * {n}",
        "run_id": "1 + {n}",
        "lease_id": "lease_id || '-{n}'",
    }
    for n in range(1, times + 1):
        for table, names in columns.items():
            own = {**changed, "id": "1 + {n}"} if table == "runs" else changed
            values = ", ".join(own.get(name, f'"{name}"').format(n=n) for name in names)
            where = {"runs": "id = 1", "jobs": "run_id = 1", "attempts": "job_id <= :jobs"}.get(
                table, "job_id <= :jobs"
            )
            listed = ", ".join(f'"{name}"' for name in names)
            connection.execute(
                text(f"INSERT INTO {table} ({listed}) SELECT {values} FROM {table} WHERE {where}"),
                {"jobs": count} if ":jobs" in values + where else {},
            )
