"""What a night writes to the disk at most: one figure for `nighttrain check` and `nighttrain estimate`."""

from __future__ import annotations

from common.settings.night import NightSettings

CACHE_BYTES_PER_ROW = 320
"""Candles (7 columns of 8 bytes) and a matrix of 60 features or fewer (4 bytes each) with its two indices."""

SAMPLE_ROWS_A_DAY = 1440
SAMPLE_BYTES_PER_ROW = 60

MODEL_BYTES = 64 * 1024
"""What is kept of a cell: model, manifest, and its rows in the database."""


def needed_bytes(settings: NightSettings, rows: int, sample: bool) -> int:
    """Return what is written: caches, models, and the sample where one is made.

    Parameters
    ----------
    settings : NightSettings
        The grid, which may still be ``all``: that names no cell.
    rows : int
        Rows of all series together.
    sample : bool
        Whether a sample is made, of one series a symbol.
    """
    cells = len(settings.symbols) * len(settings.timeframes) * len(settings.horizons)
    made = settings.data.sample.days * SAMPLE_ROWS_A_DAY * len(settings.symbols) * sample
    return rows * CACHE_BYTES_PER_ROW + made * SAMPLE_BYTES_PER_ROW + cells * MODEL_BYTES
