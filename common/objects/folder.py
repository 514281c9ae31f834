"""A folder as a store of objects: a disk of its own, or one that several machines share."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from common.errors import StorageError
from common.whole_file import write_whole


class FolderObjects:
    """The objects below a folder, each a file on disk before a write returns.

    Parameters
    ----------
    url : str
        Its address.
    folder : Path
        The folder. It is made, but not what it lies in: there a disk may not be mounted.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder

    def put(self, name: str, content: bytes) -> None:
        """Write a file, as `Objects.put`."""
        if not self.folder.parent.is_dir():
            raise StorageError(f"{self.url}: {self.folder.parent} is not there", "mount its disk, or make it")
        write_whole(self.folder / name, content)

    def get(self, name: str) -> bytes | None:
        """Read a file, as `Objects.get`."""
        self._assert_there()
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{self.url}: {name} cannot be read: {error.strerror or error}") from error

    def sizes(self, folder: str) -> dict[str, int]:
        """List files, as `Objects.sizes`."""
        try:
            with os.scandir(self.folder / folder) as entries:
                # A name that begins with a dot is a file that is being written.
                files = [entry for entry in entries if entry.is_file() and not entry.name.startswith(".")]
            found = {}
            for entry in files:
                # One may be deleted by another coordinator meanwhile.
                with suppress(FileNotFoundError):
                    found[f"{folder}/{entry.name}"] = entry.stat().st_size
            return found
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StorageError(f"{self.url}: cannot be listed: {error.strerror or error}") from error

    def delete(self, name: str) -> None:
        """Remove a file, as `Objects.delete`."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{self.url}: {name} cannot be removed: {error.strerror or error}") from error

    def _assert_there(self) -> None:
        if not self.folder.is_dir():
            # An empty answer would say that the objects are lost, where a disk is only not mounted.
            raise StorageError(f"{self.url}: {self.folder} is not there", "mount its disk, or make it")
