"""Standard output and error where they may have no room: words that cannot be written end no night."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TextIO


class Outlet(io.TextIOWrapper):
    """A stream that drops what cannot be written, and remembers that it did.

    A pipe that nobody reads any more, or that is full and was opened not to wait, raises as ever.

    Parameters
    ----------
    stream : TextIOWrapper
        In whose place it stands, and whose buffer it shares.

    Attributes
    ----------
    problem : str
        Why something could not be written, in the system's words; empty while all could be.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        # As with PYTHONUNBUFFERED: a file without a buffer takes what it has room for, and says no word.
        self._at_once = isinstance(stream.buffer, io.RawIOBase)
        self.problem = ""
        super().__init__(
            io.BufferedWriter(stream.buffer) if isinstance(stream.buffer, io.RawIOBase) else stream.buffer,
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )

    def write(self, words: str, /) -> int:
        """Write as much as there is room for."""
        try:
            super().write(words)
            if self._at_once:
                super().flush()
        except OSError as error:
            self._drop(error)
        return len(words)

    def flush(self) -> None:
        """Write what is held back, as far as there is room for it."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError | BlockingIOError):
            raise error
        self.problem = error.strerror or str(error)


def opened(stream: TextIO | None) -> TextIO:
    """Return an outlet in place of standard output or error; of a terminal the stream itself.

    Where the caller has closed it (None), what is written there is for nobody.
    """
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper) or stream.isatty():
        return stream
    stream.flush()
    return Outlet(stream)
