"""What is used of SciPy, imported without parts of numpy that it takes along with all names and never uses.

Together they cost each trainer a sixth of a second of its start, and memory that each child shares.
"""

from __future__ import annotations

import numpy

from common.lean_import import empty

with empty(numpy, "ctypeslib", "f2py", "ma", "polynomial", "testing"):
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.linalg import LinAlgError, cho_factor, cho_solve
    from scipy.special import stdtr

__all__ = ["LinAlgError", "cho_factor", "cho_solve", "irfft", "next_fast_len", "rfft", "stdtr"]
