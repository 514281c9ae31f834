"""What the page loads besides itself: style sheets, scripts and the icon.

The address of each has a digest of its content in it, so a browser may keep the file for ever, and asks for
another address after an update. Each file is compressed once, when the coordinator starts.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from common.errors import NotFoundError

MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
"""Only files that end so are served."""
FOR_EVER = "public, max-age=31536000, immutable"
DIGITS = 16

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Asset:
    """A file of the page."""

    name: str
    content: bytes
    compressed: bytes
    media_type: str
    digest: str

    @property
    def address(self) -> str:
        """Where it is served."""
        return f"/static/{self.digest}/{self.name}"


@cache
def assets() -> dict[str, Asset]:
    """Return all files, by name."""
    found = {}
    folders = (files("coordinator.web") / "static", files("coordinator.html") / "styles")
    for file in (one for folder in folders for one in folder.iterdir()):
        media_type = MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if media_type is not None:
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:DIGITS]
            compressed = gzip.compress(content, 9, mtime=0)
            found[file.name] = Asset(file.name, content, compressed, media_type, digest)
    return found


def address_of(name: str) -> str:
    """Return where a file is served; a template that names one that is not there is a defect."""
    return assets()[name].address


@router.get("/static/{digest}/{name}")
async def serve(digest: str, name: str, request: Request) -> Response:
    """Return a file, under the address of its present content only."""
    asset = assets().get(name)
    if asset is None or asset.digest != digest:
        raise NotFoundError(f"there is no file {name} of that content here", "load the page anew")
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    content = asset.content
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        content = asset.compressed
    return Response(content, media_type=asset.media_type, headers=headers)
