"""The address of a database, or of anything else, as it can be shown: without the secrets that are in it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

MASK = "***"

SECRETS = ("pass", "pwd", "secret", "token")
"""What is in the name of a parameter whose value is a secret, such as ``password`` or ``sslpassword``."""


def masked(address: str) -> str:
    """Return an address with its password and its secret parameters masked.

    An address that cannot be parsed is masked whole, and so is one in which a password may stand where the
    parser sees none: an ``@`` that is left in the host or path of an address with a host is the end of one.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        return MASK
    if "@" in (url.host or "") or (url.get_backend_name() != "sqlite" and "@" in (url.database or "")):
        return MASK
    secret = {name: MASK for name in url.query if any(word in name.lower() for word in SECRETS)}
    if url.password is None and not secret:
        return address
    # Parameters are written percent-encoded.
    return url.update_query_dict(secret).render_as_string(hide_password=True).replace("%2A%2A%2A", MASK)


def sqlite_file(address: str) -> Path | None:
    """Return the file of a SQLite database, None for another database and for one in memory."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        return None
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))
