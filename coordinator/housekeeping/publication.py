"""The files of promoted models follow the database, also where a crash came between."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from coordinator.blobs.uploads import Uploads
from coordinator.champions.files import manifest_bytes, manifest_name, publish
from coordinator.champions.registry import champions, newest_change, vacant_cells
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.store.blobs import Artifacts
from coordinator.store.database import Database

logger = logging.getLogger(__name__)


NAMED = 5
"""So many models are named at most."""


class Publication(Duty):
    """Makes the folder of promoted models say what the database says.

    Parameters
    ----------
    database : Database
        Where it is decided which models are promoted.
    artifacts : Artifacts
        Where each .pkl is kept.
    directory : Path
        The folder of promoted models.
    uploads : Uploads, optional
        Shows them in the object store too.
    """

    name = "promoted models"

    def __init__(
        self, database: Database, artifacts: Artifacts, directory: Path, uploads: Uploads | None = None
    ) -> None:
        self.database = database
        self.artifacts = artifacts
        self.directory = directory
        self.uploads = uploads
        self._due = False
        self._is_shown = False
        self._published = 0
        self._unknown: list[str] = []

    def troubles(self) -> tuple[str, ...]:
        """Say which models the folder shows that are no champions in the database."""
        if not self._unknown:
            return ()
        count = f"{len(self._unknown)} {'model' if len(self._unknown) == 1 else 'models'}"
        names = ", ".join(self._unknown[:NAMED]) + (" ..." if len(self._unknown) > NAMED else "")
        where = f"{self.name}: {self.directory} shows {count} that the database does not know: {names}"
        return (f"{where}; it is new or was restored: see 'Backup and restore' in the runbook",)

    def start(self) -> None:
        """Restore what is missing or damaged."""
        self._due = True
        self.publish()

    def take_over(self, vacant_seconds: float) -> None:
        """Look at all files: another process was perhaps killed before it had written them."""
        del vacant_seconds
        self._due, self._is_shown = True, False

    def run(self, turn: Turn) -> None:
        """Publish what was changed since, and try again what has not worked yet."""
        del turn
        with self.database.read() as tx:
            newest = newest_change(tx.connection)
        if self._due or newest != self._published:
            self.publish()

    def publish(self) -> None:
        """Write the files that differ from what the database says, and remove those of former champions.

        Raises
        ------
        StorageError
            A file could not be written or removed, or a blob is missing or damaged.
        """
        self._due = True
        with self.database.read() as tx:
            wanted, vacant = champions(tx.connection), vacant_cells(tx.connection)
            newest = newest_change(tx.connection)
        done = publish(self.artifacts, self.directory, wanted, vacant)
        if done.unknown != self._unknown:
            self._unknown = done.unknown
            for words in self.troubles():
                logger.warning("%s", words)
        for name in done.written:
            logger.info("%s: the promoted model is in %s", name, self.directory)
        for name in done.malformed:
            logger.error("%s: the manifest of the champion in the database is malformed", name)
        for name in done.removed:
            logger.warning("%s: there is no promoted model any longer; its files are removed", name)
        if self.uploads is not None and (newest != self._published or not self._is_shown):
            shown: dict[str, bytes | None] = {manifest_name(cell): None for cell in vacant}
            whole = [champion for champion in wanted if champion.manifest() is not None]
            shown |= {manifest_name(one.cell): manifest_bytes(one.document) for one in whole}
            self.uploads.show(shown, partial(self._is_newest, newest))
            self._is_shown = True
        self._due, self._published = False, newest

    def _is_newest(self, change: int) -> bool:
        with self.database.read() as tx:
            return newest_change(tx.connection) == change
