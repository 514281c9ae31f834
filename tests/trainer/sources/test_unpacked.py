"""The bytes of sources that are packed: what was packed, or refused in words, and never too many."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.sources.probe import UnreadableError
from trainer.sources.unpacked import PIECE_BYTES, Allowance, directory, gunzipped, member, plain


def texts() -> list[bytes]:
    """Of all kinds: nothing, little, what hardly packs, what packs best, and more than a piece of each."""
    noise = random.Random(1)
    rows = b"".join(b"%d,%.2f\n" % (moment, noise.random()) for moment in range(250_000))
    return [b"", b"1", noise.randbytes(3 * PIECE_BYTES + 1), bytes(5 * PIECE_BYTES), rows]


def packed(*contents: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.csv", content)
    return buffer.getvalue()


def unpack(packed: bytes) -> list[bytes]:
    with directory(io.BytesIO(packed)) as archive:
        allowance = Allowance(len(packed))
        return [member(archive, entry, allowance).part(0, 1 << 30) for entry in archive.infolist()]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_members_are_what_was_packed_in_any_order(method: int) -> None:
    assert unpack(packed(*texts(), method=method)) == texts()
    with directory(io.BytesIO(packed(*texts(), method=method))) as archive:
        for entry, text in reversed(list(zip(archive.infolist(), texts(), strict=True))):
            assert member(archive, entry, Allowance(1 << 30)).part(0, 1 << 30) == text


def test_gzip_is_what_was_packed_of_several_members_too(tmp_path: Path) -> None:
    path = tmp_path / "candles.gz"
    path.write_bytes(b"".join(map(gzip.compress, texts())))
    content = plain(lambda: path.open("rb"), Allowance(path.stat().st_size))
    assert gunzipped(content).part(0, 1 << 30) == b"".join(texts())


def test_gzip_whose_header_never_ends_is_refused_and_no_defect(tmp_path: Path) -> None:
    path = tmp_path / "candles.gz"
    packed = bytearray(gzip.compress(b"1,2\n"))
    packed[3] |= 8
    path.write_bytes(bytes(packed[:10]) + b"n" * 600_000 + b"\0" + bytes(packed[10:]))
    content = plain(lambda: path.open("rb"), Allowance(path.stat().st_size))
    with pytest.raises(UnreadableError, match=r"its gzip data is damaged or cut: ."):
        gunzipped(content)


ROWS = texts()[-1]


def cut(packed: bytearray, data: slice, entry: int) -> None:
    """Put the second half of the packed bytes in the place of nothing."""
    half = (data.stop - data.start) // 2
    packed[data.start + half : data.stop] = bytes(data.stop - data.start - half)


def changed(packed: bytearray, data: slice, entry: int) -> None:
    packed[data.stop - 40] ^= 0x10


def another_checksum(packed: bytearray, data: slice, entry: int) -> None:
    packed[entry + 16] ^= 1


def smaller_than_it_is(packed: bytearray, data: slice, entry: int) -> None:
    packed[entry + 24 : entry + 28] = (len(ROWS) - 1).to_bytes(4, "little")


def larger_than_it_is(packed: bytearray, data: slice, entry: int) -> None:
    packed[entry + 24 : entry + 28] = (len(ROWS) + 1).to_bytes(4, "little")


def packed_in_less(packed: bytearray, data: slice, entry: int) -> None:
    packed[entry + 20 : entry + 24] = (data.stop - data.start - 100).to_bytes(4, "little")


@pytest.mark.parametrize(
    "damage", [cut, changed, another_checksum, smaller_than_it_is, larger_than_it_is, packed_in_less]
)
def test_a_member_that_is_not_what_the_directory_says_is_refused(
    damage: Callable[[bytearray, slice, int], None],
) -> None:
    whole = bytearray(packed(ROWS))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        [entry] = archive.infolist()
    start = entry.header_offset + 30 + len(entry.filename)
    damage(whole, slice(start, start + entry.compress_size), whole.index(b"PK\x01\x02"))
    with pytest.raises(UnreadableError, match=r"its member '?0\.csv'? cannot be unpacked: ."):
        unpack(bytes(whole))


def test_a_member_that_unpacks_to_more_than_a_file_may_is_given_up_before_it_is_unpacked() -> None:
    taken: list[int] = []

    class Counting(Allowance):
        def take(self, count: int, of_member: int) -> None:
            taken.append(count)
            super().take(count, of_member)

    bomb = packed(bytes(60 << 20), bytes(60 << 20))
    with directory(io.BytesIO(bomb)) as archive, pytest.raises(UnreadableError, match="100 times its size"):
        allowance = Counting(len(bomb))
        for entry in archive.infolist():
            member(archive, entry, allowance)
    assert max(taken) <= PIECE_BYTES and sum(taken) <= (64 << 20) + PIECE_BYTES
