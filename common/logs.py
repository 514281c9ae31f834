"""Logging of every process: a rotating file and stderr, times in UTC, and no secret in any line."""

from __future__ import annotations

import logging
import re
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from common.errors import ConfigurationError
from common.quoted import escaped

MAX_BYTES = 10 * 1024 * 1024
KEPT_FILES = 5
CONCEALED = "[concealed]"

_TEXT = "nighttrain_text"
"""Where a record keeps its text, once it was made."""
_SECRETS: set[str] = set()
_CREDENTIALS = re.compile(
    r"""(\bauthorization\b['"]?\s*[:=,]\s*(?:b?['"])?(?:(?:bearer|basic)\s+)?)(?!\[concealed)[^\s'",)\]}]+"""
    r"""|(\bbearer\s+)(?!\[concealed)[^\s'",)\]}]{8,}""",
    re.IGNORECASE,
)
_TIME_AND_LEVEL = r"\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+"
_CHATTY = ("httpx", "httpcore", "asyncio", "urllib3")


def conceal(secret: str) -> None:
    """Keep `secret` out of every line that is logged from now on, wherever it may come from."""
    if secret:
        _SECRETS.add(secret)


def configure(path: Path | None, debug: bool, name: str, *, stderr: bool = True) -> None:
    """Send the log of this process to `path` (five rotated files of 10 MB are kept) and to stderr.

    Parameters
    ----------
    path : Path or None
        The file; its folder is made. None logs to stderr only.
    debug : bool
        Whether debug lines are logged, ours and those of the HTTP library.
    name : str
        What this process calls itself in each line.
    stderr : bool
        False where stderr belongs to a progress display.

    Raises
    ------
    ConfigurationError
        The file cannot be written.
    """
    handlers: list[logging.Handler] = []
    if stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(RotatingFileHandler(path, "a", MAX_BYTES, KEPT_FILES, encoding="utf-8"))
        except OSError as error:
            problem = f"the log {path} cannot be written: {error.strerror or error}"
            raise ConfigurationError(problem, "name a folder that can be written") from error
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        handler.setFormatter(ConcealingFormatter(name))
        root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.DEBUG if debug else logging.WARNING)
    logging.captureWarnings(True)
    # On a full disk each failed line would print a traceback to stderr, which a launcher logs in its turn.
    logging.raiseExceptions = False


class ConcealingFormatter(logging.Formatter):
    """One line a record, with its UTC time; secrets are blotted out of text and traceback alike.

    It works on the finished text, because a secret may hide in an argument, in an exception or in another
    library's record. What cannot be printed is escaped in it: whoever is quoted begins no line of the log and
    moves no cursor. The lines of a traceback are indented, so that none of them looks like a record.
    """

    converter = staticmethod(time.gmtime)
    default_msec_format = "%s.%03dZ"
    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def __init__(self, name: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {name.replace('%', '%%')} %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name is the library's)
        """Return the record's own line."""
        return escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 (as above)
        """Return the traceback of a record."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 (as above)
        """Return the stack of a record."""
        return _indented(super().formatStack(stack_info))

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, without secrets; it is made once for the file and for stderr."""
        made: str | None = record.__dict__.get(_TEXT)
        if made is None:
            made = record.__dict__[_TEXT] = concealed(super().format(record))
        return made


def message_of(line: str, name: str) -> str:
    """Return what a line of the log of `name` says, without time, level and names; others as they are."""
    return re.sub(rf"^{_TIME_AND_LEVEL} {re.escape(escaped(name))} \S+: ?", "", line)


def _indented(text: str) -> str:
    return "\n".join(f"    {escaped(line)}" for line in text.split("\n"))


def concealed(text: str) -> str:
    """Return `text` with every known secret and every credential header blotted out."""
    for secret in _SECRETS:
        text = text.replace(secret, CONCEALED)
    return _CREDENTIALS.sub(lambda found: f"{found[1] or found[2]}{CONCEALED}", text)
