"""Sums of products of spectra, compiled: what numpy does in ten steps, each through the memory, is one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trainer.compiled.library import opened

_LIBRARY = opened()

Spectrum = npt.NDArray[np.complex128]


def add_spectra(
    parts: tuple[Spectrum, Spectrum], following: tuple[Spectrum, Spectrum], sums: Spectrum
) -> None:
    """Add the products of a part of two series with itself and the part after it, all of shape (f,).

    A part fills the first half of the length that is transformed, the second half is 0. What follows stands
    half a length later, which turns the sign of every second frequency and needs no transform of its own.

    Parameters
    ----------
    parts, following : (ndarray of complex128, ndarray of complex128)
        The spectra of both series.
    sums : ndarray of complex128, shape (3, f)
        Are added to: the first series with itself, the second with itself, the first after the second.
    """
    rows = len(parts[0])
    for spectrum in (*parts, *following, *sums):
        if spectrum.dtype != np.complex128 or spectrum.shape != (rows,) or not spectrum.flags.c_contiguous:
            raise ValueError(f"complex128 in one piece are needed, {rows} of each, not {spectrum.dtype}")
    given = (each.ctypes.data for each in (*parts, *following))
    _LIBRARY.add_spectra(*given, rows, *(each.ctypes.data for each in sums))
