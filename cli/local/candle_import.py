"""`data import`: every source file of a folder written as Parquet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cli.local.folder_contents import contents_of
from common.errors import ConfigurationError, DataError
from common.settings.sections import SurveyPolicy


@dataclass
class Imported:
    """What became of the files; `notes` is what could not be read, and why, in words."""

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    rows: int = 0
    notes: list[str] = field(default_factory=list)
    unreadable: int = 0


def import_candles(
    data: Path,
    out: Path,
    symbols: tuple[str, ...],
    policy: SurveyPolicy,
    said: Callable[[str], None],
) -> Imported:
    """Write the candles of a folder as Parquet below another; what was written before is left alone.

    Raises
    ------
    ConfigurationError
        There is nothing to import, or both folders are one.
    DataError
        The folder cannot be read, or holds nothing of a symbol that was named.
    StorageError
        A file cannot be written; what was written before it stays.
    """
    import pyarrow as pa

    from trainer.sources.files import read_source
    from trainer.sources.folder import symbol_files
    from trainer.sources.parquet import parquet_name, write_parquet

    # Else a signal cancels the reading of a file in the middle, although it is only recorded here.
    pa.enable_signal_handlers(False)
    if not data.is_dir():
        raise ConfigurationError(f"{data}: no such folder", "name the folder of candles with --data DIR")
    if out.resolve() == data.resolve() or data.resolve() in out.resolve().parents:
        problem = f"{out}: lies within the folder that is imported, so each candle would be there twice"
        raise ConfigurationError(problem, "name another folder with --out DIR")
    named = symbols or tuple(contents_of(data).timeframes)
    if not named:
        hint = "name the symbols with --symbols; a file is a symbol's by its name, such as BTCUSDT-1h.csv"
        raise ConfigurationError(f"{data}: no file's name tells a symbol", hint)
    result = Imported()
    for symbol in named:
        found = symbol_files(data, symbol)
        files, rows_before = found.files, result.rows + len(result.unchanged)
        for place, file in enumerate(files):
            said(f"{symbol}: {place + 1} of {len(files)} files")
            sources, findings = read_source(file, symbol, policy.columns, by_column=bool(found.unnamed))
            result.notes += [finding.detail for finding in findings]
            result.unreadable += not sources
            for source in sources:
                path = out / parquet_name(source, symbol)
                if str(path) in {*result.written, *result.unchanged}:
                    # Another file of this name but for its ending.
                    path = path.with_name(f"{Path(source.name.replace('!', '/')).name}.parquet")
                try:
                    fresh = write_parquet(source, symbol, file, path)
                except DataError as error:
                    result.notes.append(str(error))
                    result.unreadable += 1
                    continue
                (result.written if fresh else result.unchanged).append(str(path))
                result.rows += len(source.bars) if fresh else 0
        if found.unnamed and result.rows + len(result.unchanged) == rows_before:
            result.notes.append(found.unnamed)
    return result
