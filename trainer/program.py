"""What a result depends on besides candles and settings: code, packages, and the kind of processor.

Equal programs make equal results of equal candles and settings, to the last digit. So a cell whose program,
candles and settings are those of an earlier night need not be trained again.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from trainer.compiled.library import fuses

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("common", "trainer")
_SOURCES = (".py", ".c", ".h")
_INSTALLED = (".dist-info", ".egg-info")


@cache
def program_digest() -> str:
    """Return the SHA-256 of the program that runs: see `digest_of`.

    Raises
    ------
    ConfigurationError
        What is written in C was not compiled.
    """
    return digest_of(_ROOT, sys.path, f"{platform.machine()} {'fused' if fuses() else 'plain'}")


def digest_of(root: Path, places: Iterable[str], processor: str) -> str:
    """Return the SHA-256 of a program, in hexadecimal, 64 characters.

    Packages count by their names and versions, those too that no model depends on: to train once more is
    better than to miss a change. So does Python's version.

    Parameters
    ----------
    root : Path
        Where the sources of the trainer lie.
    places : iterable of str
        Where Python looks for modules, as in `sys.path`. Packages are installed in those of these folders
        whose name ends with `-packages`; where a night happens to be started changes nothing.
    processor : str
        The kind of processor, of which the last digits depend.
    """
    digest = hashlib.sha256(f"{sys.version}\n{processor}\n".encode())
    # Their names hold their versions: to read what is in them takes longer than a fold.
    for name in sorted(set(_installed(places))):
        digest.update(f"{name}\n".encode())
    for place in sorted(_sources(root)):
        # What an editor keeps beside a file that it has open comes and goes.
        with suppress(FileNotFoundError):
            content = Path(place).read_bytes()
            digest.update(f"{place.removeprefix(str(root))} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def _installed(places: Iterable[str]) -> Iterator[str]:
    for folder in places:
        if folder.endswith("-packages"):
            with suppress(OSError):
                yield from (one.name for one in os.scandir(folder) if one.name.endswith(_INSTALLED))


def _sources(root: Path) -> Iterator[str]:
    # As texts: to make paths of all takes longer than to read them.
    for package in _PACKAGES:
        for folder, _, names in os.walk(root / package):
            yield from (f"{folder}/{one}" for one in names if one.endswith(_SOURCES) and one[0] != ".")
