"""Who asks a coordinator: the connection, its address, and its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from common.client.connection import Connection
from common.errors import NighttrainError


class Caller:
    """What the clients of all roles have in common.

    Parameters
    ----------
    url : str
        Where the coordinator listens.
    token : Path or None
        The file with the bearer token; None where only public pages are read.

    Raises
    ------
    ConfigurationError
        The address or the token file cannot be used.
    """

    def __init__(self, url: str, token: Path | None) -> None:
        self._connection = Connection(url, token)

    @property
    def url(self) -> str:
        """The coordinator's address."""
        return self._connection.url

    def report_failures(self, to: Callable[[NighttrainError], None]) -> None:
        """Have `to` called for each request that fails, in the thread that sent it."""
        self._connection.failed = to

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
