"""A small night in which much happens, watched by a real Prometheus from before its first trainer on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from common.metrics.declarations import (
    RUN_FINISHED,
    RUN_INFO,
    STALE_WRITES,
    TRAINER_COORDINATOR_ERRORS,
    WRONG_TOKENS,
)
from common.protocol.job_views import JobView
from common.protocol.jobs import JobKind, JobState
from common.protocol.runs import RunRequest, RunState
from common.protocol.status import TrainerState
from common.settings.grid import GridConfig
from grafana.generator.expressions import expressions
from tests.metrics.monitoring import STEP_SECONDS, Monitoring
from tests.metrics.scrape import free_port, is_healthy
from tests.trainer.real_night import Coordinator, Process, RealNight, eventually
from trainer.sources.sample import write_sample

GRID = {"symbols": ["BTCUSDT", "NOCANDLES"], "timeframes": ["5m", "15m"], "horizons": [1, 3, 5]}
DAYS = 90
TRAINERS = ("t1", "t2")
LAST_RUN = "2"
AT_WORK = [
    one.expr for one in expressions({"run": LAST_RUN}) if one.place.startswith("Cells being trained (")
]
"""What the board asks for of the cells that are being trained in the last run."""

HELD_SECONDS = 3.0
"""Longer than a lease: after that nothing is at work any more, and another cell is tried."""

SETTLED_SECONDS = 3
"""Until what was scraped last has passed through rules that build on each other, and through subqueries.

So long without a gap: a scrape of a busy machine may come too late.
"""


@contextmanager
def eventful_night(folder: Path) -> Iterator[Monitoring]:
    """Train the grid twice and yield what Prometheus knows of it.

    Nobody is there to train at first; one symbol's candles are refused; a trainer is frozen until its job has
    gone to another; the coordinator is killed and comes back; somebody guesses at a token. Then all is
    trained again, and a cell is held until the board shows it: cells are over between two scrapes.
    """
    coordinator = Coordinator(folder, window=open_window(), lease={"seconds": 2.0}, **GRID)
    night = RealNight(coordinator, folder)
    ports = {name: free_port() for name in TRAINERS}
    monitoring = None
    try:
        write_sample(night.data, ["BTCUSDT"], DAYS, 7, lambda *_: None)
        coordinator.start()
        addresses = [f"127.0.0.1:{port}" for port in ports.values()]
        monitoring = Monitoring(folder, [f"127.0.0.1:{coordinator.port}"], addresses)
        monitoring.start()
        known = monitoring.now
        eventually(lambda: known('ALERTS{alertname="NighttrainNoTrainer",alertstate="firing"}'))
        for name, port in ports.items():
            night.start_trainer("", "--metrics-port", str(port), name=name)
        eventually(lambda: all(is_healthy(f"http://{address}") for address in addresses))
        _freeze_a_trainer(night)
        eventually(lambda: known(f"increase({STALE_WRITES.name}[5m]) > 0"))
        coordinator.kill()
        # A trainer notices when it renews its lease, or asks for work.
        eventually(lambda: known(f"increase({TRAINER_COORDINATOR_ERRORS.name}[5m]) > 0"))
        coordinator.start()
        eventually(lambda: _guess(coordinator) and known(f"rate({WRONG_TOKENS.name}[5m]) > 0"))
        # The first run was begun by the schedule, for the window is open.
        eventually(lambda: _is_over(night, 1), 60)
        # Else all of its results would be those of the first, and nothing would be measured.
        config = GridConfig(**coordinator.settings.grid_config())
        night.operator.create_run(RunRequest(config=config, retrain=True))
        _show_a_cell_at_work(night, monitoring)
        eventually(lambda: _is_over(night, int(LAST_RUN)), 60)
        finished = f'{RUN_FINISHED.name} and on () {RUN_INFO.name}{{run="{LAST_RUN}"}}'
        settled = f"count_over_time(({finished})[{SETTLED_SECONDS}s:1s]) >= {SETTLED_SECONDS}"
        eventually(lambda: known(settled), 60)
        yield monitoring
    finally:
        if monitoring is not None:
            monitoring.close()
        night.close()
        coordinator.close()


def open_window() -> dict[str, str]:
    """Return a window that is open now and closes in two hours."""
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + timedelta(hours=2)
    return {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}", "timezone": "UTC"}


def _freeze_a_trainer(night: RealNight) -> None:
    """Stop the process of a trainer that holds a cell, until its lease has expired."""
    frozen = eventually(lambda: _caught(night))
    try:
        eventually(lambda: _a_trainer_is_lost(night))
    finally:
        frozen.signal(signal.SIGCONT)


def _show_a_cell_at_work(night: RealNight, monitoring: Monitoring) -> None:
    """Hold a cell until the board has shown it."""
    assert AT_WORK

    def is_shown() -> bool:
        if _caught(night) is None:
            return False
        # Nobody takes its cell over when its lease ends, so that there are others to be tried.
        for trainer in night.trainers:
            trainer.signal(signal.SIGSTOP)
        held_until = time.monotonic() + HELD_SECONDS
        try:
            while time.monotonic() < held_until:
                if all(monitoring.ever(expr) for expr in AT_WORK):
                    return True
                time.sleep(STEP_SECONDS / 2)
        finally:
            for trainer in night.trainers:
                trainer.signal(signal.SIGCONT)
        return False

    eventually(is_shown)


def _caught(night: RealNight) -> Process | None:
    """Return a trainer that was stopped while it held a cell, and holds it still."""

    def leased() -> list[JobView]:
        return list(night.operator.jobs(kind=JobKind.TRAINING, state=JobState.LEASED).jobs)

    # Without a pause between the looks, for a whole run of such cells takes less than a second.
    looking_until = time.monotonic() + 1
    while time.monotonic() < looking_until:
        for cell in leased():
            trainer = night.trainers[TRAINERS.index(cell.trainer)]
            trainer.signal(signal.SIGSTOP)
            holds = False
            try:
                # It may have been done with the cell in that very moment.
                holds = any((one.id, one.trainer) == (cell.id, cell.trainer) for one in leased())
            finally:
                if not holds:
                    trainer.signal(signal.SIGCONT)
            if holds:
                return trainer
    return None


def _a_trainer_is_lost(night: RealNight) -> bool:
    return any(one.state is TrainerState.LOST for one in night.operator.status().trainers)


def _guess(coordinator: Coordinator) -> bool:
    """Show a token that is nobody's."""
    headers = {"Authorization": "Bearer a-guess-that-is-as-long-as-a-token-is"}
    answer = httpx.post(f"{coordinator.url}/api/runs", json={}, headers=headers, trust_env=False)
    return answer.status_code in (401, 429)


def _is_over(night: RealNight, run: int) -> bool:
    return night.operator.run(run).state is RunState.DONE
