"""Whether the folder of candles holds what the grid is to be trained on, by names and sizes of its files."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from cli.local.disk_needs import needed_bytes
from cli.local.folder_contents import contents_of, whole_folder
from cli.local.grid_rows import rows_of
from cli.local.nights_measured import measured_nights
from cli.local.requirement import Requirement, failed, ok, warning
from common.errors import ConfigurationError, NighttrainError
from common.objects.address import Place
from common.out_folder import OutFolder
from common.settings.night import NightSettings
from common.timeframes import Timeframe

LEAST_BYTES_PER_ROW = 25
"""A row takes so much in the densest files (Parquet), so that a folder's size bounds its rows."""


@dataclass(frozen=True)
class CandleNeeds:
    """What was found of the candles, and what the night would write for them at most."""

    requirement: Requirement
    cache_bytes: int | None
    basis: str


def candles(settings: NightSettings, data: Place | None, out: Path) -> CandleNeeds:
    """Check the folder of candles.

    Parameters
    ----------
    settings : NightSettings
        The grid.
    data : Path, str or None
        The folder or address that was named; None takes the configuration's.
    out : Path
        Out folder of earlier nights, whose surveys tell how many rows there are.
    """
    folder = data or settings.data.dir
    if isinstance(folder, Path) and (not folder.is_dir() or not any(folder.iterdir())):
        return _none(settings, folder, named=data is not None)
    if importlib.util.find_spec("pyarrow") is None:
        todo = "the trainer's part, which reads candles, is not installed here; check where it is"
        return CandleNeeds(warning("candles", f"{folder}: not looked at", todo), None, "")
    try:
        settings, _ = whole_folder(settings, folder)
        contents = contents_of(folder, settings.symbols)
        size = _size(folder)
        if isinstance(folder, str) and not size:
            raise ConfigurationError(f"{folder}: has no objects below it", "correct the address")
    except NighttrainError as error:
        return CandleNeeds(failed("candles", error.detail, error.hint or "look at the folder"), None, "")
    cells = [(symbol, timeframe) for symbol in settings.symbols for timeframe in settings.timeframes]
    filled = sum(contents.fills(symbol, timeframe) for symbol, timeframe in cells)
    found = f"{folder}: {contents.words}; candles for {filled} of {len(cells)} series"
    rows = size / LEAST_BYTES_PER_ROW
    cache, basis = _measured(settings, folder, out)
    if not cache:
        cache = needed_bytes(settings, int(rows * _share(settings)), sample=False)
        basis = "by the size of the candles, which are not read: nighttrain estimate knows better"
    todo = "nighttrain data check says what is there; --symbols all trains it"
    if filled == 0:
        return CandleNeeds(failed("candles", found, todo), None, "")
    if filled < len(cells):
        lacking = sorted({symbol for symbol, timeframe in cells if not contents.fills(symbol, timeframe)})
        return CandleNeeds(
            warning("candles", f"{found}; some lacking of {', '.join(lacking[:6])}", todo),
            cache,
            basis,
        )
    return CandleNeeds(ok("candles", found), cache, basis)


def _none(settings: NightSettings, folder: Path, named: bool) -> CandleNeeds:
    if named or settings.all_symbols or settings.all_timeframes:
        found = f"{folder}: {'holds no file' if folder.is_dir() else 'no such folder'}"
        todo = "name a folder of candles with --data DIR, or fetch some: nighttrain data download"
        return CandleNeeds(failed("candles", found, todo), None, "")
    days = settings.data.sample.days
    rows = sum(one.rows for one in rows_of(settings, None, ()))
    found = f"none in {folder}: a synthetic sample of {days} days would be made"
    todo = "put candles there, or fetch some: nighttrain data download"
    needs = needed_bytes(settings, rows, sample=True)
    return CandleNeeds(warning("candles", found, todo), needs, "for the sample")


def _measured(settings: NightSettings, folder: Place, out: Path) -> tuple[int, str]:
    """Return what the night writes by the surveys of earlier nights, and what that is based on; 0 without."""
    nights = measured_nights(OutFolder(out))
    surveyed = {survey.symbol for night in nights for survey in night.surveys if survey.report}
    if not surveyed.issuperset(settings.symbols):
        return 0, ""
    rows = sum(one.rows for one in rows_of(settings, folder, nights))
    return needed_bytes(settings, rows, sample=False), "by the surveys of earlier nights"


def _share(settings: NightSettings) -> float:
    """Return how many rows all timeframes have together, for each row of the finest."""
    seconds = [Timeframe(timeframe).seconds for timeframe in settings.timeframes if timeframe != "all"]
    finest = min(seconds, default=60)
    return sum(finest / each for each in seconds) or 1.5


def _size(folder: Place) -> int:
    from trainer.sources.folder import files_below

    return sum(file.size for file in files_below(folder))
