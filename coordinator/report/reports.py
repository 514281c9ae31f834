"""The reports of nights: made when they are asked for, and kept as a file once a night has ended."""

from __future__ import annotations

import logging
from pathlib import Path

from common.out_folder import OutFolder
from common.protocol.nights import NightDigest
from common.settings.night import NightSettings
from common.whole_file import write_whole
from coordinator.report.contents import Contents, read_contents
from coordinator.report.digest import digest_of
from coordinator.report.page import prepare, report_page
from coordinator.store.database import Database
from coordinator.store.rows import RunRow, find_run

logger = logging.getLogger(__name__)


class Reports:
    """The reports of one coordinator.

    Parameters
    ----------
    database : Database
        Where everything is kept.
    settings : NightSettings
        The window, for gaps of trainers, and the address by which people reach the coordinator.
    out : OutFolder
        Where reports are written.
    """

    def __init__(self, database: Database, settings: NightSettings, out: OutFolder) -> None:
        self.database = database
        self.settings = settings
        self.out = out
        self._told: tuple[int, NightSettings, NightDigest] | None = None

    def prepare(self) -> None:
        """Do now what the first report would have to wait for."""
        prepare()

    @property
    def address(self) -> str:
        """Where people reach the coordinator."""
        return self.settings.dashboard.address

    def digest(self, run_id: int) -> NightDigest:
        """Return a night in ten lines; of one that runs, what is known so far.

        Raises
        ------
        NotFoundError
            There is no such night.
        """
        told = self._told
        if told is not None and told[0] == run_id and told[1] is self.settings:
            return told[2]
        return digest_of(self._contents(run_id), self.address)

    def html(self, run_id: int) -> str:
        """Return the report as it was written when the night ended, or else as it is now; raises likewise."""
        with self.database.read() as tx:
            written = find_run(tx, run_id).report_path
        if written:
            try:
                return Path(written).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                logger.warning("%s: cannot be read, so the report is made again: %s", written, error)
        return self._made(run_id)[0]

    def write(self, run: RunRow) -> Path:
        """Write the report of a night that has ended beside its results, and return where.

        Raises
        ------
        StorageError
            The file could not be written.
        """
        assert run.decided is not None
        path, settings = self.out.report(run.decided), self.settings
        page, digest = self._made(run.id)
        write_whole(path, page.encode())
        # It is asked for next. Of a night that has ended nothing changes it but other settings.
        self._told = run.id, settings, digest
        return path

    def _made(self, run_id: int) -> tuple[str, NightDigest]:
        found = self._contents(run_id)
        digest = digest_of(found, self.address)
        return report_page(found, digest, self.address), digest

    def _contents(self, run_id: int) -> Contents:
        return read_contents(self.database, run_id, self.settings)
