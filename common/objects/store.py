"""A store of objects: bytes under names, written whole or not at all; a name holds slashes.

Nothing here depends on conditional writes, which many stores that speak S3 do not know: who writes last wins.
What must not be mixed up is named by its content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from common.errors import ConfigurationError, StorageError
from common.objects.address import checked, folder_of


@dataclass(frozen=True)
class Stored:
    """An object as it was listed.

    `mtime_ns` is when it was written, in nanoseconds since the epoch. `version` tells it from whatever bears
    its name later (the ETag), and is empty where the store tells none.
    """

    name: str
    size: int
    mtime_ns: int
    version: str


class StoreError(StorageError):
    """An object store is away, or does not do what is asked of it.

    Parameters
    ----------
    passing : bool
        Whether the same request may succeed in a moment, without anybody's doing.
    """

    def __init__(self, detail: str, hint: str = "", passing: bool = False) -> None:
        super().__init__(detail, hint)
        self.passing = passing


class ChangedError(StoreError):
    """An object is not what it was when it was listed."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(
            f"{url}: {name} changes while it is read", "leave it as it is while a night reads it", True
        )


class Objects(Protocol):
    """What every store does. Each call raises `StorageError` where the store is away or refuses.

    Attributes
    ----------
    url : str
        Its address, which holds no credentials.
    """

    url: str

    def put(self, name: str, content: bytes) -> None:
        """Write an object, whole, in place of one of that name; it is kept once this returns."""

    def get(self, name: str) -> bytes | None:
        """Return an object; None where there is none of that name."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the sizes in bytes of all objects below a name, by their whole names."""

    def delete(self, name: str) -> None:
        """Remove an object; that there is none is no mistake."""


def open_objects(url: str) -> Objects:
    """Return the store at an address, without asking it anything.

    Raises
    ------
    ConfigurationError
        The address is none, or what it needs is not installed.
    """
    try:
        url = checked(url)
    except ValueError as error:
        raise ConfigurationError(f"the address of the object store {error}") from None
    # Whoever has no such store is not to pay for its client at the start.
    if url.startswith("file:"):
        from common.objects.folder import FolderObjects

        return FolderObjects(url, folder_of(url))
    from common.objects.remote import RemoteObjects

    return RemoteObjects(url)
