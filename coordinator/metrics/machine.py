"""The coordinator's machine as metrics: processors, memory, disk, and the size of the database."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
from sqlalchemy import text

from common.host import ControlGroup, control_group, processor_seconds
from common.metrics import declarations as metrics
from common.metrics.exposition import Readings
from coordinator.store.database import Database, Transaction


class Machine:
    """The machine of this process.

    Parameters
    ----------
    database : Database
        Whose size is measured.
    out : Path
        The folder whose disk is measured.
    group : ControlGroup, optional
        The control group of this process; found where it is not given.
    """

    def __init__(self, database: Database, out: Path, group: ControlGroup | None = None) -> None:
        self.database = database
        self.out = out
        self.group = group or control_group()

    def read(self, readings: Readings, tx: Transaction) -> None:
        """Read the state of the machine now."""
        for mode, seconds in processor_seconds().items():
            readings.put(metrics.HOST_CPU, seconds, mode=mode)
        readings.put(metrics.HOST_CPUS, float(psutil.cpu_count() or 1))
        memory = psutil.virtual_memory()
        readings.put(metrics.HOST_MEMORY_SIZE, float(memory.total))
        readings.put(metrics.HOST_MEMORY_AVAILABLE, float(memory.available))
        self._read_own_memory(readings, int(memory.total))
        disk = shutil.disk_usage(self.out)
        readings.put(metrics.HOST_DISK_SIZE, float(disk.total))
        readings.put(metrics.HOST_DISK_FREE, float(disk.free))
        readings.put(metrics.DATABASE_SIZE, float(self._database_bytes(tx)))

    def _read_own_memory(self, readings: Readings, host_bytes: int) -> None:
        limit, usage = self.group.memory_limit_bytes(), self.group.memory_usage_bytes()
        if limit is None or usage is None:
            limit, usage = host_bytes, int(psutil.Process().memory_info().rss)
        else:
            usage = max(0, usage - self.group.reclaimable_bytes())
        readings.put(metrics.COORDINATOR_MEMORY_LIMIT, float(limit))
        readings.put(metrics.COORDINATOR_MEMORY_USAGE, float(usage))

    def _database_bytes(self, tx: Transaction) -> int:
        if not self.database.is_sqlite:
            query = text("SELECT pg_database_size(current_database())")
            return int(tx.connection.execute(query).scalar_one())
        main = Path(self.database.engine.url.database or "")
        files = (main, main.with_name(f"{main.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())
