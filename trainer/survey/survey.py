"""The survey of one symbol: read its candles once, judge, repair, and keep every timeframe in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from common.errors import DataError
from common.objects.address import Place
from common.objects.store import ChangedError
from common.on_disk import on_disk
from common.protocol.jobs import SurveySpec
from common.protocol.reports import Finding, SeriesReport, SurveyReport
from common.settings.sections import SurveyPolicy
from common.timeframes import Timeframe
from common.whole_file import sweep
from trainer.candles import findings
from trainer.candles.cache import (
    candle_folder,
    find_report,
    open_candles,
    series_path,
    store_candles,
    store_report,
)
from trainer.candles.candles import Candles
from trainer.candles.checked import Written, keep_written
from trainer.candles.room import NO_BOUND, OBJECTS, Room
from trainer.sources.files import Source, read_source
from trainer.sources.folder import (
    SymbolFiles,
    links_told,
    named_timeframe,
    none_named,
    symbol_files,
    timeframe_of,
)
from trainer.sources.kept import at_hand
from trainer.sources.source_file import SourceFile
from trainer.sources.stored import Patience
from trainer.survey.idle import settled
from trainer.survey.repair import NativeSeries, repaired
from trainer.survey.series import assembled

VERSION = 7
"""Part of the cache's key: to be raised when the same files would give other candles or another report."""

COLUMN = "column of symbols"
"""Whatever is wrong with who is in a file is told with these words."""

FEW_ROWS = 3
"""In a file of so few rows, a timeframe in the name is believed if their distances are multiples of it."""

AWAY_SECONDS = 20.0
"""How long a job waits for a store that is away, before it gives its place to another."""

LISTINGS = 3
"""How often what a store has is looked up anew, where an object changes between the look and the reading."""

Progress = Callable[[str, int, int], None]


def survey(
    spec: SurveySpec,
    data_dir: Place,
    cache_dir: Path,
    progress: Progress,
    room: Room = NO_BOUND,
    keep: dict[str, Candles] | None = None,
) -> SurveyReport:
    """Survey one symbol.

    Parameters
    ----------
    spec : SurveySpec
        The symbol, the timeframes that are asked for, and the policy.
    data_dir : Path or str
        Where source files are searched for, with all its folders: a folder, or the address of a store.
    cache_dir : Path
        Where the candles are kept for `open_candles`, and the report for the next survey of unchanged files.
    progress : callable
        Called as ``progress(stage, done, total)`` with the stages ``read``, ``assemble``, and those of
        fetching objects.
    room : Room, optional
        What the cache may take.
    keep : dict of Candles, optional
        Gets the candles by their digest, so that none is dropped before it is opened.

    Returns
    -------
    SurveyReport
        One `SeriesReport` for each of `spec.timeframes` in their order, and every finding. `cache_hit` tells
        that no source file was read, because paths, sizes and times of change are those of an earlier survey.

    Raises
    ------
    DataError
        The folder cannot be read, or the symbol has no candles in it that can be read.
    StorageError
        The cache cannot be written, or the store is away or refuses.
    """
    for listing in range(1, LISTINGS + 1):
        try:
            return _surveyed(spec, data_dir, cache_dir, progress, room, {} if keep is None else keep)
        except ChangedError:
            if listing == LISTINGS:
                raise
    raise AssertionError


def _surveyed(
    spec: SurveySpec,
    data_dir: Place,
    cache_dir: Path,
    progress: Progress,
    room: Room,
    keep: dict[str, Candles],
) -> SurveyReport:
    patience = Patience(AWAY_SECONDS, progress)
    of_symbol = symbol_files(data_dir, spec.symbol, patience)
    files = of_symbol.files
    key = _key(spec, of_symbol)
    known = find_report(cache_dir, spec.symbol, key)
    if known and _cached(cache_dir, known, keep):
        return known.model_copy(update={"cache_hit": True})
    sweep(candle_folder(cache_dir, spec.symbol))
    sweep(cache_dir / OBJECTS)

    def read(file: SourceFile) -> tuple[list[Source], list[Finding]]:
        with at_hand(data_dir, file, cache_dir, room, patience) as here:
            return read_source(here, spec.symbol, spec.policy.columns, bool(of_symbol.unnamed))

    sources, found = _read(of_symbol, read, progress)
    if of_symbol.unnamed and not sources:
        raise DataError(_none_named(of_symbol, found), none_named(spec.symbol))
    by_timeframe, of_names = _by_timeframe(sources)
    if of_symbol.links_out:
        found.append(findings.links_out(len(of_symbol.links_out), links_told(of_symbol.links_out)))
    if of_symbol.left_out:
        found.append(findings.other_instruments(spec.symbol, of_symbol.kind, of_symbol.left_out))
    found = findings.grouped(found + of_names)
    if not by_timeframe:
        hint = f"repair or replace what is named, or take {spec.symbol} out of the symbols"
        raise DataError(_nothing_read(spec.symbol, data_dir, len(files), found), hint)
    synthetic = any(source.synthetic for source in sources)
    sources.clear()
    native, of_repair = _repaired(by_timeframe, spec.policy)
    found += of_repair
    series: list[SeriesReport] = []
    written: list[Written] = []
    with on_disk() as take:
        for place, timeframe in enumerate(spec.timeframes):
            progress("assemble", place, len(spec.timeframes))
            one, candles, of_series = assembled(spec.symbol, timeframe, native, spec.policy, synthetic)
            if candles:
                # Another trainer that lacks room may drop the file before it is held; these are the same.
                keep[candles.digest] = store_candles(cache_dir, candles, room, written) or candles
                # One that was there already may be another trainer's, which has not brought it there yet.
                take(series_path(cache_dir, spec.symbol, timeframe, candles.digest))
            series.append(one)
            found += of_series
    progress("assemble", len(spec.timeframes), len(spec.timeframes))
    report = SurveyReport(
        symbol=spec.symbol,
        synthetic=synthetic,
        files=tuple(file.relative for file in files),
        series=tuple(series),
        findings=tuple(found),
        quote_volume_per_day=_turnover(series),
        cache_hit=False,
    )
    # That brings the names of all of them to the disk too.
    store_report(cache_dir, key, report)
    keep_written(written)
    return report


def _key(spec: SurveySpec, of_symbol: SymbolFiles) -> str:
    document = {
        "version": VERSION,
        "timeframes": spec.timeframes,
        "policy": spec.policy.model_dump(),
        "files": [
            (file.relative, file.size, file.mtime_ns, *([file.stored.version] if file.stored else []))
            for file in of_symbol.files
        ],
        "left_out": of_symbol.left_out,
        "links_out": of_symbol.links_out,
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _cached(cache_dir: Path, report: SurveyReport, keep: dict[str, Candles]) -> bool:
    for series in report.series:
        if series.refusal:
            continue
        candles = open_candles(cache_dir, report.symbol, series.timeframe, series.digest)
        if candles is None:
            return False
        keep[series.digest] = candles
    return True


def _read(
    of_symbol: SymbolFiles,
    read: Callable[[SourceFile], tuple[list[Source], list[Finding]]],
    progress: Progress,
) -> tuple[list[Source], list[Finding]]:
    files, by_column = of_symbol.files, bool(of_symbol.unnamed)
    sources: list[Source] = []
    found: list[Finding] = []
    for place, file in enumerate(files):
        progress("read", place, len(files))
        of_file, damage = read(file)
        sources += of_file
        # Whether what names no symbol is candles at all is nothing that each symbol should tell.
        found += [one for one in damage if of_file or not by_column or COLUMN in one.detail]
    progress("read", len(files), len(files))
    return sources, found


def _by_timeframe(sources: Sequence[Source]) -> tuple[dict[Timeframe, list[Source]], list[Finding]]:
    groups: dict[Timeframe, list[Source]] = {}
    found: list[Finding] = []
    for source in sources:
        named = named_timeframe(source.name.replace("!", "/"))
        spacing = source.bars.spacing_ms
        if named and _fits(source, named):
            spacing = named.milliseconds
        if spacing is None:
            why = "one row alone has no spacing, and no name tells its timeframe"
            found.append(findings.unreadable(source.name, "no_timeframe", why))
            continue
        timeframe = timeframe_of(spacing)
        if timeframe is None:
            why = f"its rows are {findings.duration(spacing)} apart, no timeframe that can be trained"
            found.append(findings.unreadable(source.name, "no_timeframe", why))
            continue
        if named is not None and named != timeframe:
            found.append(findings.name_disagrees(source.name, named, timeframe))
        groups.setdefault(timeframe, []).append(source)
    return groups, found


def _fits(source: Source, timeframe: Timeframe) -> bool:
    # The spacing of a handful of rows proves little: a day's dump of 1d candles has one row.
    if len(source.bars) > FEW_ROWS:
        return False
    distances = source.bars.open_time - source.bars.open_time[0]
    return not (distances % timeframe.milliseconds).any()


def _repaired(
    groups: dict[Timeframe, list[Source]], policy: SurveyPolicy
) -> tuple[dict[Timeframe, NativeSeries], list[Finding]]:
    native: dict[Timeframe, NativeSeries] = {}
    found: list[Finding] = []
    for timeframe in sorted(groups, key=lambda one: one.seconds):
        # Taken out of the dictionary, so that the rows as they were read are freed before the next are
        # copied.
        native[timeframe], of_timeframe = repaired(groups.pop(timeframe), timeframe, policy)
        found += of_timeframe
    native, of_holes = settled(native, policy)
    return native, found + of_holes


def _turnover(series: Sequence[SeriesReport]) -> float:
    filled = [report for report in series if report.rows]
    return min(filled, key=lambda report: report.timeframe.seconds).quote_volume_per_day if filled else 0.0


def _none_named(of_symbol: SymbolFiles, found: Sequence[Finding]) -> str:
    told = [one.detail.rstrip(".") for one in found if COLUMN in one.detail]
    return "; ".join([of_symbol.unnamed, *told[:3]])


def _nothing_read(symbol: str, data_dir: Place, files: int, found: Sequence[Finding]) -> str:
    why = " ".join(finding.detail for finding in found[:3]).rstrip(".")
    return f"{symbol}: nothing could be read of {findings.counted(files, 'file')} in {data_dir}. {why}"
