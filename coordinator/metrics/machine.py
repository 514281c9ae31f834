"""The coordinator's machine as metrics: processors, memory, disk, and the size of the database."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import psutil
from sqlalchemy import text

from common.host import processor_times
from common.metrics import declarations as metrics
from common.metrics.exposition import Readings
from coordinator.store.database import Database, Transaction

SHORTEST_SECONDS = 0.5
"""Processor times are counted in hundredths of a second: over less than this a share means nothing."""


class Machine:
    """The machine of this process; it remembers the processor times of the last scrape.

    Parameters
    ----------
    database : Database
        Whose size is measured.
    out : Path
        The folder whose disk is measured.
    """

    def __init__(self, database: Database, out: Path) -> None:
        self.database = database
        self.out = out
        self._lock = threading.Lock()
        self._times = processor_times()
        self._cpu_ratio = 0.0

    def read(self, readings: Readings, tx: Transaction) -> None:
        """Read the state of the machine now."""
        readings.put(metrics.HOST_CPU, self._cpu())
        readings.put(metrics.HOST_CPUS, float(psutil.cpu_count() or 1))
        memory = psutil.virtual_memory()
        readings.put(metrics.HOST_MEMORY_SIZE, float(memory.total))
        readings.put(metrics.HOST_MEMORY_AVAILABLE, float(memory.available))
        disk = shutil.disk_usage(self.out)
        readings.put(metrics.HOST_DISK_SIZE, float(disk.total))
        readings.put(metrics.HOST_DISK_FREE, float(disk.free))
        readings.put(metrics.DATABASE_SIZE, float(self._database_bytes(tx)))

    def _cpu(self) -> float:
        with self._lock:
            busy, idle = processor_times()
            busy_since, idle_since = busy - self._times[0], idle - self._times[1]
            if busy_since + idle_since >= SHORTEST_SECONDS * (psutil.cpu_count() or 1):
                self._cpu_ratio = busy_since / (busy_since + idle_since)
                self._times = busy, idle
            return min(1.0, max(0.0, self._cpu_ratio))

    def _database_bytes(self, tx: Transaction) -> int:
        if not self.database.is_sqlite:
            query = text("SELECT pg_database_size(current_database())")
            return int(tx.connection.execute(query).scalar_one())
        main = Path(self.database.engine.url.database or "")
        files = (main, main.with_name(f"{main.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())
