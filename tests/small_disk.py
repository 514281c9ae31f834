"""A real disk that is soon full, for the tests of what is done without room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """A file system in memory of 6 MiB."""

    folder: Path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True)

    def resize(self, size: str) -> None:
        self.remount(f"size={size}")

    def fill(self, leave: int = 0) -> Path:
        """Write a file that leaves so many bytes; return it."""
        filler = self.folder / "filler"
        space = os.statvfs(self.folder)
        filler.write_bytes(bytes(space.f_bavail * space.f_frsize - leave))
        return filler


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    disk.folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk.folder]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk.folder], check=True)
