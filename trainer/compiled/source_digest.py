"""What a compiled library was compiled from; it imports nothing of ours, because `setup.py` runs it too."""

from __future__ import annotations

import hashlib
from pathlib import Path


def source_digest(folder: Path) -> str:
    """Return the SHA-256 of the C sources in a folder, with their names, in hex; of none it is empty."""
    digest = hashlib.sha256()
    sources = sorted(folder.glob("*.[ch]"))
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest() if sources else ""
