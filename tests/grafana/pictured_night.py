"""A small night for pictures of the boards: two runs, with all that an operator may meet at 3 a.m."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.protocol.jobs import JobKind, JobState
from common.protocol.runs import RunRequest, RunState
from common.protocol.status import TrainerState
from common.settings.grid import GridConfig
from tests.metrics.eventful_night import open_window
from tests.metrics.monitoring import Monitoring
from tests.metrics.scrape import free_port
from tests.trainer.real_night import Coordinator, Process, RealNight, eventually
from trainer.sources.sample import write_sample

GRID: dict[str, Any] = {
    "symbols": ["BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT", "DOGEUSDT", "XRPUSDT"],
    "timeframes": ["1m", "5m", "15m", "1h", "4h", "1d"],
    "horizons": [1, 2, 3, 4, 5],
}
WITHOUT_CANDLES = "XRPUSDT"
DAYS = 240
SEED = 7
NAMES = ("3f2a9c81d7e4", "b07d44e1a9c2", "e91c50f3b6d8")
"""As containers are named: trainers are known by their container's id."""
HOG = "77ad0c2be915"
HOG_GIB = 0.2
FROZEN_SECONDS = 6
AWAY_SECONDS = 15
QUIET_SECONDS = 10
PATIENCE_SECONDS = 900.0
STEP_SECONDS = 1.0
"""Between two scrapes: long enough that none is late on a busy machine, and looks like an absence."""
MOMENTS = "moments.json"


@dataclass(frozen=True)
class Moments:
    """Times of the night, in seconds since the epoch, and the number of its first run."""

    began: float
    middle: float
    done: float
    first_run: str


def pictured_night(folder: Path) -> Moments:
    """Train the night into `folder` and return its moments, which are also kept there.

    The first run goes well but for a symbol without candles. In the second a trainer is frozen, a job is
    killed for want of memory, and the coordinator is away for some seconds.
    """
    settings: dict[str, Any] = {
        "lease": {"seconds": 5.0},
        "retry": {"backoff_base": 1, "backoff_cap": 5},
        **GRID,
    }
    coordinator = Coordinator(folder, window=open_window(), training=False, **settings)
    night = RealNight(coordinator, folder)
    ports = [free_port() for _ in (*NAMES, HOG)]
    present = [symbol for symbol in GRID["symbols"] if symbol != WITHOUT_CANDLES]
    write_sample(night.data, present, DAYS, SEED, lambda *_: None)
    monitoring = None
    try:
        coordinator.start()
        addresses = [f"127.0.0.1:{port}" for port in ports]
        monitoring = Monitoring(folder, [f"127.0.0.1:{coordinator.port}"], addresses, STEP_SECONDS)
        monitoring.start()
        began = time.time()
        for name, port in zip(NAMES, ports, strict=False):
            night.start_trainer("", "--metrics-port", str(port), name=name)
        first = _begin(night)
        eventually(lambda: night.operator.run(first).state is RunState.DONE, PATIENCE_SECONDS)
        time.sleep(QUIET_SECONDS)
        second = _begin(night)
        eventually(lambda: _ended(night, second) >= 10, PATIENCE_SECONDS)
        coordinator.kill()
        time.sleep(AWAY_SECONDS)
        coordinator.start()
        hog = night.start_trainer(
            "hog", "--metrics-port", str(ports[-1]), "--memory-limit-gb", str(HOG_GIB), name=HOG
        )
        eventually(lambda: monitoring.now('ALERTS{alertname=~".*OutOfMemoryKill",alertstate="firing"}'))
        hog.signal(signal.SIGTERM)
        frozen = eventually(lambda: _at_work(night))
        frozen.signal(signal.SIGSTOP)
        eventually(lambda: any(one.state is TrainerState.LOST for one in night.operator.status().trainers))
        time.sleep(FROZEN_SECONDS)
        eventually(lambda: monitoring.now('up{job="coordinator"} == 1'))
        middle = time.time()
        frozen.signal(signal.SIGCONT)
        eventually(lambda: night.operator.run(second).state is RunState.DONE, PATIENCE_SECONDS)
        time.sleep(QUIET_SECONDS)
        eventually(lambda: monitoring.now('up{job="coordinator"} == 1'))
        moments = Moments(began, middle, time.time(), str(first))
        (folder / MOMENTS).write_text(json.dumps(asdict(moments)))
        return moments
    finally:
        if monitoring is not None:
            monitoring.close()
        night.close()
        coordinator.close()


def _begin(night: RealNight) -> int:
    config = GridConfig(**night.coordinator.settings.grid_config())
    return night.operator.create_run(RunRequest(config=config, fresh=True))[0].id


def _ended(night: RealNight, run: int) -> int:
    return night.operator.jobs(run=run, kind=JobKind.TRAINING, state=JobState.SUCCEEDED).total


def _at_work(night: RealNight) -> Process | None:
    holders = {job.trainer for job in night.operator.jobs(kind=JobKind.TRAINING, state=JobState.LEASED).jobs}
    return next((one for name, one in zip(NAMES, night.trainers, strict=False) if name in holders), None)
