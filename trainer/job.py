"""What the forked child does with its task: survey a symbol or train a cell, and say how it went.

Only this side of the fork imports the numeric stack; the fork server has imported it before the fork. What
only training needs is imported later: a survey, with which each night begins, does not wait for it.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import socket
import traceback
from contextlib import suppress
from dataclasses import dataclass, field

from common.errors import DataError, NighttrainError, StorageError
from common.model_pickle import pickle_bytes
from common.objects.store import StoreError
from common.protocol.jobs import Cause, SurveySpec, TrainingSpec
from common.protocol.reports import Checkpoint, SurveyReport
from common.timeframes import Timeframe
from trainer.candles.cache import open_candles
from trainer.candles.candles import Candles
from trainer.candles.room import Count, Room
from trainer.process.channel import AttemptFailure, Task
from trainer.process.child_end import ChildEnd
from trainer.program import program_digest
from trainer.survey.survey import survey

EVIDENCE_BYTES = 16384

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""A disk that is full or has become read-only is not the job's fault; other failed writes may be."""

FOLDS = "folds"
"""The stage in which stopping would lose the fold that is being fitted: it stops at a checkpoint only."""


class GivenUp(BaseException):
    """Leaves the pipeline because the agent asked to stop; no `Exception`, so nothing there catches it."""


def perform(channel: socket.socket) -> None:
    """Do the task that comes through the channel, send back its outcome, and go on so while that may be."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    end = ChildEnd(channel)
    first = end.task()
    task: Task | None = first
    while task is not None and _can_go_on(task, end):
        task = end.next_task()
    if isinstance(first.spec, TrainingSpec):
        from trainer.features.matrix import release_written

        release_written()


def _can_go_on(task: Task, end: ChildEnd) -> bool:
    """Do a task; return whether this process may do another, as it may after a cell that was trained.

    A survey reads files that anybody may have written, and what failed may have left anything behind. So a
    cell that did its own survey is the last of its process too.
    """
    try:
        if isinstance(task.spec, SurveySpec):
            report = _survey(task, task.spec, end).model_copy(update={"program": program_digest()})
            end.looked_up("candles", report.cache_hit)
            end.result(report, b"")
            return False
        return not _train(task, task.spec, end)
    except GivenUp:
        end.stopped()
    except Exception as error:
        end.failure(failure_of(error))
    return False


def failure_of(error: Exception) -> AttemptFailure:
    """Return why a job that raised `error` failed: the cause, one line, and the traceback as evidence."""
    name = type(error).__name__
    evidence = "".join(traceback.format_exception(error))[-EVIDENCE_BYTES:]
    if isinstance(error, MemoryError):
        message = _line(f"out of memory: {name}: {error}")
        return AttemptFailure(cause=Cause.OOM, message=message, evidence=evidence)
    if isinstance(error, DataError):
        return AttemptFailure(cause=Cause.DATA, message=_line(str(error)), evidence=evidence)
    reason = error.__cause__ if isinstance(error, StorageError) else error
    full = isinstance(reason, OSError) and reason.errno in NO_ROOM
    # No fault of the job either is a store that is away or refuses: its words say what it waits for.
    cause = Cause.STORAGE if full or isinstance(error, StoreError) else Cause.ERROR
    text = str(error) if isinstance(error, NighttrainError) else f"{name}: {error}"
    return AttemptFailure(cause=cause, message=_line(text), evidence=evidence)


def _line(text: str) -> str:
    return " ".join(text.split())[:500].removesuffix(":")


def _survey(
    task: Task, spec: SurveySpec, end: ChildEnd, keep: dict[str, Candles] | None = None
) -> SurveyReport:
    def progress(stage: str, done: int, total: int) -> None:
        end.step(stage, done, total)
        if end.stop_asked:
            raise GivenUp

    def count(what: Count, number: int) -> None:
        if what == "objects_hit" or what == "objects_missed":
            end.looked_up("objects", what == "objects_hit")
        else:
            end.counted(what, number)

    room = Room(task.cache_limit_bytes, count)
    return survey(spec, task.data_dir, task.cache_dir, progress, room, keep)


def _train(task: Task, spec: TrainingSpec, end: ChildEnd) -> bool:
    """Train a cell, send its result, and return whether its candles had to be surveyed for it."""
    folds = len(task.checkpoint.folds) if task.checkpoint else 0

    def give_up_if_asked() -> None:
        # With all folds done the rest is short, and done sooner than again.
        if end.stop_asked and folds < spec.n_splits:
            raise GivenUp

    def progress(stage: str, done: int, total: int) -> None:
        end.step(stage, done, total)
        if stage != FOLDS:
            give_up_if_asked()

    def save_checkpoint(checkpoint: Checkpoint) -> None:
        nonlocal folds
        folds = len(checkpoint.folds)
        end.checkpoint(checkpoint)
        give_up_if_asked()

    from trainer import pipeline

    surveyed = SurveyedCandles(task, spec, end)
    before = _matrices(task, spec)
    report = pipeline.train(
        spec, surveyed.open, task.cache_dir, lambda: task.checkpoint, save_checkpoint, task.champion, progress
    )
    end.looked_up("features", _matrices(task, spec) == before)
    content = pickle_bytes(report.manifest)
    manifest = report.manifest.model_copy(update={"pickle_sha256": hashlib.sha256(content).hexdigest()})
    end.result(report.model_copy(update={"manifest": manifest}), content)
    return surveyed.done


def _matrices(task: Task, spec: TrainingSpec) -> dict[str, int]:
    # A matrix that was not there is written, and another trainer may drop an old one at any moment.
    found, beginning = {}, f"{spec.cell.symbol}_{spec.cell.timeframe}_"
    with suppress(FileNotFoundError), os.scandir(task.cache_dir) as files:
        for file in files:
            if file.name.startswith(beginning) and file.name.endswith(".features"):
                with suppress(FileNotFoundError):
                    found[file.name] = file.stat().st_mtime_ns
    return found


@dataclass
class SurveyedCandles:
    """The candles of a cell, as its survey saw them.

    A host that did not do the survey has none cached, and surveys once by itself; `done` says that it has.
    """

    task: Task
    spec: TrainingSpec
    end: ChildEnd
    done: bool = field(default=False, init=False)
    _kept: dict[str, Candles] = field(default_factory=dict, init=False)

    def open(self, timeframe: Timeframe) -> Candles | None:
        """Return the candles of a timeframe, or None if the survey found none.

        Raises
        ------
        DataError
            The candles are others than at the time of the survey.
        """
        digest = self.spec.data_digests.get(timeframe)
        if not digest:
            return None
        symbol = self.spec.cell.symbol
        candles = open_candles(self.task.cache_dir, symbol, timeframe, digest)
        self.end.looked_up("candles", candles is not None)
        if candles is None and self.spec.policy is not None and not self.done:
            self.done = True
            timeframes = tuple(timeframe for timeframe in Timeframe if timeframe in self.spec.data_digests)
            survey_spec = SurveySpec(symbol=symbol, timeframes=timeframes, policy=self.spec.policy)
            _survey(self.task, survey_spec, self.end, self._kept)
        if candles is None:
            candles = self._kept.get(digest)
        if candles is None:
            what = f"the {timeframe} candles of {symbol} below {self.task.data_dir} changed since the survey"
            raise DataError(what, "run again with --fresh")
        return candles
