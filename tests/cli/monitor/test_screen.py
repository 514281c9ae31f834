"""The live screen, driven by its keys, before a real coordinator over real HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static, TabbedContent

from cli.monitor.app import THREAD, Monitor
from cli.monitor.dialogs import ConfirmScreen, JobScreen, TextScreen
from cli.monitor.look import Source
from cli.monitor.table import LiveTable
from common.protocol.jobs import Cause, JobState
from common.protocol.runs import RunState, RunView
from common.settings.sections import Breaker, Retry
from coordinator.app import make_app
from coordinator.assembly import Parts, assemble
from coordinator.store.database import Database
from tests.cli.commands.conftest import TOKEN, Ask
from tests.coordinator.conftest import served
from tests.coordinator.specimens import Clock, Night, failure, renewal, settings
from tests.coordinator.web.loops import in_a_loop
from tests.coordinator.wire import tokens

PATIENCE_SECONDS = 30.0
HOSTILE = "[bold]KeyError[/] \x1b[31m[@click=app.bell]x[/]"

Scenario = Callable[["Driver"], Awaitable[None]]


class Driver:
    """The screen with somebody at its keys."""

    def __init__(self, pilot: Pilot[int], app: Monitor) -> None:
        self.pilot, self.app = pilot, app

    async def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what}\n{self.text('top')}\n{self.told()}"
            await self.pilot.pause(0.02)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def text(self, name: str) -> str:
        return str(self.app.screen.query_one(f"#{name}", Static).content)

    def night(self, name: str) -> str:
        return str(self.app.night.query_one(f"#{name}", Static).content)

    def table(self, pane: str) -> list[list[str]]:
        table = self.app.night.query_one(f"#{pane}-table", LiveTable)
        return [[str(cell) for cell in table.get_row(key)] for key in table.rows]

    def titles(self, pane: str) -> list[str]:
        table = self.app.night.query_one(f"#{pane}-table", LiveTable)
        return [str(column.label) for column in table.columns.values()]

    def told(self) -> list[str]:
        return [one.message for one in self.app._notifications]

    async def says(self, words: str) -> None:
        await self.until(lambda: any(words in one for one in self.told()), f"says {words!r}")

    async def sees(self) -> None:
        await self.until(lambda: self.app.night.look is not None and self.table("cells"), "a first look")


@pytest.fixture
def drive(address: str, token: Path, tmp_path: Path) -> Callable[..., int | None]:
    """Runs a scenario at the screen, and returns the exit code that it was left with."""

    def run(
        scenario: Scenario,
        detailed: bool = False,
        url: str = address,
        token_file: Path | None = token,
        size: tuple[int, int] = (120, 40),
    ) -> int | None:
        async def played() -> int | None:
            source = Source(url, token_file, tmp_path / "nowhere")
            app = Monitor(source, 0.1, detailed)
            async with app.run_test(size=size) as pilot:
                driver = Driver(pilot, app)
                try:
                    await scenario(driver)
                finally:
                    if app.return_value is None:
                        app.action_leave(0)
            for thread in threading.enumerate():
                if thread.name == THREAD:
                    thread.join()
            source.close()
            return app.return_value

        return in_a_loop(played())

    return run


@pytest.fixture
def eventful(work: Night) -> Night:
    """A night in which a cell is done, one has failed with hostile words, and one is worked on."""
    boot = work.start()
    work.succeed(work.grant(boot))
    failed = work.grant(boot)
    work.queue.fail(failed.lease_id, failure(Cause.DATA, HOSTILE))
    running = work.grant(boot)
    work.queue.renew(running.lease_id, renewal(done=2, total=5))
    return work


def job_of(work: Night, state: JobState) -> int:
    return next(job.id for job in work.jobs(kind="training") if job.state is state)


def newest(work: Night) -> RunView:
    return work.run_listing.page(1, 0).runs[0]


def test_it_shows_headline_grid_trainers_and_failures(
    drive: Callable[..., int | None], eventful: Night
) -> None:
    async def look(driver: Driver) -> None:
        await driver.sees()
        assert "Night 1: 2 of 8 cells done (1 trained, 1 not trainable)" in driver.night("headline")
        assert "trainers at work 1 of 1" in driver.night("figures")
        assert driver.titles("cells") == ["symbol", "15m H1", "15m H3", "1h H1", "1h H3"]
        shown = [cell for row in driver.table("cells") for cell in row[1:]]
        assert sorted(set(shown)) == sorted({"○", "✓.560", "∅", "◐2/5"})
        [trainer] = driver.table("trainers")
        assert trainer[:2] == ["t1", "working"] and "crossval 2/5" in trainer[2]
        [group] = driver.table("failed")
        assert group[:2] == ["data", "1"]
        # Words from outside are shown as they are: neither as markup nor as orders to the terminal.
        assert group[3] == r"[bold]KeyError[/] \x1b[31m[@click=app.bell]x[/]"
        await driver.press("q")

    assert drive(look) == 0


def test_it_follows_the_night_and_keeps_the_cursor(drive: Callable[..., int | None], work: Night) -> None:
    boot = work.start()

    async def follow(driver: Driver) -> None:
        await driver.sees()
        await driver.press("down", "right", "right")
        table = driver.app.night.query_one("#cells-table", LiveTable)
        assert table.place() == ("ETHUSDT", "15m 3")
        work.finish_all(boot)
        await driver.until(lambda: "8 of 8" in driver.night("headline"), "the cells are done")
        assert table.place() == ("ETHUSDT", "15m 3")
        work.housekeeping.tick()
        await driver.until(lambda: "Night 1 is over: 8 of 8" in driver.night("headline"), "the end")
        await driver.until(lambda: "★.560" in driver.table("cells")[0], "what was promoted")
        work.begin(symbols=("XRPUSDT",))
        await driver.until(lambda: driver.table("cells")[0][0].startswith("XRPUSDT"), "the next night")

    drive(follow)


def test_enter_opens_a_job_with_why_it_is_where_it_is(
    drive: Callable[..., int | None], eventful: Night
) -> None:
    async def open_them(driver: Driver) -> None:
        await driver.sees()
        await driver.press("tab", "tab")
        assert driver.app.night.query_one(TabbedContent).active == "failed"
        await driver.press("enter")
        await driver.until(lambda: isinstance(driver.app.screen, JobScreen), "the job")
        await driver.until(lambda: "is not trainable" in driver.text("words"), "why it failed")
        assert "the last lines of its log" in driver.text("words")
        assert "\x1b" not in driver.text("words")
        await driver.press("escape", "shift+tab", "shift+tab")
        await driver.press("up", "up", "left", "left", "left", "left", "enter")
        await driver.until(lambda: "survey of BTCUSDT is done" in driver.text("words"), "the survey")

    drive(open_them)


def test_a_filter_hides_rows_and_columns_and_dims_other_states(
    drive: Callable[..., int | None], eventful: Night
) -> None:
    async def narrow(driver: Driver) -> None:
        await driver.sees()
        await driver.press("slash", *"eth", "space", *"1h", "space", *"failed")
        assert driver.titles("cells") == ["symbol", "1h H1", "1h H3"]
        assert [row[0] for row in driver.table("cells")] == ["ETHUSDT"]
        await driver.press("enter")
        assert driver.app.night.query_one("#filter", Input).display
        # Keys are orders again, and no words of the filter.
        await driver.press("slash", "escape")
        assert len(driver.table("cells")) == 2 and len(driver.titles("cells")) == 5

    drive(narrow)


def test_what_can_be_undone_is_done_at_once(
    drive: Callable[..., int | None], eventful: Night, ask: Ask
) -> None:
    failed = job_of(eventful, JobState.FAILED)

    async def steer(driver: Driver) -> None:
        await driver.sees()
        await driver.press("p")
        await driver.says("night 1 is paused")
        assert newest(eventful).paused is not None
        await driver.until(lambda: "Paused since" in driver.night("outlook"), "the pause")
        await driver.press("p")
        await driver.until(lambda: newest(eventful).paused is None, "that it goes on")
        await driver.press("tab", "tab", "r")
        await driver.until(lambda: eventful.detail(failed).state is JobState.QUEUED, "the retry")
        await driver.press("tab", "tab", "n")
        await driver.says("goes next")
        await driver.press("u")
        await driver.says("is not parked")

    drive(steer)
    assert {entry["action"] for entry in ask("nights", "audit")["entries"]} >= {"pause", "resume", "retry"}


def test_what_cannot_be_undone_is_asked_for_with_what_it_would_do(
    drive: Callable[..., int | None], eventful: Night, ask: Ask
) -> None:
    async def cancel(driver: Driver) -> None:
        await driver.sees()
        await driver.press("X")
        await driver.until(lambda: isinstance(driver.app.screen, ConfirmScreen), "the question")
        assert "6 jobs" in driver.text("effect") or "6 " in driver.text("effect")
        await driver.press("enter")
        await driver.until(lambda: driver.app.screen is driver.app.night, "the answer no")
        assert newest(eventful).state is RunState.RUNNING
        await driver.press("X")
        await driver.until(lambda: isinstance(driver.app.screen, ConfirmScreen), "the question")
        await driver.press("shift+tab", *"bad", "enter", "enter")
        await driver.until(
            lambda: newest(eventful).state is RunState.CANCELLED,
            "the night is cancelled",
        )
        await driver.until(lambda: "was cancelled" in driver.night("headline"), "that it is shown")
        await driver.press("p")
        await driver.says("no night is running")

    drive(cancel)
    assert ask("nights", "audit")["entries"][0]["reason"] == "bad"


def test_without_a_token_it_can_only_be_looked_at(drive: Callable[..., int | None], eventful: Night) -> None:
    async def try_it(driver: Driver) -> None:
        await driver.sees()
        assert "only to look at" in driver.night("top")
        await driver.press("p")
        await driver.says("no token is at hand")
        await driver.press("X")
        assert driver.app.screen is driver.app.night

    drive(try_it, token_file=None)
    assert newest(eventful).paused is None


def test_while_the_coordinator_is_away_it_says_since_when_and_goes_on_when_it_is_back(
    drive: Callable[..., int | None], steered: Parts, eventful: Night
) -> None:
    async def wait(driver: Driver, stop: Callable[[], None], start: Callable[[], None]) -> None:
        await driver.sees()
        stop()
        await driver.until(lambda: "last heard" in driver.night("top"), "that it is away")
        assert driver.table("cells")
        await driver.press("p")
        await driver.says("does not answer")
        start()
        await driver.until(lambda: "live" in driver.night("top"), "that it is back")

    first = served(make_app(steered))
    url = first.__enter__()
    port = int(url.rsplit(":", 1)[1])
    second = served(make_app(steered), port=port)
    try:
        drive(lambda d: wait(d, lambda: first.__exit__(None, None, None), second.__enter__), url=url)
    finally:
        second.__exit__(None, None, None)


def test_a_symbol_that_is_parked_is_marked_and_released(
    drive: Callable[..., int | None], database_url: str, clock: Clock, tmp_path: Path
) -> None:
    database = Database(database_url, clock)
    rule = settings(breaker=Breaker(failures=2, park_seconds=600), retry=Retry(error=1))
    parts = assemble(database, rule, tmp_path, tokens(TOKEN), True, Random(1))
    work = Night(database, rule, tmp_path)
    boot = work.start(symbols=("BTCUSDT",))
    for _ in range(2):
        work.queue.fail(work.grant(boot).lease_id, failure(Cause.ERROR, "it broke"))

    async def release(driver: Driver) -> None:
        await driver.sees()
        assert driver.table("cells")[0][0] == "BTCUSDT parked"
        assert "is parked" in driver.night("notes")
        await driver.press("u")
        await driver.until(lambda: driver.table("cells")[0][0] == "BTCUSDT", "that it is released")

    with served(make_app(parts)) as url:
        drive(release, url=url)
    database.close()


def test_details_keys_and_a_small_terminal(drive: Callable[..., int | None], eventful: Night) -> None:
    async def walk(driver: Driver) -> None:
        await driver.sees()
        assert "disk" in driver.night("machine")
        await driver.press("shift+tab")
        assert driver.app.night.query_one(TabbedContent).active == "recent"
        assert driver.table("recent")[0][1] == "◐ running"
        await driver.press("d")
        assert driver.app.night.query_one(TabbedContent).active != "recent"
        assert not driver.app.night.query_one("#machine").display
        await driver.press("question_mark")
        await driver.until(lambda: isinstance(driver.app.screen, TextScreen), "the keys")
        await driver.press("escape", "ctrl+c")

    assert drive(walk, detailed=True, size=(80, 24)) == 130
