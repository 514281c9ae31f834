"""The compiled library, as this processor can run it.

There are two of one source where processors differ: one for those that fuse products and sums, as all of the
last ten years do, and one for any. On arm64, where all fuse them, the one for any does too.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from common.errors import ConfigurationError
from trainer.compiled.source_digest import source_digest

AGAIN = "install again: make setup"

PLAIN = "trainer.compiled.library_plain"
FUSED = "trainer.compiled.library_fused"

_NUMBERS = ctypes.c_void_p
_COUNT = ctypes.c_int64

_ROWS = (_NUMBERS, _COUNT, _COUNT, _NUMBERS, _COUNT)
_LOGISTIC_SUMS = (*_ROWS, _NUMBERS, _NUMBERS, _NUMBERS, _COUNT, _NUMBERS, _NUMBERS)
_MODELS = (_NUMBERS, _COUNT, _COUNT, _NUMBERS, ctypes.c_double)
_JUDGED = (_NUMBERS, _COUNT, _COUNT, _COUNT, _COUNT, *_MODELS, _NUMBERS, _NUMBERS)
_CLOSES = (_NUMBERS, _NUMBERS, _COUNT, _NUMBERS, _COUNT, _COUNT, _COUNT)
_TENTHS = (_NUMBERS, _NUMBERS, _COUNT, *(ctypes.c_double,) * 4)
_MERGED = (_NUMBERS, _COUNT, _NUMBERS, _COUNT, _COUNT)

ARGUMENTS = {
    "curved_sums": (*_ROWS, _NUMBERS, _NUMBERS, _COUNT, _NUMBERS),
    "logistic_sums_float": _LOGISTIC_SUMS,
    "logistic_sums_double": _LOGISTIC_SUMS,
    "weighted_sums": (*_ROWS, _NUMBERS, _NUMBERS, _NUMBERS),
    "sizes": (*_ROWS, _NUMBERS),
    "draw": (_NUMBERS, _COUNT, ctypes.c_double, ctypes.c_double, _COUNT, _NUMBERS, _NUMBERS),
    "products": (_NUMBERS, _COUNT, _COUNT, _NUMBERS, _COUNT, _COUNT, _NUMBERS, _NUMBERS),
    "summed_losses": (_NUMBERS, _NUMBERS, _COUNT, ctypes.c_double),
    "probabilities": (_NUMBERS, _COUNT, _NUMBERS),
    "log_odds": (_NUMBERS, _COUNT, ctypes.c_double, _NUMBERS),
    "slope_derivatives": (_NUMBERS, _NUMBERS, _COUNT, ctypes.c_double, ctypes.c_double, _NUMBERS, _NUMBERS),
    "ranked": (_NUMBERS, _NUMBERS, _COUNT, _NUMBERS, _NUMBERS, _NUMBERS),
    "raised": (_NUMBERS, _NUMBERS, _COUNT, _NUMBERS, _COUNT, _NUMBERS),
    "tallies": (_NUMBERS, _NUMBERS, _COUNT, _NUMBERS),
    "labels": (*_CLOSES, *(_NUMBERS,) * 6),
    "label_faults": (*_CLOSES, *(_NUMBERS,) * 3, _COUNT, _NUMBERS, _COUNT, ctypes.c_int),
    "tenth": (_NUMBERS, _COUNT, _COUNT, ctypes.c_int, _NUMBERS, _NUMBERS),
    "tenth_sums": (*_TENTHS, _NUMBERS),
    "tenth_parts": (*_TENTHS, *(ctypes.c_double,) * 3, _NUMBERS),
    "window_squares": (_NUMBERS, _COUNT, _COUNT),
    "overconfidence": (_NUMBERS, _NUMBERS, _NUMBERS, _COUNT, _COUNT, _NUMBERS),
    "add_spectra": (*(_NUMBERS,) * 4, _COUNT, *(_NUMBERS,) * 3),
    "moves": (_NUMBERS, _COUNT, _NUMBERS, _COUNT, _COUNT, _NUMBERS),
    "outcomes": (*_MERGED, _NUMBERS, _NUMBERS, _COUNT, _NUMBERS, _NUMBERS, _COUNT, _NUMBERS, _NUMBERS),
    "judged": _JUDGED,
    "judged_rounded": _JUDGED,
    "scales": (*(_NUMBERS,) * 7, _COUNT, _COUNT, ctypes.c_double, ctypes.c_double, _NUMBERS),
    "features": (*(_NUMBERS,) * 6, _COUNT, _COUNT, _COUNT, _NUMBERS, _NUMBERS),
    "add_words": (_NUMBERS, _COUNT, _COUNT, _NUMBERS),
    "last_known": (_NUMBERS, _COUNT, _NUMBERS, _COUNT, _COUNT, _NUMBERS),
}
"""What the functions of the C sources take."""


@cache
def opened() -> ctypes.CDLL:
    """Return the library that is the fastest here; see `library`."""
    return library(FUSED) if fuses() else library(PLAIN)


@cache
def fuses() -> bool:
    """Return whether this processor fuses products and sums, which decides on the last digits.

    Raises
    ------
    ConfigurationError
        As by `library`.
    """
    return bool(library(PLAIN).fuses())


def library(name: str) -> ctypes.CDLL:
    """Open one of them.

    Raises
    ------
    ConfigurationError
        It was not compiled when this was installed, or of other sources than lie here.
    """
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"what is written in C was not compiled ({name})", AGAIN)
    here = source_digest(Path(__file__).parent)
    if here and _compiled_from(spec.origin) != here:
        raise ConfigurationError(f"what is written in C has changed since it was compiled ({name})", AGAIN)
    return told(spec.origin)


def told(path: str) -> ctypes.CDLL:
    """Open a compiled library and say what its functions take."""
    found = ctypes.CDLL(path)
    for function, arguments in ARGUMENTS.items():
        getattr(found, function).argtypes = arguments
    found.draw.restype = ctypes.c_int64
    found.summed_losses.restype = ctypes.c_double
    found.window_squares.restype = ctypes.c_double
    found.last_known.restype = None
    found.add_words.restype = None
    return found


def _compiled_from(path: str) -> str:
    sources = getattr(ctypes.CDLL(path), "sources", None)
    if sources is None:
        return ""
    sources.restype = ctypes.c_char_p
    return str(sources().decode())
