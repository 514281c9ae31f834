"""The launcher's eye on the night, over real HTTP: what it says, and when it gives up."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from cli.local.watch import StatusFeed, Watch
from common.client.client import OperatorClient
from common.errors import ConfigurationError, StorageError, UnavailableError
from common.protocol.jobs import Cause
from common.protocol.runs import HAS_ENDED, RunRequest
from common.protocol.status import StatusDocument, TrainerState
from common.protocol.trainers import Grant
from coordinator.app import make_app
from coordinator.assembly import assemble
from coordinator.store.database import Database, sqlite_url
from tests.coordinator.conftest import served
from tests.coordinator.specimens import FULL_DISK, Clock, Night, disk, failure, grid, settings
from tests.coordinator.wire import tokens

TOKEN = "the-token-of-these-tests-is-long-enough"


class Lines:
    """A display that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.shown: list[StatusDocument] = []

    def show(self, status: StatusDocument) -> None:
        self.shown.append(status)

    def say(self, text: str) -> None:
        self.said.append(text)

    def close(self) -> None:
        pass


class Scene:
    """A night behind a real coordinator that can be switched off, with a watch on it."""

    def __init__(self, folder: Path) -> None:
        database = Database(sqlite_url(folder / "nighttrain.db"), Clock())
        database.upgrade()
        self.night = Night(database, settings(), folder)
        self.run = self.night.begin()
        self.parts = assemble(database, settings(), folder, tokens(TOKEN), True, Random(1))
        self.token = folder / "token"
        self.token.write_text(TOKEN)
        self.lines = Lines()
        self.serving = ExitStack()
        url = self.serve()
        self.port = int(url.rsplit(":", 1)[1])
        self.now = 0.0
        self.client = OperatorClient(url, self.token)
        feed = StatusFeed(self.client, self.lines, 300, lambda: "it cannot start", clock=lambda: self.now)
        self.watch = Watch(self.client, feed, self.run, self.lines, 300, clock=lambda: self.now)

    def serve(self, port: int = 0) -> str:
        return self.serving.enter_context(served(make_app(self.parts), port=port))

    def nobody_can_write(self, seconds: int, *boots: str) -> None:
        for _ in range(seconds // 5):
            for boot in boots:
                answer = self.night.claim(boot)
                if isinstance(answer, Grant):
                    no_room = failure(Cause.STORAGE, "/cache/x: No space left on device")
                    self.night.queue.fail(answer.lease_id, no_room)
            self.night.clock.advance(5)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.client.close()
    made.serving.close()
    made.night.database.close()


def test_it_shows_the_run_until_its_results_are_written(scene: Scene) -> None:
    boot = scene.night.register()
    scene.night.survey_all(boot)
    assert not scene.watch.look()
    scene.night.finish_all(boot)
    assert not scene.watch.look()
    scene.night.housekeeping.tick()
    assert scene.watch.look()
    assert [status.run.training.final for status in scene.lines.shown if status.run] == [0, 8, 8]


def test_it_knows_where_the_results_are_that_the_coordinator_says_are_written(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    boot = scene.night.register()
    scene.night.survey_all(boot)
    scene.night.finish_all(boot)
    assert not scene.watch.look() and not scene.watch.results_path
    with caplog.at_level(logging.INFO):
        scene.night.housekeeping.tick()
    assert scene.watch.look()
    [said] = [record.getMessage() for record in caplog.records if HAS_ENDED in record.getMessage()]
    assert said.endswith(scene.watch.results_path)
    assert Path(scene.watch.results_path).exists()


def test_a_warning_is_said_once_while_only_its_figures_change(scene: Scene) -> None:
    for name in ("trainer-1", "trainer-2"):
        scene.night.grant(scene.night.register(name))
    scene.night.clock.advance(31)
    scene.night.queue.expire()
    for _ in range(3):
        scene.night.clock.advance(7)
        assert not scene.watch.look()
    fell_silent = [line for line in scene.lines.said if "fell silent" in line]
    assert [line.split()[2] for line in fell_silent] == ["trainer-1", "trainer-2"]
    assert "warning: no trainer is alive, so the night is not progressing" in scene.lines.said


def test_a_night_in_which_nobody_can_write_ends_after_a_while_and_says_what_to_do(scene: Scene) -> None:
    boots = [scene.night.register("t1"), scene.night.register("t2")]
    scene.nobody_can_write(300, *boots)
    assert not scene.watch.look()
    assert [line for line in scene.lines.said if "t1 cannot write" in line] == [
        "warning: trainer t1 cannot write since 12:00:00 UTC: /cache/x: No space left on device"
    ]
    scene.nobody_can_write(5, *boots)
    with pytest.raises(StorageError, match=r"t1 cannot write.*; trainer t2 cannot write") as error:
        scene.watch.look()
    assert error.value.hint.startswith("nothing is lost: fix that")


def test_a_night_whose_trainers_find_their_disks_full_ends_in_the_same_way(scene: Scene) -> None:
    boot = scene.night.register("t1")
    for _ in range(61):
        assert not scene.watch.look()
        scene.night.claim(boot, disk=FULL_DISK)
        scene.night.clock.advance(5)
    with pytest.raises(StorageError, match="t1 cannot write since 12:00:00 UTC: /cache cannot be written"):
        scene.watch.look()
    assert len([line for line in scene.lines.said if "t1 cannot write" in line]) == 1
    scene.night.claim(boot, disk=disk())
    assert not scene.watch.look()


def test_one_trainer_that_can_write_is_enough_to_go_on(scene: Scene) -> None:
    scene.nobody_can_write(600, scene.night.register("t1"))
    scene.night.register("t2")
    assert not scene.watch.look()


def test_a_trainer_that_is_at_work_may_have_found_room_and_a_lost_one_does_not_count(scene: Scene) -> None:
    boot, gone = scene.night.register("t1"), scene.night.register("gone")
    scene.night.grant(gone)
    scene.nobody_can_write(360, boot)
    scene.night.queue.expire()
    while not isinstance(grant := scene.night.claim(boot), Grant):
        scene.night.clock.advance(5)
    assert not scene.watch.look()
    states = {one.name: one.state for one in scene.lines.shown[-1].trainers}
    assert states == {"t1": TrainerState.WORKING, "gone": TrainerState.LOST}
    scene.night.queue.fail(grant.lease_id, failure(Cause.STORAGE, "/cache/x: No space left on device"))
    with pytest.raises(StorageError, match="t1 cannot write"):
        scene.watch.look()


def test_a_night_that_gave_way_to_another_ends_the_watch(scene: Scene) -> None:
    scene.night.runs.submit(RunRequest(config=grid(horizons=(5,)), fresh=True))
    with pytest.raises(ConfigurationError, match=f"night {scene.run} was cancelled"):
        scene.watch.look()


def test_a_coordinator_that_never_comes_back_ends_the_watch_with_its_last_words(scene: Scene) -> None:
    scene.serving.close()
    for scene.now in (0.0, 200.0, 300.0):
        assert not scene.watch.look()
    scene.now = 301.0
    with pytest.raises(UnavailableError, match="does not come back; its last line was: it cannot start"):
        scene.watch.look()


def test_a_cancelled_night_ends_the_watch(scene: Scene) -> None:
    scene.night.cancel(scene.run)
    with pytest.raises(ConfigurationError, match=f"night {scene.run} was cancelled"):
        scene.watch.look()


def test_a_coordinator_that_stays_away_is_said_once_and_its_return_too(scene: Scene) -> None:
    scene.serving.close()
    for scene.now in (100.0, 103.0, 106.0, 109.0):
        assert not scene.watch.look()
    (line,) = scene.lines.said
    assert line.startswith("the coordinator does not answer")
    scene.serve(scene.port)
    scene.watch.look()
    assert scene.lines.said[1] == "the coordinator answers again"
