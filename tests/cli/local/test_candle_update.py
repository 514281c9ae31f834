"""Candles brought up to date before a night, from a local archive, by the real download."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall
from pathlib import Path

import pytest
from filelock import FileLock

from cli.app import main
from cli.local.candle_update import CandleUpdate, opening_to_update_for
from common.settings.night import NightSettings
from common.settings.sections import Data, Window
from tests.cli.archive.candle_archive import CandleArchive, serving

EVENING = datetime(2026, 3, 2, 21, 50, tzinfo=UTC)
OPENING = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
WINDOW = Window(start=wall(22), end=wall(6))


def settings(
    folder: Path = Path("candles"), archive: str = "http://127.0.0.1:9", on: bool = True
) -> NightSettings:
    return NightSettings(window=WINDOW, data=Data(dir=folder, update_before_night=on, archive=archive))


class TestTheDecision:
    def test_it_is_due_a_while_before_the_opening_once(self) -> None:
        assert opening_to_update_for(settings(), EVENING, None) == OPENING
        assert opening_to_update_for(settings(), EVENING, OPENING) is None
        assert opening_to_update_for(settings(), EVENING - timedelta(minutes=6), None) is None
        tomorrow = OPENING + timedelta(days=1)
        assert opening_to_update_for(settings(), tomorrow - timedelta(minutes=1), OPENING) == tomorrow

    def test_it_is_never_due_without_window_wish_or_training(self) -> None:
        assert opening_to_update_for(settings(on=False), EVENING, None) is None
        for changes in ({"window": None}, {"training": False}):
            assert opening_to_update_for(settings().model_copy(update=changes), EVENING, None) is None

    def test_on_the_days_of_the_change_of_clocks_it_goes_by_the_wall(self) -> None:
        berlin = Window(start=wall(22), end=wall(7), timezone="Europe/Berlin")
        by = settings().model_copy(update={"window": berlin})
        for day, hour in ((datetime(2026, 3, 28, tzinfo=UTC), 21), (datetime(2026, 3, 29, tzinfo=UTC), 20)):
            opening = day + timedelta(hours=hour)
            assert opening_to_update_for(by, opening - timedelta(minutes=15), None) == opening
            assert opening_to_update_for(by, opening - timedelta(minutes=16), None) is None


def month(back: int) -> date:
    """The first day of a month so many months ago; the archive has months that are over."""
    first = datetime.now(UTC).date().replace(day=1)
    for _ in range(back):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


@pytest.fixture
def archive() -> Iterator[CandleArchive]:
    archive = CandleArchive()
    archive.add_month("BTCUSDT", month(2).year, month(2).month)
    with serving(archive):
        yield archive


@pytest.fixture
def folder(tmp_path: Path, archive: CandleArchive) -> Path:
    """A folder with the candles of the month before last, of which the archive has got the next one."""
    folder = tmp_path / "candles of mine"
    words = ["--symbols", "BTCUSDT", "--timeframes", "1h", "--from", f"{month(2):%Y-%m}"]
    assert main(["data", "download", *words, "--out", str(folder), "--archive", archive.url]) == 0
    archive.add_month("BTCUSDT", month(1).year, month(1).month)
    return folder


def ended(update: CandleUpdate, now: Callable[[], datetime]) -> None:
    limit = time.monotonic() + 60
    while update.runs:
        update.attend(now())
        assert time.monotonic() < limit
        time.sleep(0.02)


class TestTheDownload:
    def test_new_candles_are_fetched_and_a_success_leaves_no_warning(
        self, archive: CandleArchive, folder: Path
    ) -> None:
        said: list[str] = []
        update = CandleUpdate(said.append)
        before = set(folder.rglob("*.zip"))
        update.step(settings(folder, archive.url), EVENING, night_is_running=False)
        ended(update, lambda: EVENING)
        assert update.warning == "", said
        assert [path.name for path in set(folder.rglob("*.zip")) - before] == [
            f"BTCUSDT-1h-{month(1):%Y-%m}.zip"
        ]
        assert said[0].startswith("updating the candles in") and "1 files" in said[-1]
        update.step(settings(folder, archive.url), EVENING, night_is_running=False)
        assert not update.runs

    def test_a_download_that_fails_is_a_warning(self, archive: CandleArchive, folder: Path) -> None:
        said: list[str] = []
        update = CandleUpdate(said.append)
        with FileLock(folder / ".download.lock"):
            update.step(settings(folder, archive.url), EVENING, night_is_running=False)
            ended(update, lambda: EVENING)
        assert "another download is going on there" in update.warning
        assert update.warning.startswith("the candles were not updated: ")
        assert update.warning.endswith("the night trains on the candles that are there")
        assert said[-1] == f"warning: {update.warning}"

    def test_the_opening_ends_it_done_or_not(self, archive: CandleArchive, folder: Path) -> None:
        archive.faults[f"{month(1):%Y-%m}.zip"] = ("drip", 99)
        update = CandleUpdate(lambda _: None)
        update.step(settings(folder, archive.url), EVENING, night_is_running=False)
        update.attend(OPENING - timedelta(seconds=1))
        assert update.runs
        began = time.monotonic()
        update.attend(OPENING)
        assert not update.runs and time.monotonic() - began < 10
        assert "it was not done when the night began" in update.warning
        archive.release.set()

    def test_a_folder_of_other_candles_is_told(self, tmp_path: Path) -> None:
        update = CandleUpdate(lambda _: None)
        update.step(settings(tmp_path), EVENING, night_is_running=False)
        assert "holds nothing of the archive" in update.warning

    def test_an_unfinished_night_is_left_its_candles(self, folder: Path) -> None:
        update = CandleUpdate(lambda _: None)
        update.step(settings(folder), EVENING, night_is_running=True)
        assert not update.runs and update.warning == ""

    def test_a_night_that_begins_late_says_that_it_has_none(self) -> None:
        update = CandleUpdate(lambda _: None)
        update.warn_if_too_late(settings(), EVENING)
        assert update.warning == ""
        update.warn_if_too_late(settings(), OPENING + timedelta(minutes=1))
        assert "the window was open already" in update.warning
