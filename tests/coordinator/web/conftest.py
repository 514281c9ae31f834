"""A real night, trained by real trainers, and a real browser to look at it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, sync_playwright

from tests.coordinator.web.visiting import CHROMIUM, WITHOUT, MakeVisit, launched, visits
from tests.trainer.real_night import Coordinator, RealNight, eventually
from trainer.sources.sample import write_sample

DAYS = 60
TRAINED = {
    "symbols": ["BTCUSDT", "ETHUSDT", "NOCANDLES"],
    "timeframes": ["15m", "1h"],
    "horizons": [1, 3],
    "n_splits": 5,
}
"""The grid of the night that is over: two symbols can be trained, and the third has no candles."""


@dataclass(frozen=True)
class Place:
    """A coordinator with a night that is over, its folder, and who may train at it."""

    coordinator: Coordinator
    night: RealNight

    @property
    def url(self) -> str:
        return self.coordinator.url

    @property
    def token(self) -> str:
        return (self.coordinator.out / "token").read_text().strip()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder in which a night was trained to its end; only to be copied, and made once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    folder = shared / "trained"
    with FileLock(shared / "trained.lock"):
        if not (folder / "done").exists():
            folder.mkdir()
            coordinator = Coordinator(folder, **TRAINED)
            night = RealNight(coordinator, folder)
            try:
                write_sample(night.data, ["BTCUSDT", "ETHUSDT"], DAYS, 7, lambda *_: None)
                coordinator.start()
                night.begin()
                for name in ("trainer-1", "trainer-2"):
                    night.start_trainer(name=name)
                eventually(night.is_done, 90)
            finally:
                night.close()
                coordinator.close()
            (folder / "done").touch()
    return folder


MakePlace = Callable[..., Place]


@pytest.fixture(scope="session")
def places(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakePlace]:
    """Makes coordinators over copies of the trained folder, each with its own, to be changed at will."""
    made: list[Place] = []

    def make(**settings: Any) -> Place:
        folder = tmp_path_factory.mktemp("place")
        # The promoted models are links: a copy of what they lead to would be none of them.
        shutil.copytree(trained / "out", folder / "out", symlinks=True)
        coordinator = Coordinator(folder, **{**TRAINED, **settings})
        night = RealNight(coordinator, folder)
        shutil.copytree(trained / "data", night.data, dirs_exist_ok=True)
        made.append(Place(coordinator, night))
        coordinator.start()
        return made[-1]

    yield make
    for place in made:
        place.night.close()
        place.coordinator.close()


@pytest.fixture(scope="session")
def place(places: MakePlace) -> Place:
    """A coordinator whose night is over; only to be looked at."""
    return places()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip(WITHOUT)
    with sync_playwright() as playwright:
        opened = launched(playwright)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[MakeVisit]:
    """Opens browser windows at a coordinator; nothing may go wrong in them."""
    with visits(browser) as make:
        yield make
