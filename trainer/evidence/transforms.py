"""Lengths at which Fourier transforms are quick."""

from __future__ import annotations


def fast_length(least: int) -> int:
    """Return the smallest product of 2, 3 and 5 alone that is no less than `least`, from 1 on.

    SciPy has the same (`next_fast_len` of real numbers); but its transforms are those of numpy, on x86-64
    digit for digit, and to import them beside these would cost each start thirty milliseconds.
    """
    best = 1 << (least - 1).bit_length()
    fives = 1
    while fives < best:
        odd = fives
        while odd < best:
            best = min(best, odd << (-(-least // odd) - 1).bit_length())
            odd *= 3
        fives *= 5
    return best
