"""`data check`: the survey of a folder without a night, and what of the grid could be trained on it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.local.folder_contents import whole_folder
from common.errors import ConfigurationError, DataError
from common.objects.address import Place
from common.protocol.jobs import SurveySpec
from common.protocol.reports import SurveyReport
from common.settings.night import NightSettings
from common.timeframes import Timeframe

WARM_UP_ROWS = 60
"""Rows that the longest window of a feature needs before the first one that can be trained on."""


@dataclass(frozen=True)
class SeriesVerdict:
    """Whether a series could be trained; `why` is why not, and empty if it could."""

    symbol: str
    timeframe: str
    rows: int
    start: str
    end: str
    missing_share: float
    source: str
    why: str


@dataclass(frozen=True)
class FolderSurvey:
    """The surveys of a folder, and what could be trained of the grid; `refused` is by symbol."""

    settings: NightSettings
    reports: tuple[SurveyReport, ...]
    refused: dict[str, str]
    series: tuple[SeriesVerdict, ...]

    @property
    def trainable(self) -> int:
        """How many cells of the grid could be trained."""
        return sum(not one.why for one in self.series) * len(self.settings.horizons)

    @property
    def cells(self) -> int:
        """How many cells the grid has."""
        return len(self.series) * len(self.settings.horizons)


def survey_folder(
    settings: NightSettings, data: Place, everything: bool, said: Callable[[str], None]
) -> FolderSurvey:
    """Survey each symbol of the grid; nothing is kept.

    Parameters
    ----------
    settings : NightSettings
        The grid and how damaged candles may be.
    data : Path or str
        The folder of candles, or the address of a store.
    everything : bool
        Whether all symbols of the folder are surveyed in place of those of the grid.
    said : callable
        Is told how far it is.

    Raises
    ------
    ConfigurationError
        The folder is not there, or its files' names tell no symbol.
    DataError
        The folder cannot be read.
    StoreError
        The store refuses, or is away.
    """
    from trainer.survey.survey import survey

    if isinstance(data, Path) and not data.is_dir():
        hint = "name it with --data DIR, or fetch candles: nighttrain data download"
        raise ConfigurationError(f"{data}: no such folder", hint)
    if everything:
        settings = settings.model_copy(update={"symbols": ("all",)})
    settings, _ = whole_folder(settings, data)
    reports: list[SurveyReport] = []
    refused: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="nighttrain-check-") as cache:
        for place, symbol in enumerate(settings.symbols):
            said(f"{symbol}: {place + 1} of {len(settings.symbols)} symbols")
            spec = SurveySpec(
                symbol=symbol,
                timeframes=tuple(map(Timeframe, settings.timeframes)),
                policy=settings.data.policy,
            )
            try:
                reports.append(survey(spec, data, Path(cache), lambda *_: None))
            except DataError as error:
                refused[symbol] = str(error)
    return FolderSurvey(settings, tuple(reports), refused, tuple(_verdicts(settings, reports, refused)))


def _verdicts(
    settings: NightSettings, reports: list[SurveyReport], refused: dict[str, str]
) -> list[SeriesVerdict]:
    by_symbol = {report.symbol: report for report in reports}
    verdicts: list[SeriesVerdict] = []
    for symbol in settings.symbols:
        if symbol in refused:
            why = "no candles that can be read"
            verdicts += [SeriesVerdict(symbol, one, 0, "", "", 0.0, "", why) for one in settings.timeframes]
            continue
        for series in by_symbol[symbol].series:
            span = series.span
            verdicts.append(
                SeriesVerdict(
                    symbol,
                    series.timeframe,
                    series.rows,
                    f"{span.start:%Y-%m-%d}" if span else "",
                    f"{span.end:%Y-%m-%d}" if span else "",
                    series.missing / max(1, series.rows + series.missing),
                    series.source,
                    series.refusal or _too_few(settings, series.rows),
                )
            )
    return verdicts


def least_rows(settings: NightSettings) -> int:
    """Return about how many rows a series must have to be trained on."""
    model = settings.model
    return (settings.n_splits + 1) * max(model.min_train_rows, model.min_test_rows) + WARM_UP_ROWS


def _too_few(settings: NightSettings, rows: int) -> str:
    needed = least_rows(settings)
    return "" if rows >= needed else f"{rows} rows are too few: {settings.n_splits} folds need about {needed}"
