"""What is used of SciPy, imported without parts of numpy that it takes along with all names and never uses.

Together they cost each trainer a tenth of a second of its start. What a cell needs after all must be left
there, since each child would import it anew.
"""

from __future__ import annotations

import numpy

from common.lean_import import empty

with empty(numpy, "ctypeslib", "f2py", "polynomial", "testing"):
    from scipy.linalg import LinAlgError, cho_factor, cho_solve
    from scipy.special import stdtr

__all__ = ["LinAlgError", "cho_factor", "cho_solve", "stdtr"]
