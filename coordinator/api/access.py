"""Who may do what: the bearer token, its file, and the checks that the two APIs put before their paths."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from common import logs
from common.errors import ConfigurationError, UnauthorizedError
from coordinator.assembly import PartsOf

TOKEN_BYTES = 32
_HINT = "send the content of the token file (`token` in the out folder) as Authorization: Bearer ..."

bearer = HTTPBearer(auto_error=False, description="The content of the file `token` in the out folder.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def given_token(path: Path) -> str:
    """Return the token in a file that others keep, such as a secret of Docker; it is only read.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or holds no token.
    """
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the token file {path} cannot be used: {error}") from error
    if len(token) < TOKEN_BYTES or not token.isprintable() or " " in token:
        hint = f"write {TOKEN_BYTES} random letters and digits or more into it, on one line"
        raise ConfigurationError(f"the token file {path} holds no token", hint)
    logs.conceal(token)
    return token


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
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the token file {path} cannot be used: {error}") from error
    if len(token) < TOKEN_BYTES:
        raise ConfigurationError(f"the token file {path} holds no token", "delete it, and a new one is made")
    logs.conceal(token)
    return token


def may_write(parts: PartsOf, credentials: Credentials) -> None:
    """Let only holders of the token pass.

    Raises
    ------
    UnauthorizedError
        The token is missing or wrong.
    """
    if credentials is None:
        raise UnauthorizedError("the bearer token is missing", _HINT)
    if not hmac.compare_digest(credentials.credentials.encode(), parts.token.encode()):
        raise UnauthorizedError("the bearer token is wrong", _HINT)


def may_read(parts: PartsOf, credentials: Credentials) -> None:
    """Let everybody pass on loopback and on a trusted network, and only holders of the token elsewhere.

    Raises
    ------
    UnauthorizedError
        The coordinator can be reached from outside, and the token is missing or wrong.
    """
    if not parts.reading_is_open:
        may_write(parts, credentials)
