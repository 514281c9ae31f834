"""Bearer tokens in their files: made by a coordinator, given to it by others, or read by its clients."""

from __future__ import annotations

import logging
import os
import secrets
import stat
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from common import logs
from common.errors import ConfigurationError
from common.whole_file import take_name

LOG = logging.getLogger(__name__)

TOKEN_BYTES = 32
"""A token has so many letters or more."""
MAX_FILE_BYTES = 4096


class Role(StrEnum):
    """Who shows a token; each may do only its own."""

    OPERATOR = "operator"
    """Begins and steers nights, and reads."""
    TRAINER = "trainer"
    """Claims jobs, and reports on those that it holds."""
    ALERTS = "alerts"
    """Brings alerts: Alertmanager."""
    READER = "reader"
    """Reads where reading is not open to everybody."""

    @property
    def owner(self) -> str:
        """Whose token it is, in words."""
        return {"trainer": "the trainers'", "alerts": "Alertmanager's", "reader": "the readers'"}.get(
            self, "the operator's"
        )


def open_token(path: Path) -> str:
    """Return the token in a file; at the first start it is made, readable by its owner only.

    Raises
    ------
    ConfigurationError
        The file cannot be read or written, is a link, or holds no token.
    """
    try:
        if not path.exists():
            _make(path)
        # Whoever may write into the folder could have planted a link to a file of somebody else.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        if path.is_symlink():
            problem = f"the token file {path} is a link, and what it leads to is not touched"
            raise ConfigurationError(problem, "remove it") from error
        raise ConfigurationError(f"the token file {path} cannot be used: {error}") from error
    return _token_in(path, content, "delete it, and a new one is made")


def given_token(path: Path) -> str:
    """Return the token in a file that others keep, such as a secret of Docker; it is only read.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or holds no token.
    """
    invalid = f"write {TOKEN_BYTES} random letters and digits or more into it, on one line"
    return _token_in(path, _read(path, ""), invalid)


def read_token(path: Path) -> str:
    """Return the token of a coordinator for its client, and warn if others on this machine can read it.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or holds no token.
    """
    missing = (
        "name it with --token-file: the coordinator makes it at its first start, in its out folder as token "
        "for operators and trainer_token for trainers; make up makes both in secrets, as nighttrain_token "
        "and trainer_token"
    )
    content = _read(path, missing)
    with suppress(OSError):
        if path.stat().st_mode & 0o077:
            LOG.warning("the token file %s can be read by other users; chmod 600 it", path)
    return _token_in(path, content, "it must hold the coordinator's token and nothing else")


def fresh_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def _make(path: Path) -> None:
    # What an earlier version left when it was killed here.
    path.with_name(f".{path.name}.new").unlink(missing_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(fresh_token() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        take_name(fresh, path)
    except FileExistsError:
        # Another coordinator of this folder was quicker, and its token is that of all.
        fresh.unlink()


def _read(path: Path, missing: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        # Only of a file that is not there is it of use who makes it.
        hint = missing if isinstance(error, FileNotFoundError) else "this user must be able to read it"
        raise ConfigurationError(f"the token file {path} cannot be read: {error.strerror}", hint) from error


def _token_in(path: Path, content: bytes, invalid: str) -> str:
    """Return the token of a file, and keep it out of the log from now on; `invalid` says what else to do."""
    token = content.decode("ascii", errors="replace").strip()
    whole = len(token) >= TOKEN_BYTES and len(content) <= MAX_FILE_BYTES
    if not whole or not all(33 <= ord(letter) <= 126 for letter in token):
        raise ConfigurationError(f"the token file {path} holds no token", invalid)
    logs.conceal(token)
    return token
