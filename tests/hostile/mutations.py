"""Damage to bytes: of the kinds that disks, cut transfers, careless programs and attackers do."""

from __future__ import annotations

from random import Random

PIECES = (
    *(b"\x00", b"\xff" * 8, b"\n", b"\r\n\r\n", b'"', b"'", b",", b";", b"\t", b"\\", b"%"),
    *(b"&a", b"*a", b"!!int x", b"[", b"]", b"{", b"}", b":", b"null", b"NaN", b"-Infinity", b"1e999"),
    *(b"9" * 25, b"9" * 5000, b"true", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\x1b[2J\x1b]0;x\x07"),
    *(b"\xef\xbb\xbf", b"\xc3", b"../../", b"$(x)", b"[" * 3000, b'{"a":' * 2000, b"2024-13-45"),
    *(b"- " * 500, b"<" * 900),
)
"""What readers stumble over."""

SIZES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF)


def mutated(content: bytes, random: Random) -> bytes:
    """Return content with one to four kinds of damage; seldom it is whole."""
    damaged = bytearray(content)
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 4))):
        place = random.randrange(len(damaged) + 1)
        # Heads, directories and what stands before the end say how to read the rest.
        if random.random() < 0.4:
            place = random.choice((random.randrange(64), len(damaged) - random.randrange(1, 200)))
            place = min(max(place, 0), len(damaged))
        _damage(damaged, place, random)
    return bytes(damaged)


def _damage(damaged: bytearray, place: int, random: Random) -> None:
    kind = random.randrange(8)
    if kind == 0 and place < len(damaged):
        damaged[place] ^= 1 << random.randrange(8)
    elif kind == 1 and place < len(damaged):
        damaged[place] = random.randrange(256)
    elif kind == 2:
        damaged[place:place] = random.choice(PIECES)
    elif kind == 3:
        del damaged[place : place + random.choice((1, 2, 8, 60, 1000))]
    elif kind == 4:
        del damaged[place:]
    elif kind == 5:
        damaged[place:place] = damaged[max(0, place - random.choice((4, 40, 400))) : place]
    elif kind == 6:
        size, width = random.choice(SIZES), random.choice((2, 4, 8))
        damaged[place : place + width] = (size % (1 << 8 * width)).to_bytes(
            width, random.choice(("little", "big"))
        )
    else:
        damaged[place : place + 8] = random.randbytes(random.randrange(20))
