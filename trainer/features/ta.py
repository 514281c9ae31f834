"""TA-Lib, imported without pandas and polars, whose series it would take too: pandas costs a second."""

from __future__ import annotations

from common.lean_import import without

with without("pandas", "polars"):
    import talib

__all__ = ["talib"]
