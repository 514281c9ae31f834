"""The bearer token in its file: made by a coordinator, given to it by others, or read by its clients."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from common import logs
from common.errors import ConfigurationError

LOG = logging.getLogger(__name__)

TOKEN_BYTES = 32
"""A token has so many letters or more."""
MAX_FILE_BYTES = 4096


def open_token(path: Path) -> str:
    """Return the token in a file; at the first start it is made, readable by its owner only.

    Raises
    ------
    ConfigurationError
        The file cannot be read or written, or holds no token.
    """
    try:
        if not path.exists():
            fresh = path.with_name(f".{path.name}.new")
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.rename(path)
        path.chmod(0o600)
    except OSError as error:
        raise ConfigurationError(f"the token file {path} cannot be used: {error}") from error
    return _token_in(path, "", "delete it, and a new one is made")


def given_token(path: Path) -> str:
    """Return the token in a file that others keep, such as a secret of Docker; it is only read.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or holds no token.
    """
    return _token_in(path, "", f"write {TOKEN_BYTES} random letters and digits or more into it, on one line")


def read_token(path: Path) -> str:
    """Return the token of a coordinator for its client, and warn if others on this machine can read it.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or holds no token.
    """
    missing = (
        "name it with --token-file: the coordinator makes it at its first start, as `token` in its out "
        "folder, and make up makes secrets/nighttrain_token"
    )
    return _token_in(path, missing, "it must hold the coordinator's token and nothing else", guarded=True)


def _token_in(path: Path, missing: str, invalid: str, guarded: bool = False) -> str:
    """Read a token and keep it out of the log from now on; the hints say what to do where that fails."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        # Only of a file that is not there is it of use who makes it.
        hint = missing if isinstance(error, FileNotFoundError) else "this user must be able to read it"
        raise ConfigurationError(f"the token file {path} cannot be read: {error.strerror}", hint) from error
    if guarded and mode & 0o077:
        LOG.warning("the token file %s can be read by other users; chmod 600 it", path)
    token = content.decode("ascii", errors="replace").strip()
    whole = len(token) >= TOKEN_BYTES and len(content) <= MAX_FILE_BYTES
    if not whole or not all(33 <= ord(letter) <= 126 for letter in token):
        raise ConfigurationError(f"the token file {path} holds no token", invalid)
    logs.conceal(token)
    return token
