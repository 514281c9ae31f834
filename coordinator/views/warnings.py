"""Sentences for the operator about what needs a look, in the status document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from common.protocol.runs import RunView
from common.protocol.status import EtaView, NightView, SystemView, TrainerState
from coordinator.policy.admission import pressure_words
from coordinator.queue.snapshot import Snapshot
from coordinator.views.trainers import KnownTrainer

LITTLE_DISK_BYTES = 2 * 1024**3
SHOWN_CELLS = 5
WARM_UP = timedelta(seconds=15)
"""How long trainers may take to appear after a start: they are starting too."""


def standing_warnings(run: RunView | None, system: SystemView, out: Path) -> list[str]:
    """Return what holds whether a run is unfinished or not: its candles are synthetic, the disk is full.

    Parameters
    ----------
    run : RunView or None
        The newest run.
    system : SystemView
        The coordinator's machine.
    out : Path
        The out folder, whose disk is watched.
    """
    warnings = []
    if run is not None and run.synthetic:
        warnings.append(f"night {run.id} trains on synthetic candles")
    if system.disk_free_bytes < LITTLE_DISK_BYTES:
        free = system.disk_free_bytes
        words = f"{free / 1024**3:.1f} GiB" if free >= 1024**3 else f"{free / 1024**2:.0f} MiB"
        warnings.append(f"only {words} are free on the disk of {out}")
    return warnings


def night_warnings(run: RunView, night: NightView, eta: EtaView) -> list[str]:
    """Return whether the run is paused, the window is closed, or will close before the run has ended."""
    if run.ended_early is not None:
        saving = cells(run.training.leased, "saves its folds", "save their folds")
        return [f"the night is ended early {run.ended_early.words}; {saving}"]
    waiting = cells(run.training.queued, "waits", "wait")
    if run.paused is not None:
        return [f"the night is paused {run.paused.words}; {waiting} until it is resumed"]
    if not night.open:
        return [f"the night is closed until {night.opens:%Y-%m-%d %H:%M} UTC; {waiting}"]
    if night.closes is None or eta.p50 is None or eta.p90 is None or eta.p90 <= night.closes:
        return []
    likely = "will not fit" if eta.p50 > night.closes else "may not fit"
    ends = f"its end is expected at {eta.p50:%H:%M}, and with 90 % by {eta.p90:%H:%M}"
    closes = f"its window, which closes at {night.closes:%H:%M} UTC"
    return [f"the night {likely} into {closes}: {ends}; what is left is carried over"]


def cells(count: int, does: str, do: str) -> str:
    """Return a count of cells with what they do: `cells(1, "waits", "wait")` is `1 cell waits`."""
    return f"{count} cell {does}" if count == 1 else f"{count} cells {do}"


def shed_warnings(left: Sequence[str]) -> list[str]:
    """Return which cells do not fit into this night, by the names of those that are left for the next."""
    if not left:
        return []
    named = ", ".join(left[:SHOWN_CELLS]) + (", ..." if len(left) > SHOWN_CELLS else "")
    return [
        f"{cells(len(left), 'does', 'do')} not fit before the window closes and "
        f"{'is' if len(left) == 1 else 'are'} left for the next night, the least "
        f"valuable first, unless this one gets faster: {named}"
    ]


def progress_warnings(
    snapshot: Snapshot, run: RunView, known: list[KnownTrainer], began: datetime, parked: Sequence[str]
) -> list[str]:
    """Return what keeps an unfinished run from progressing.

    Parameters
    ----------
    snapshot : Snapshot
        Trainers, hosts and leases.
    run : RunView
        The unfinished run.
    known : list of KnownTrainer
        The live trainers and the lost ones.
    began : datetime
        When the coordinator was started.
    parked : sequence of str
        The symbols of which some job waits until they are no longer parked.
    """
    warnings = []
    if not snapshot.live and snapshot.now - max(run.created, began) > WARM_UP:
        warnings.append("no trainer is alive, so the night is not progressing")
    for one in known:
        if one.state is TrainerState.LOST:
            silence = (snapshot.now - one.last_seen).total_seconds()
            what = f"fell silent {silence:.0f} s ago while it held a job"
            warnings.append(f"trainer {one.row.name} {what}")
    warnings += [trainer.note for trainer in snapshot.blocked]
    threshold = snapshot.settings.memory_threshold
    warnings += [
        f"{pressure_words(host, threshold)}; no new job is handed out there"
        for host in snapshot.hosts.values()
        if host.pressed(threshold)
    ]
    warnings += [f"{symbol} is parked, because cell after cell of it failed" for symbol in parked]
    return warnings
