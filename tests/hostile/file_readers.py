"""Every reader of files, each with whole files to damage, and what it must do with any file at all.

A reader reads, or says in one line why not. `BrokenError` is a promise that it did not keep; any other
exception is a defect as well.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import yaml

from cli.stack.inventory import unfinished
from common.errors import NighttrainError
from common.out_folder import OutFolder
from common.protocol.jobs import SurveySpec
from common.protocol.runs import JobCounts
from common.settings.given import Given, read_given, write_given
from common.settings.night import NightSettings, load
from common.timeframes import Timeframe
from common.token_file import fresh_token, given_token, open_token, read_token
from tests.candle_fixtures import POLICY, binance_text, candles, csv_text
from tests.coordinator.specimens import checkpoint, failure
from trainer.agent.unsent import Note, read_note
from trainer.candles.cache import find_report, open_candles, store_candles, store_report
from trainer.candles.candles import COLUMNS, Candles
from trainer.features.matrix import open_features
from trainer.sources.files import read_source
from trainer.sources.folder import SourceFile
from trainer.survey.survey import survey

LONGEST_LINE = 4000
HEADER = "open_time,open,high,low,close,volume"
ROWS = 300


class BrokenError(Exception):
    """A promise that was not kept."""


@dataclass(frozen=True)
class Reader:
    """A reader of files.

    Parameters
    ----------
    wholes : tuple of bytes
        Files that it reads.
    read : callable
        Reads the file at a path, and returns in a word what came of it.
    pack : callable
        Is done to a file after it was damaged.
    """

    wholes: tuple[bytes, ...]
    read: Callable[[Path], str]
    pack: Callable[[bytes], bytes] = bytes


def line(text: str) -> str:
    """Return a message if it is fit to be shown.

    Raises
    ------
    BrokenError
        It is empty, too long, or would do something to a terminal or a log.
    """
    if not text or len(text) > LONGEST_LINE or not text.isprintable():
        raise BrokenError(f"no clear line: {text[:200]!r}")
    return text


def readers(folder: Path) -> dict[str, Reader]:
    """Return all readers by name; `folder` is theirs."""
    columns = candles(ROWS)
    csv, binance = csv_text(columns, HEADER).encode(), binance_text(columns).encode()
    texts = (csv, binance, csv.replace(b",", b";"), b"\xef\xbb\xbf" + csv, _quoted(csv))
    table = pa.table(columns)
    parquet = (_parquet(table), _parquet(table, compression="zstd"), _parquet(_texts(table)))
    arrow = (_feather(table), _feather(_texts(table)), _file(table), _stream(table))
    several = {f"BTCUSDT-1m-{number}.csv": csv for number in range(3)}
    return {
        "CSV": Reader(texts, _candles),
        "gzip": Reader((gzip.compress(csv), gzip.compress(binance)), _candles),
        "gzip of damaged text": Reader(texts, _candles, gzip.compress),
        "ZIP": Reader((_zip({"BTCUSDT-1m.csv": csv}), _zip(several)), _candles),
        "ZIP of a damaged member beside a whole one": Reader((*texts, *parquet), _candles, _zipped(csv)),
        "Parquet": Reader(parquet, _candles),
        "Arrow": Reader(arrow, _candles),
        "JSON": Reader((_json(columns), _json(columns).replace(b" ", b"\n")), _candles),
        "a damaged file beside a whole one": Reader((*texts[:2], *parquet, *arrow), _beside(folder)),
        "cache of candles": _candle_cache(folder),
        "cache of surveys": _survey_cache(folder),
        "cache of features": _feature_cache(folder),
        "unsent notes": _notes(),
        "checkpoint of the night": _progress(folder),
        "settings.json": _given(folder),
        "configuration": _configuration(),
        "token files": Reader((fresh_token().encode() + b"\n", fresh_token().encode()), _token),
    }


def _candles(path: Path) -> str:
    size = path.stat().st_size
    sources, findings = read_source(SourceFile(path, "BTCUSDT-1m.csv", size, 1), "BTCUSDT")
    for finding in findings:
        line(finding.detail)
    if not sources and not findings:
        raise BrokenError("neither read nor told")
    for source in sources:
        line(source.name)
        if not len(source.bars):
            raise BrokenError("a source without bars")
    return "read" if sources else "left out"


def _beside(folder: Path) -> Callable[[Path], str]:
    data, cache = folder / "beside", folder / "beside-cache"
    data.mkdir()
    days = candles(400, "1d")
    (data / "BTCUSDT-1d.csv").write_text(csv_text(days, HEADER))
    spec = SurveySpec(symbol="BTCUSDT", timeframes=(Timeframe.D1,), policy=POLICY)

    def read(path: Path) -> str:
        path.replace(data / "BTCUSDT-1m.csv")
        report = survey(spec, data, cache, lambda *_: None)
        for finding in report.findings:
            line(finding.detail)
        if report.series[0].rows != 400 and not report.series[0].refusal:
            raise BrokenError(f"{report.series[0].rows} of 400 days were used")
        return "others used" if report.series[0].rows == 400 else "refused in words"

    return read


def _candle_cache(folder: Path) -> Reader:
    cache = folder / "candle-cache"
    whole = _hours()
    store_candles(cache, whole)
    [file] = (cache / "candles" / "BTCUSDT").glob("*.columns")

    def read(path: Path) -> str:
        path.replace(file)
        found = open_candles(cache, "BTCUSDT", Timeframe.H1, whole.digest)
        if found is None:
            return "built again"
        if any(not np.array_equal(found.columns[name], whole.columns[name]) for name in COLUMNS):
            raise BrokenError("other candles under the same digest")
        return "read"

    return Reader((file.read_bytes(),), read)


def _survey_cache(folder: Path) -> Reader:
    data, cache = folder / "survey-data", folder / "survey-cache"
    data.mkdir()
    (data / "BTCUSDT-1h.csv").write_text(csv_text(candles(ROWS, "1h"), HEADER))
    spec = SurveySpec(symbol="BTCUSDT", timeframes=(Timeframe.H1,), policy=POLICY)
    whole = survey(spec, data, cache, lambda *_: None)
    store_report(cache, "key", whole)
    file = cache / "candles" / "BTCUSDT" / "survey-key.json"

    def read(path: Path) -> str:
        path.replace(file)
        found = find_report(cache, "BTCUSDT", "key")
        if found is not None and found != whole:
            raise BrokenError("another report than was stored")
        return "read" if found else "surveyed again"

    return Reader((file.read_bytes(),), read)


def _feature_cache(folder: Path) -> Reader:
    cache = folder / "feature-cache"
    cache.mkdir()
    hours = _hours()
    whole = open_features(cache, hours, [])
    content = whole.path.read_bytes()

    def read(path: Path) -> str:
        path.replace(whole.path)
        before = whole.path.stat().st_ino
        found = open_features(cache, hours, [])
        if (found.digest, found.names, found.contexts) != (whole.digest, whole.names, whole.contexts):
            raise BrokenError("other features than were built")
        return "read" if whole.path.stat().st_ino == before else "built again"

    return Reader((content,), read)


def _notes() -> Reader:
    notes = (
        Note(lease_id="l-1", checkpoint=checkpoint(), failure=failure()),
        Note(lease_id="l-2", failure=failure(message="x" * 500)),
    )

    def read(path: Path) -> str:
        with _Lines("trainer.agent.unsent") as said:
            note = read_note(path)
        if note is None and len(said) != 1:
            raise BrokenError(f"{len(said)} lines for a note that was dropped")
        return "dropped in words" if note is None else "read"

    return Reader(tuple(note.model_dump_json().encode() for note in notes), read)


class _Lines(logging.Handler):
    """The messages of one logger, each checked."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._logger, self.lines = logging.getLogger(name), []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def __enter__(self) -> list[str]:
        self._logger.addHandler(self)
        self._logger.propagate = False
        return self.lines

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = True
        for text in self.lines:
            line(text)


def _progress(folder: Path) -> Reader:
    out = OutFolder(folder / "out")
    out.logs.mkdir(parents=True)
    counts = JobCounts(queued=3, succeeded=4).model_dump()
    document = {"run": {"id": 7, "state": "running", "training": counts}}

    def read(path: Path) -> str:
        path.replace(out.progress)
        told = unfinished(out)
        return "read" if told and line(told) else "taken for none"

    return Reader((json.dumps(document, indent=1).encode(),), read)


def _given(folder: Path) -> Reader:
    file = folder / "given.json"
    write_given(file, Given(NightSettings(), {"symbols": "default"}, ("a warning",)))

    def read(path: Path) -> str:
        return _told(lambda: read_given(path))

    return Reader((file.read_bytes(),), read)


def _configuration() -> Reader:
    own = Path(__file__).parents[2] / "deploy" / "night_training.yaml"
    short = {"symbols": ["BTCUSDT"], "data": {"columns": {"*.csv": {"volume": 7}}}, "window": None}
    return Reader((own.read_bytes(), yaml.safe_dump(short).encode()), lambda path: _told(lambda: load(path)))


def _token(path: Path) -> str:
    return _told(lambda: [read(path) for read in (given_token, read_token, open_token)])


def _told(read: Callable[[], object]) -> str:
    try:
        read()
    except NighttrainError as error:
        line(str(error))
        return "refused in words"
    return "read"


def _hours() -> Candles:
    return Candles.of("BTCUSDT", Timeframe.H1, candles(ROWS, "1h"))


def _quoted(csv: bytes) -> bytes:
    return b"\n".join(b'"' + row.replace(b",", b'","') + b'"' for row in csv.splitlines()) + b"\n"


def _texts(table: pa.Table) -> pa.Table:
    """The same with times and prices as text, and a column of symbols."""
    times = [str(one.astype("datetime64[ms]")) for one in table["open_time"].to_numpy()]
    columns = {name: pa.array(map(str, table[name].to_pylist())) for name in table.column_names[1:]}
    pairs = pa.array(["BTCUSDT"] * len(table)).dictionary_encode()
    return pa.table({"date": times, **columns, "pair": pairs})


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _zipped(whole: bytes) -> Callable[[bytes], bytes]:
    return lambda damaged: _zip({"BTCUSDT-1m-a.csv": damaged, "BTCUSDT-1m-b.csv": whole})


def _parquet(table: pa.Table, **options: str) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def _feather(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    feather.write_feather(table, buffer)
    return buffer.getvalue()


def _file(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, table.schema) as file:
        file.write_table(table)
    return buffer.getvalue()


def _stream(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as stream:
        stream.write_table(table)
    return buffer.getvalue()


def _json(columns: dict[str, np.ndarray]) -> bytes:
    return json.dumps(
        [list(row) for row in zip(*(values.tolist() for values in columns.values()), strict=True)]
    ).encode()
