"""Addresses of object stores: which there are, and what a mistake in one is. Nothing is asked here."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

SCHEMES = {"file": "a folder", "s3": "Amazon S3 and what speaks like it", "gs": "Google", "az": "Azure"}
"""The kinds of store, by the scheme of their address."""

Place = Path | str
"""Where candles lie: a folder, or the address of a store below which objects are as files in one."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def checked(url: str) -> str:
    """Return an address as it is used: without a slash at its end; "" stands for none.

    Raises
    ------
    ValueError
        It is no address of a store, or holds what belongs into the environment. The words never hold it.
    """
    url = url.strip()
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not url.startswith(f"{parts.scheme}://"):
        raise ValueError(
            "must be file:///FOLDER, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "must be without credentials, ? and #: credentials belong into the environment or ~/.aws"
        )
    if any(character.isspace() or not character.isprintable() for character in parts.netloc + parts.path):
        raise ValueError("must be without blanks; write one in a folder's name as %20")
    if parts.scheme == "file":
        if parts.netloc or not parts.path.strip("/"):
            raise ValueError("must name a folder of this machine by its whole path: file:///srv/nighttrain")
    elif not _BUCKET.fullmatch(parts.netloc):
        raise ValueError(f"must name a bucket: {parts.scheme}://BUCKET/PREFIX")
    if any(part in {".", ".."} for part in parts.path.split("/")) or "//" in parts.path:
        raise ValueError("must be without empty parts, . and .. in its path")
    return url.rstrip("/")


def place_of(text: str | Path) -> Place:
    """Return where candles lie: what has ``://`` in it is an address, and `file:` names a folder.

    Raises
    ------
    ValueError
        As of `checked`.
    """
    if isinstance(text, Path) or "://" not in text:
        return Path(text)
    url = checked(text)
    return folder_of(url) if url.startswith("file:") else url


def folder_of(url: str) -> Path:
    """Return the folder that a `file:` address names."""
    return Path(unquote(urlsplit(url).path))


def without_credentials(text: str) -> str:
    """Return a text in which addresses hold neither user, password nor query, as a message may show it."""
    return re.sub(r"(://[^\s?#'\"]*)[?#][^\s'\"]*", r"\1?...", re.sub(r"://[^/\s'\"]*@", "://...@", text))
