"""Time, memory and disk of a configuration on this machine, and what that is based on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.local.calibration import calibrate
from cli.local.candle_survey import least_rows
from cli.local.candles_at_hand import candles_there
from cli.local.disk_needs import needed_bytes
from cli.local.fit import AGENT_BYTES, free_cores
from cli.local.folder_contents import whole_folder
from cli.local.grid_rows import bytes_of, rows_of, unsurveyed
from cli.local.machine import this_machine, trainer_count
from cli.local.measured_costs import comparable, costs_of, peaks_of
from cli.local.night_length import Costs, Length, Series, length
from cli.local.nights_measured import measured_nights
from common.errors import ConfigurationError, DataError
from common.objects.address import Place
from common.out_folder import OutFolder
from common.protocol.results import Results
from common.settings.night import NightSettings

OF_NIGHTS, OF_CALIBRATION = 0.25, 0.35
"""Spread of a night's duration (standard deviation of its logarithm) where nights of this grid were measured,
and where only a few cells were; `tests/bench/estimate.py` measures whether that is right."""

OTHER_CORES = (4, 8, 16)
COORDINATOR_BYTES = 200 * 1024**2
"""What coordinator and launcher take together."""
SAFETY = 1.15


@dataclass(frozen=True)
class OnCores:
    """The night on so many cores."""

    cores: float
    trainers: int
    length: Length
    memory_bytes: int


@dataclass(frozen=True)
class Estimate:
    """What a night takes: here, and on other machines whose cores are as fast."""

    basis: str
    cells: int
    untrainable: int
    """Cells of the grid that have no candles, or too few."""
    guessed: bool
    """Whether rows are guessed by the size of files, which tells little of files of another format."""
    series: tuple[Series, ...]
    here: OnCores
    others: tuple[OnCores, ...]
    disk_bytes: int


def estimate(settings: NightSettings, data: Place | None, out: Path, check: Callable[[], None]) -> Estimate:
    """Estimate a night.

    Parameters
    ----------
    settings : NightSettings
        The configuration.
    data : Path, str or None
        Folder or address of candles; None takes the configuration's, or the sample where it has none.
    out : Path
        Out folder of earlier nights; without any, a few cells are trained for the purpose.
    check : callable
        Called while that goes on; may raise to stop.

    Raises
    ------
    ConfigurationError
        There are no candles where they were said to be.
    DataError
        The candles cannot be trained.
    """
    folder = candles_there(settings, data)
    if folder is not None:
        settings, _ = whole_folder(settings, folder)
    elif settings.all_symbols or settings.all_timeframes:
        raise ConfigurationError("there are no candles, so all is none", "name their folder with --data DIR")
    nights = [night for night in measured_nights(OutFolder(out)) if comparable(night, settings)]
    nights = [night for night in nights if set(settings.symbols) & set(night.config.symbols)]
    nights = [night for night in nights if _of_these_candles(night, folder)]
    costs, basis = costs_of(nights, OF_NIGHTS), _of_nights(nights)
    if costs is None:
        symbol = _first_with_candles(settings, folder)
        small = calibrate(settings, folder, symbol, _days(settings, folder, nights), check)
        nights = [small]
        costs, basis = costs_of(nights, OF_CALIBRATION), _of_calibration(small)
    if costs is None:
        raise ConfigurationError(
            "too few cells could be trained to estimate anything", "nighttrain data check says why"
        )
    grid = _trainable(settings, rows_of(settings, folder, nights))
    peak = _peak(nights, grid)
    machine = this_machine()
    here = _on(machine.cores, trainer_count(settings), costs, grid, peak)
    free = free_cores(settings)
    others = tuple(_on(cores, cores - free, costs, grid, peak) for cores in OTHER_CORES)
    cells = len(settings.symbols) * len(settings.timeframes) * len(settings.horizons)
    rows = sum(one.rows for one in grid)
    disk = needed_bytes(settings, rows, sample=folder is None)
    trained = sum(one.cells for one in grid)
    guessed = folder is not None and any(
        bytes_of(folder, symbol) for symbol in unsurveyed(settings.symbols, nights)
    )
    return Estimate(basis, cells, cells - trained, guessed, tuple(grid), here, others, disk)


def _of_these_candles(night: Results, folder: Place | None) -> bool:
    """Return whether a night was trained on the candles of a folder, by the names of its files."""
    if folder is None:
        return night.synthetic
    from trainer.sources.folder import files_below

    there = {file.relative for file in files_below(folder)}
    used = [name for survey in night.surveys if survey.report for name in survey.report.files]
    return bool(used) and there.issuperset(used)


def _trainable(settings: NightSettings, grid: Sequence[Series]) -> list[Series]:
    """Return the series that have rows enough.

    Raises
    ------
    DataError
        None has.
    """
    needed = least_rows(settings)
    found = [one for one in grid if one.rows >= needed]
    if not found:
        most = max((one.rows for one in grid), default=0)
        problem = (
            f"nothing of the grid can be trained: its longest series has {most:,} rows, {needed:,} are needed"
        )
        raise DataError(problem, "nighttrain data check says why")
    return found


def _first_with_candles(settings: NightSettings, folder: Place | None) -> str:
    if folder is None:
        return settings.symbols[0]
    for symbol in settings.symbols:
        if bytes_of(folder, symbol):
            return symbol
    problem = f"{folder}: has no candles of {', '.join(settings.symbols[:6])}"
    raise DataError(problem, "name its symbols with --symbols; nighttrain data check says what is there")


def _on(cores: float, trainers: int, costs: Costs, grid: Sequence[Series], peak: int) -> OnCores:
    memory = COORDINATOR_BYTES + trainers * (AGENT_BYTES + peak)
    return OnCores(cores, trainers, length(costs, grid, trainers), memory)


def _peak(nights: Sequence[Results], grid: Sequence[Series]) -> int:
    """Return what the hungriest job takes: a survey as measured, a training by its rows."""
    surveys, trainings = peaks_of(nights)
    largest = max((one.rows for one in grid), default=0)
    return int(SAFETY * max([*surveys, trainings.at(largest)]))


def _days(settings: NightSettings, folder: Place | None, nights: Sequence[Results]) -> float:
    """Return about how long the candles of the first symbol are: by an earlier survey, else by their size."""
    if folder is None:
        return float(settings.data.sample.days)
    for night in nights:
        if grid := rows_of(settings, folder, [night]):
            return max(one.rows for one in grid) / 1440
    from trainer.sources.folder import source_files

    # A minute of candles takes 25 bytes or more, so that this is rather too long: the calibration is smaller.
    return max(1.0, sum(file.size for file in source_files(folder, settings.symbols[0])) / 25 / 1440)


def _of_nights(nights: Sequence[Results]) -> str:
    jobs = sum(night.totals.succeeded for night in nights)
    which = ", ".join(f"night {night.run} of {night.started:%Y-%m-%d}" for night in nights)
    return f"measured nights: {which} ({jobs} cells)"


def _of_calibration(night: Results) -> str:
    timeframes = " and ".join(night.config.timeframes)
    return (
        f"a calibration of {night.totals.wall_seconds:.0f} s: {night.totals.succeeded} cells of "
        f"{night.config.symbols[0]} on {timeframes}; a measured night will say more"
    )
