"""The bytes of a source, plain or unpacked from gzip or ZIP: held while they are few, else read again.

What is packed may be made to unpack to any size. So it is unpacked piece by piece and counted, and given up
where a file unpacks to more than `MOST_RATIO` times itself, or to more than `MOST_BYTES`.

Deflate is unpacked by ISA-L, which takes less than half of what zlib takes: exchanges pack their dumps so,
and half of the time of reading one was unpacking it. Members of a ZIP that are too large to be held are left
to zlib, since they are read from several places.
"""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from copy import copy
from dataclasses import dataclass, field
from typing import IO, cast

from isal import igzip, isal_zlib

from common.quoted import quoted
from trainer.sources.probe import UnreadableError

HELD_BYTES = 64 << 20
"""So much is held in memory; of what is larger a part at a time."""

MOST_RATIO = 100
"""Times its packed size that a file may unpack to, beyond `HELD_BYTES`. Candles of a market in which nothing
moves, twelve columns of them, come to 22."""

MOST_BYTES = 4 << 30
"""What one member may unpack to: a year of seconds in twelve columns."""

MOST_DIRECTORY_BYTES = 16 << 20
"""The largest directory of a ZIP that is read: 150,000 files with long names."""

PIECE_BYTES = 1 << 20

# Its stub takes the class for an instance.
ISAL_ERROR = cast(type[Exception], isal_zlib.error)
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, ISAL_ERROR, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, NotImplementedError, RuntimeError, OverflowError),
)
"""What is raised for what is cut, damaged, encrypted or packed in an unknown way."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How a member of a ZIP may be packed; of others Python unpacks whatever 4 KiB unpack to at once."""

KINDS = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA"}

Opener = Callable[[], IO[bytes]]


@dataclass
class Allowance:
    """What one file may still unpack to.

    Parameters
    ----------
    packed : int
        Size of the file in bytes.
    """

    packed: int
    _taken: int = field(default=0, init=False)

    def take(self, count: int, of_member: int) -> None:
        """Count bytes that were unpacked; `of_member` are those of the same member with them.

        Raises
        ------
        UnreadableError
            They are more than the file may unpack to.
        """
        self._taken += count
        if of_member > MOST_BYTES:
            raise UnreadableError(
                f"it unpacks to more than {MOST_BYTES >> 30} GiB; split it, or write it as Parquet"
            )
        if self._taken > max(HELD_BYTES, MOST_RATIO * self.packed):
            raise UnreadableError(
                f"it unpacks to more than {MOST_RATIO} times its size, as candles do not; if it is whole, "
                "unpack it"
            )


@dataclass(frozen=True)
class Content:
    """The bytes of a source.

    Parameters
    ----------
    size : int
        How many they are.
    allowance : Allowance
        What the file that they are of may unpack to.
    again : callable
        Opens them at their beginning.
    held : bytes or None
        All of them, None where they are too many.
    """

    size: int
    allowance: Allowance
    again: Opener
    held: bytes | None = None

    @property
    def packed(self) -> int:
        """Size in bytes of the file that they are of."""
        return self.allowance.packed

    def open(self) -> IO[bytes]:
        """Open them at their beginning; what goes wrong in reading is one of `DAMAGED`."""
        return self.again() if self.held is None else io.BytesIO(self.held)

    def part(self, start: int, length: int) -> bytes:
        """Return at most `length` bytes from `start` on."""
        if self.held is not None:
            return self.held[start : start + length]
        with closing(self.again()) as stream:
            stream.seek(start)
            return _exactly(stream, length)


def plain(again: Opener, allowance: Allowance) -> Content:
    """Return the content of a file that is what it is.

    Raises
    ------
    OSError
        It cannot be read.
    """
    size = allowance.packed
    if size > HELD_BYTES:
        return Content(size, allowance, again)
    with closing(again()) as stream:
        # A file may grow while it is read.
        held = _exactly(stream, size)
    return Content(len(held), allowance, again, held)


def gunzipped(packed: Content) -> Content:
    """Unpack gzip.

    Raises
    ------
    UnreadableError
        It is damaged or cut, or unpacks to too much.
    """

    def again() -> IO[bytes]:
        return cast(IO[bytes], _Gunzipping(packed.open()))

    return _unpacked(again, packed.allowance, "its gzip data is damaged or cut", "cut_file")


def member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, allowance: Allowance) -> Content:
    """Unpack a member of a ZIP.

    Raises
    ------
    UnreadableError
        It is damaged, encrypted or packed in a way that is not read, or unpacks to too much.
    """
    shown = quoted(entry.filename)
    if entry.compress_type not in METHODS:
        kind = KINDS.get(entry.compress_type, f"method {entry.compress_type}")
        raise UnreadableError(f"its member {shown} is packed with {kind}; pack it with deflate, as is usual")
    problem = f"its member {shown} cannot be unpacked"
    if entry.compress_type == zipfile.ZIP_DEFLATED and entry.file_size <= HELD_BYTES:
        return _unpacked(
            lambda: cast(IO[bytes], _Inflating(archive, entry)), allowance, problem, "unreadable_file"
        )
    return _unpacked(lambda: archive.open(entry), allowance, problem, "unreadable_file")


def directory(stream: IO[bytes]) -> zipfile.ZipFile:
    """Open a ZIP.

    Raises
    ------
    UnreadableError
        Its directory is damaged, or too large.
    """
    try:
        return zipfile.ZipFile(_Directory(stream))
    except DAMAGED as error:
        raise UnreadableError(
            "its ZIP directory is missing or damaged, so the file was probably cut", "cut_file"
        ) from error


class _Inflating:
    """The bytes of a member that is packed with deflate, read once from its beginning to its end."""

    def __init__(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        # As if it were not packed: so Python looks at its header, and gives out what stands there.
        stored = copy(entry)
        stored.compress_type, stored.file_size = zipfile.ZIP_STORED, entry.compress_size
        del stored.CRC
        self._entry = entry
        self._packed = archive.open(stored)
        self._inflation = isal_zlib.decompressobj(-zlib.MAX_WBITS)
        self._size = self._crc = 0
        self.close = self._packed.close

    def read(self, count: int) -> bytes:
        """Return no more than `count` bytes; none at the end, where they are compared with the directory."""
        piece = b""
        while not piece and not self._inflation.eof:
            packed = self._inflation.unconsumed_tail or self._packed.read(PIECE_BYTES)
            piece = self._inflation.decompress(packed, count)
            if not packed and not piece:
                break
        self._size += len(piece)
        self._crc = isal_zlib.crc32(piece, self._crc)
        if self._size > self._entry.file_size:
            raise zipfile.BadZipFile("it unpacks to more than the directory says")
        if not piece and (self._size, self._crc) != (self._entry.file_size, self._entry.CRC):
            raise zipfile.BadZipFile("its checksum is not that of the directory")
        return piece


class _Gunzipping(igzip.IGzipFile):
    """Closes the file that it reads as well."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        super().__init__(fileobj=packed)  # type: ignore[no-untyped-call]  # as its stub has it

    def close(self) -> None:
        super().close()
        self._packed.close()


class _Directory:
    """A file whose reader asks for no more at once than the directory of an archive may have."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell, self.close, self.seekable = (
            *(stream.seek, stream.tell, stream.close),
            stream.seekable,
        )

    def read(self, count: int = -1) -> bytes:
        if count > MOST_DIRECTORY_BYTES:
            raise UnreadableError(f"its ZIP directory has more than {MOST_DIRECTORY_BYTES >> 20} MiB")
        # What is read to the end of the file is the end of the directory, which is short.
        return self._stream.read(count if count >= 0 else MOST_DIRECTORY_BYTES)


def _unpacked(again: Opener, allowance: Allowance, problem: str, defect: str) -> Content:
    pieces: list[bytes] = []
    size = 0
    try:
        with closing(again()) as stream:
            while piece := stream.read(PIECE_BYTES):
                size += len(piece)
                allowance.take(len(piece), size)
                pieces.append(piece)
                if size > HELD_BYTES:
                    pieces.clear()
    except DAMAGED as error:
        raise UnreadableError(f"{problem}: {reason(error)}", defect) from error
    held = b"".join(pieces) if size <= HELD_BYTES else None
    return Content(size, allowance, again, held)


def reason(error: BaseException) -> str:
    """Return the first line of an error's text, fit to be quoted and without its full stop."""
    return quoted(str(error).partition("\n")[0], 200).rstrip(".") or type(error).__name__


def _exactly(stream: IO[bytes], length: int) -> bytes:
    # Of a file it is one piece, which is not copied: to join several takes the memory twice.
    pieces: list[bytes] = []
    while length > 0 and (piece := stream.read(length)):
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
