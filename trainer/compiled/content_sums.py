"""Sums by which the content of a file is told from what a disk, or another processor, makes of it.

They are Fletcher's (1982, IEEE Transactions on Communications 30), eight side by side and 64 bits wide. A
word that changes changes its sum, and two that make up for each other, as where they change places, change
the sum of sums: up to 2**32 words of 32 bits neither comes back to what it was. It takes little longer than
to read the content; against somebody who means to deceive it is no help.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from trainer.compiled.library import opened

_LIBRARY = opened()


class ContentSums:
    """The sums of arrays, one behind the other; in how many pieces they come makes no difference."""

    def __init__(self) -> None:
        self._sums = np.zeros(16, dtype=np.uint64)
        self._words = 0

    def add(self, array: np.ndarray[Any, Any]) -> None:
        """Add an array whose rows follow each other in memory, of a multiple of four bytes."""
        if not array.flags.c_contiguous or array.nbytes % 4:
            raise ValueError(f"{array.nbytes} bytes are no words in a row")
        words = array.nbytes // 4
        _LIBRARY.add_words(array.ctypes.data, words, self._words, self._sums.ctypes.data)
        self._words += words

    def hexdigest(self) -> str:
        """Return the SHA-256 of the sums, in hex."""
        return hashlib.sha256(self._sums.astype("<u8").tobytes()).hexdigest()
