"""Nights are steered from the browser: what is pressed is asked about first, done, and recorded."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from common.protocol.jobs import JobKind, JobState
from common.protocol.runs import RunState
from common.protocol.steering import Action, PauseOrder
from common.protocol.trainers import Grant
from coordinator.queue.breakers import read_breakers
from coordinator.store.database import Database, sqlite_url
from tests.coordinator.specimens import Clock, Night, failure, settings, spec_of
from tests.coordinator.web.conftest import MakePlace, Place
from tests.coordinator.web.visiting import MakeVisit
from tests.trainer.real_night import Coordinator, RealNight, eventually


@pytest.fixture(scope="module")
def steered(places: MakePlace) -> Place:
    return places(horizons=[1])


@pytest.fixture
def going(steered: Place) -> Place:
    """A night that nobody trains yet."""
    # The night of the test before may be about to end.
    eventually(steered.night.begin)
    return steered


def actions(place: Place) -> list[str]:
    entries = place.night.operator.audit(run=place.night.run).entries
    assert all(entry.origin.startswith("127.0.0.1 Mozilla") for entry in entries)
    return [str(entry.action) for entry in entries]


def confirmed(page: Page, button: str, reason: str = "") -> None:
    if reason:
        page.get_by_label(re.compile("^Why")).fill(reason)
    page.get_by_role("main").get_by_role("button", name=button).click()
    page.locator(".said").wait_for()


def test_without_the_token_there_are_no_buttons_and_with_a_wrong_one_no_session(
    going: Place, visit: MakeVisit
) -> None:
    at = visit(going.url)
    page = at.go("/")
    assert page.get_by_role("link", name="Pause").count() == 0
    at.expected = ("401",)
    page.goto(f"{going.url}/runs/{going.night.run}/pause")
    assert page.get_by_role("heading", name="Sign in").count() == 1
    page.get_by_label("Token").fill("not-the-token")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    at.shot("login")
    assert at.barriers() == []
    page.get_by_label("Token").fill(going.token)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name=f"Pause night {going.night.run}?").wait_for()


def test_a_night_is_paused_and_resumed(going: Place, visit: MakeVisit) -> None:
    at = visit(going.url)
    at.sign_in(going.token)
    page = at.go("/")
    page.get_by_role("link", name="Pause").click()
    assert "This touches 9 jobs" in page.inner_text("main")
    at.shot("confirm-pause")
    assert at.barriers() == []
    confirmed(page, "Pause the night", "the machine is needed")
    run = going.night.operator.run(going.night.run)
    assert run.paused is not None and run.paused.reason == "the machine is needed"
    assert "paused" in page.inner_text("#standstill") and "the machine is needed" in page.inner_text(
        "#changes"
    )
    at.shot("night-steered")
    assert at.barriers() == []
    page.get_by_role("link", name="Resume").click()
    confirmed(page, "Resume the night")
    assert going.night.operator.run(going.night.run).paused is None
    assert actions(going) == ["resume", "pause"]


def test_a_night_is_cancelled_only_after_it_was_said_how_many_jobs_that_touches(
    going: Place, visit: MakeVisit
) -> None:
    at = visit(going.url)
    at.sign_in(going.token)
    page = at.go("/")
    page.get_by_role("link", name="Cancel").click()
    assert "This touches 9 jobs" in page.inner_text("main") and "cannot be undone" in page.inner_text("main")
    page.get_by_role("link", name="Do nothing").click()
    assert going.night.operator.run(going.night.run).state is RunState.RUNNING
    page.get_by_role("link", name="Cancel").click()
    confirmed(page, "Cancel the night")
    assert going.night.operator.run(going.night.run).state is RunState.CANCELLED
    page.get_by_text("was cancelled").first.wait_for()


def test_a_night_is_ended_with_what_is_done(going: Place, visit: MakeVisit) -> None:
    at = visit(going.url)
    at.sign_in(going.token)
    page = at.go("/")
    page.get_by_role("link", name="End now").click()
    assert "nothing lost" in page.inner_text("main")
    confirmed(page, "End the night now")
    eventually(lambda: going.night.operator.run(going.night.run).state is RunState.DONE)
    page.get_by_text("is over").first.wait_for()


@pytest.mark.parametrize("link", ["Try these 3 again", "Try all again"])
def test_failures_are_tried_again_as_a_group_or_all_at_once(
    going: Place, visit: MakeVisit, link: str
) -> None:
    operator = going.night.operator
    trainer = going.night.start_trainer(name="trainer-1")
    eventually(lambda: operator.jobs(run=going.night.run, state=JobState.FAILED).total == 3)
    # The night is held, so that it does not end while it is looked at.
    operator.steer_run(going.night.run, Action.PAUSE, PauseOrder(by="test"))
    at = visit(going.url)
    at.sign_in(going.token)
    page = at.go("/failures")
    headline = f"No job failed in night {going.night.run}, 3 are not trainable"
    assert page.get_by_role("heading", level=1).inner_text() == headline
    at.shot("failures-steered")
    assert at.barriers() == []
    page.get_by_role("link", name=link).click()
    assert "This touches 3 jobs" in page.inner_text("main")
    confirmed(page, "Try again")
    assert operator.jobs(run=going.night.run, state=JobState.FAILED).total == 0
    assert operator.jobs(run=going.night.run, symbol="NOCANDLES", state=JobState.QUEUED).total == 3
    assert page.url == f"{going.url}/failures"
    page.get_by_text("Nothing is wrong here").wait_for()
    trainer.kill()


def test_a_parked_symbol_is_released(tmp_path: Path, visit: MakeVisit) -> None:
    coordinator = Coordinator(tmp_path, symbols=["BTCUSDT", "ETHUSDT"], horizons=[1, 3])
    coordinator.out.mkdir()
    database = Database(sqlite_url(coordinator.out / "nighttrain.db"), Clock(datetime.now(UTC)))
    try:
        parked_symbol(Night(database, settings(breaker={"failures": 2}), coordinator.out), "ETHUSDT")
    finally:
        database.close()
    coordinator.start()
    place = Place(coordinator, RealNight(coordinator, tmp_path))
    try:
        at = visit(place.url)
        at.sign_in(place.token)
        page = at.go("/")
        row = page.locator(".grid tbody tr", has_text="ETHUSDT")
        assert "parked until" in row.inner_text()
        at.shot("night-parked")
        row.get_by_role("link", name="Release").click()
        assert "This touches" in page.inner_text("main")
        confirmed(page, "Release the symbol")
        assert "parked" not in page.locator(".grid tbody tr", has_text="ETHUSDT").inner_text()
        with closing(sqlite3.connect(coordinator.out / "nighttrain.db")) as stored:
            [[until]] = stored.execute("SELECT parked_until FROM symbols WHERE symbol = 'ETHUSDT'")
        assert until is None
        # What listens must not hear the coordinator go.
        at.page.close()
    finally:
        place.night.close()
        coordinator.close()


def parked_symbol(night: Night, symbol: str) -> None:
    """Begin a night in which cells of a symbol fail until it is parked."""
    night.database.upgrade()
    boot = night.start(symbols=("BTCUSDT", symbol), timeframes=("1h",), horizons=(1, 3))
    for _ in range(40):
        with night.database.read() as tx:
            if read_breakers(tx.connection, 1)[symbol].parked_until is not None:
                return
        answer = night.claim(boot)
        if not isinstance(answer, Grant):
            night.clock.advance(30)
        elif spec_of(answer).cell.symbol == symbol:
            night.queue.fail(answer.lease_id, failure(message="it broke"))
        else:
            night.succeed(answer)
    raise AssertionError(f"{symbol} was never parked")


def test_a_job_is_put_first_cancelled_and_tried_again_on_its_page(going: Place, visit: MakeVisit) -> None:
    operator = going.night.operator
    job = operator.jobs(run=going.night.run, kind=JobKind.TRAINING).jobs[-1].id
    at = visit(going.url)
    at.sign_in(going.token)
    page = at.go(f"/jobs/{job}")
    page.get_by_role("link", name="Run it next").click()
    confirmed(page, "Run it next")
    page.get_by_role("link", name="Cancel").click()
    assert "This touches 1 job" in page.inner_text("main")
    confirmed(page, "Cancel the job")
    assert operator.job(job).state is JobState.CANCELLED
    page.get_by_role("link", name="Try it again").click()
    confirmed(page, "Try again")
    assert operator.job(job).state is JobState.QUEUED
    assert actions(going) == ["retry", "cancel_job", "next"]


def test_a_model_is_promoted_and_rolled_back_by_hand_with_the_reason(
    places: MakePlace, visit: MakeVisit
) -> None:
    place = places()
    operator = place.night.operator
    trained = operator.jobs(run=1, kind=JobKind.TRAINING, state=JobState.SUCCEEDED).jobs
    other = next(job for job in trained if not job.promoted)
    cell = f"{other.symbol}_{other.timeframe}_H{other.horizon}"
    at = visit(place.url)
    at.sign_in(place.token)
    page = at.go(f"/jobs/{other.id}")
    page.get_by_role("link", name="Promote by hand").click()
    confirmed(page, "Promote", "a bot asks for it")
    champion = operator.champion(cell).champion
    assert champion is not None and champion.job == other.id and champion.reason == "a bot asks for it"
    page.get_by_role("link", name="History of this cell").click()
    page.get_by_text("has a champion").wait_for()
    assert at.barriers() == []
    page.get_by_role("link", name="Roll back").click()
    confirmed(page, "Roll back", "it was a mistake")
    assert operator.champion(cell).champion is None
    page.get_by_text("it was a mistake").wait_for()
