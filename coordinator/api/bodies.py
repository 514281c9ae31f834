"""Bodies of requests, read so that no sender can take the coordinator's memory or keep it waiting."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from common.errors import InvalidRequestError, TooLargeError, UnavailableError
from common.protocol.trainers import MAX_ARTIFACT_BYTES

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
MAX_FORM_BYTES = 64 * 1024
"""Of what is sent without the token: signing in, and the forms of the page."""
IN_FLIGHT_BYTES = 64 * 1024 * 1024
"""All bodies together that are held at once; the coordinator lives in 512 MB."""
SILENCE_SECONDS = 30.0
"""How long a sender may stop in the middle of a body."""
DRAINED_BYTES = 256 * 1024 * 1024
"""A body that is too large is read and dropped up to here, so that its sender gets to read the answer."""
UNKNOWN_DRAINED_BYTES = 64 * 1024
"""The same for a sender who did not show the token."""


_HALVES = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
"""What a half of a surrogate pair looks like in JSON, escaped or as bytes; whole pairs look so too."""


def assert_whole(body: bytes) -> None:
    """Refuse a document with half a character: no column holds it, and it cannot be sent on.

    Raises
    ------
    InvalidRequestError
        There is one in a text, or in the name of a field.
    """
    # Neither beginning is in plain ASCII, as nearly all documents are; that is seen at once.
    if (body.isascii() and b"\\" not in body) or not _HALVES.search(body):
        return
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        # Whoever reads it refuses it.
        return
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"half a character, \\u{ord(error.object[error.start]):04x}"
        raise InvalidRequestError(f"body: it has {half}", "send whole characters") from None


def limit_of(path: str) -> int:
    """Return how many bytes a body sent to a path may have."""
    if not path.startswith("/api/"):
        return MAX_FORM_BYTES
    return MAX_ARTIFACT_BYTES if path.endswith("/artifact") else MAX_DOCUMENT_BYTES


class Bodies:
    """All bodies that are held at the moment."""

    def __init__(self) -> None:
        self.held = 0

    @asynccontextmanager
    async def read(self, receive: Receive, limit: int, announced: int | None) -> AsyncIterator[bytes]:
        """Hold one body while its request is answered.

        Parameters
        ----------
        receive : callable
            Gives the next message of the request, by the ASGI protocol.
        limit : int
            The most bytes it may have.
        announced : int or None
            Its length by the Content-Length header, if there is one.

        Raises
        ------
        InvalidRequestError
            It was cut off, or its sender has been silent for too long.
        TooLargeError
            It has more bytes than it may have; an announced length is believed at once.
        UnavailableError
            Too many bytes are held already.
        """
        if announced is not None and announced > limit:
            if announced <= DRAINED_BYTES:
                await drain(receive, DRAINED_BYTES)
            raise _too_large(limit)
        body = bytearray()
        try:
            async for part in parts_of(receive):
                if len(body) + len(part) > limit:
                    await drain(receive, DRAINED_BYTES)
                    raise _too_large(limit)
                if self.held + len(part) > IN_FLIGHT_BYTES:
                    raise UnavailableError("too much is being sent at once", "try again in a second")
                self.held += len(part)
                body += part
            yield bytes(body)
        finally:
            self.held -= len(body)


async def parts_of(receive: Receive) -> AsyncIterator[bytes]:
    """Yield a body part by part.

    Raises
    ------
    InvalidRequestError
        It was cut off, or its sender has been silent for too long.
    """
    more = True
    while more:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await receive()
        except TimeoutError:
            silent = f"no byte of the body came for {SILENCE_SECONDS:g} seconds"
            raise InvalidRequestError(silent, "send it in one go") from None
        if message["type"] == "http.disconnect":
            raise InvalidRequestError("the request was cut off before its end")
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def drain(receive: Receive, most: int) -> None:
    """Read and drop a body that nobody wants, or somewhat more than `most` bytes of it."""
    dropped = 0
    async for part in parts_of(receive):
        dropped += len(part)
        if dropped > most:
            return


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"the body has more than {limit} bytes", "send less")
