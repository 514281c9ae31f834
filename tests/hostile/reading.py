"""A process that reads hostile files under a limit of memory and of time, and says what became of each.

It writes a line of JSON before each file and one after it: who has started it knows of which it died.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.hostile.bombs import BOMBS
from tests.hostile.file_readers import BrokenError, readers
from tests.hostile.mutations import mutated
from tests.hostile.outcome import Setup

MEMORY_BYTES = 1408 << 20
"""What reading one file may take beside what the process has: the bound of Arrow, and the rest."""

SECONDS = 30
"""How much time of a processor it may take; it takes milliseconds."""

ASLEEP_SECONDS = 300
"""How long it may take in all, on a machine that has much else to do."""

LARGE = ("Parquet of long texts: ",)
"""What takes as much memory as it may; the tests try the same under a lower bound."""


BOMBS_NAME = "what unpacks or grows to very much"


def main(seed: int, small: bool, folder: Path, first: int) -> None:
    """Read all files from the place `first` in their order on."""
    setup = Setup(seed, small, folder, lambda _: None)
    own = folder / f"from-{first}"
    own.mkdir()
    known = readers(own)
    held = _field("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, resource.RLIM_INFINITY))
    warnings.simplefilter("ignore")
    place = 0
    for name, reader in known.items():
        random = setup.random(name)
        for turn in range(setup.tries(1500, 10)):
            content = reader.pack(mutated(reader.wholes[turn % len(reader.wholes)], random))
            if place >= first:
                _try(place, name, content, own / "BTCUSDT-1m.csv", reader.read)
            place += 1
    for name, make in BOMBS.items():
        if place >= first:
            _try(
                place,
                "what unpacks or grows to very much",
                make(),
                own / "BTCUSDT-1m.csv",
                known["CSV"].read,
                name,
            )
        place += 1


def _try(
    place: int, name: str, content: bytes, path: Path, read: Callable[[Path], str], shown: str = ""
) -> None:
    path.write_bytes(content)
    _say(place=place, name=name)
    # Without a handler these end the process, also within a library.
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(ASLEEP_SECONDS)
    before = _field("VmRSS")
    with suppress(OSError):
        # So that the peak is that of this file; where that may not be, it is that of all so far.
        Path("/proc/self/clear_refs").write_text("5")
    broken = ""
    try:
        result = read(path)
    except BrokenError as error:
        result, broken = "broken", str(error)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__}: {str(error)[:120]} ({Path(where.filename).name}:{where.lineno})"
        result, broken = type(error).__name__, words
    signal.alarm(0)
    signal.setitimer(signal.ITIMER_PROF, 0)
    grown = _field("VmHWM") - before
    _say(place=place, name=name, result=result, broken=broken and f"{shown}{broken}", grown=grown)


def _say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def _field(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "small", Path(sys.argv[3]), int(sys.argv[4]))
