"""What a trainer could not say before it had to stop: kept on disk, and handed in by the next start.

When the whole machine stops, coordinator and trainers are asked to at the same time, and the trainer that
gives its job back finds nobody to take it. Without the note its next start would count the job's attempt as a
crash, and a fold or a whole result would be computed again. Any trainer that shares the folder hands the note
in; the lease in it decides whether it still counts.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path

from pydantic import Base64Bytes, Field

from common.client.connection import RETRIED
from common.client.trainers import TrainerClient
from common.errors import ConfigurationError, NighttrainError, StorageError, UnauthorizedError
from common.frozen import Frozen
from common.protocol.reports import Checkpoint
from common.protocol.trainers import Failure, Finish, Release
from common.quoted import quoted
from common.whole_file import write_whole
from trainer.agent.lease import Report, Success, send_report

LOG = logging.getLogger(__name__)

FOLDER = "unsent"

MOST_BYTES = 64 << 20
"""No note is as large: a report with its model takes less than one."""


class Note(Frozen):
    """What is still to be said about one lease; exactly one of `finish`, `failure` and `release` is given."""

    lease_id: str = Field(pattern=r"^[0-9a-zA-Z-]{1,64}$")
    checkpoint: Checkpoint | None = None
    finish: Finish | None = None
    artifact: Base64Bytes = b""
    failure: Failure | None = None
    release: Release | None = None

    @property
    def report(self) -> Report | None:
        """The report, or None in a note that has none."""
        if self.finish is not None:
            return Success(self.finish, self.artifact)
        return self.failure or self.release


class Unsent:
    """The notes of the trainers that share a cache folder.

    Parameters
    ----------
    cache_dir : Path
        The folder of the caches.
    """

    def __init__(self, cache_dir: Path) -> None:
        self.folder = cache_dir / FOLDER

    def keep(self, lease_id: str, checkpoint: Checkpoint | None, report: Report) -> None:
        """Write down what could not be said; where that is impossible, say so in the log and go."""
        finish = report.finish if isinstance(report, Success) else None
        note = Note(
            lease_id=lease_id,
            checkpoint=checkpoint,
            finish=finish,
            artifact=base64.b64encode(report.artifact) if isinstance(report, Success) else b"",
            failure=report if isinstance(report, Failure) else None,
            release=report if isinstance(report, Release) else None,
        )
        try:
            # A lease's id is all that is needed to speak for it.
            self.folder.mkdir(mode=0o700, exist_ok=True)
            write_whole(self.folder / f"{lease_id}.json", note.model_dump_json().encode())
        except (OSError, StorageError) as error:
            LOG.warning("no coordinator to report to, and no note could be left: %s", error)
        else:
            LOG.info("no coordinator to report to; the next start hands in what is to be said")

    def hand_in(self, client: TrainerClient, before_each: Callable[[], None]) -> int:
        """Say what earlier processes could not; return how many notes were accepted.

        A note is removed once it is answered: the lease of an old one is lost, and stays lost.

        Raises
        ------
        NighttrainError
            The coordinator is away, or does not let this trainer in; the notes that are left remain.
        """
        accepted = 0
        for path in sorted(self.folder.glob("*.json")):
            before_each()
            accepted += _hand_in(client, path)
            path.unlink(missing_ok=True)
        return accepted


def read_note(path: Path) -> Note | None:
    """Return the note in a file; what is none is named in the log, and None."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB")
        return Note.model_validate_json(content)
    except FileNotFoundError:
        # Another trainer of this host was quicker.
        return None
    except (OSError, ValueError) as error:
        why = quoted(str(error).partition("\n")[0], 200)
        LOG.warning("%s is no note of a trainer and is dropped: %s", path, why)
        return None


def _hand_in(client: TrainerClient, path: Path) -> bool:
    note = read_note(path)
    if note is None:
        return False
    try:
        if note.checkpoint is not None:
            client.save_checkpoint(note.lease_id, note.checkpoint)
        if note.report is not None:
            send_report(client, note.lease_id, note.report)
    except (*RETRIED, UnauthorizedError, ConfigurationError):
        raise
    except NighttrainError as error:
        LOG.info("what was to be said about lease %s comes too late: %s", note.lease_id, error)
        return False
    LOG.info("lease %s: an earlier process stopped without a coordinator; handed in now", note.lease_id)
    return True
