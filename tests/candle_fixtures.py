"""Tiny candles and the files that sources write them to, and where the real candles are."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from common.protocol.jobs import SurveySpec
from common.protocol.reports import SurveyReport
from common.settings.sections import SurveyPolicy
from common.timeframes import Timeframe
from trainer.survey.survey import survey

START_MS = 1_672_531_200_000  # 2023-01-01 00:00 UTC, a Sunday
NAMES = ("open_time", "open", "high", "low", "close", "volume")
POLICY = SurveyPolicy(max_missing_share=0.2, max_defect_share=0.01, max_bar_missing_share=0.0)


def candles(
    rows: int, timeframe: str = "1m", start_ms: int = START_MS, seed: int = 0
) -> dict[str, np.ndarray]:
    """Columns of gapless candles whose numbers have two decimals, as an exchange would write them."""
    draw = np.random.default_rng(seed)
    close = np.round(1000 + np.cumsum(draw.normal(0, 1, rows)), 2)
    opened = np.concatenate([[1000.0], close[:-1]])
    return {
        "open_time": start_ms + np.arange(rows, dtype=np.int64) * Timeframe(timeframe).milliseconds,
        "open": opened,
        "high": np.round(np.maximum(opened, close) + draw.uniform(0, 1, rows), 2),
        "low": np.round(np.minimum(opened, close) - draw.uniform(0, 1, rows), 2),
        "close": close,
        "volume": np.round(draw.uniform(1, 10, rows), 2),
    }


def rows_of(columns: dict[str, np.ndarray], rows: object) -> dict[str, np.ndarray]:
    return {name: values[rows] for name, values in columns.items()}


def csv_text(
    columns: dict[str, np.ndarray], header: str = "", times: list[object] | None = None, delimiter: str = ","
) -> str:
    """CSV of the columns, with `times` instead of the times where given."""
    table = [times if times is not None else columns["open_time"].tolist()]
    table += [columns[name].tolist() for name in NAMES[1:]]
    lines = [delimiter.join(str(value) for value in row) for row in zip(*table, strict=True)]
    return "\n".join([header, *lines] if header else lines) + "\n"


def binance_text(columns: dict[str, np.ndarray], factor: float = 1) -> str:
    """The twelve columns of a Binance dump; `factor` turns milliseconds into the unit of the times."""
    lines = []
    for row in zip(*(columns[name].tolist() for name in NAMES), strict=True):
        time, *numbers, volume = row
        quote = round(volume * 999.5, 4)
        scaled = [str(int(moment * factor)) for moment in (time, time + 59_999)]
        lines.append(
            ",".join([scaled[0], *(f"{n:.8f}" for n in numbers), f"{volume:.8f}", scaled[1], f"{quote:.8f}"])
            + ",17,1.0,999.5,0"
        )
    return "\n".join(lines) + "\n"


def write_csv(path: Path, columns: dict[str, np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text(columns, header="open_time,open,high,low,close,volume"))
    return path


def write_zip(path: Path, members: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def write_parquet(
    path: Path, columns: dict[str, np.ndarray], metadata: dict[bytes, bytes] | None = None
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata or {}), path)
    return path


def write_feather(path: Path, columns: dict[str, np.ndarray]) -> Path:
    """A feather file as freqtrade writes it: column ``date``, in UTC."""
    path.parent.mkdir(parents=True, exist_ok=True)
    date = pa.array(columns["open_time"], pa.timestamp("ms", "UTC"))
    feather.write_feather(pa.table({"date": date, **{name: columns[name] for name in NAMES[1:]}}), path)
    return path


def write_json(path: Path, columns: dict[str, np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(*(columns[name].tolist() for name in NAMES), strict=True)
    path.write_text(json.dumps([list(row) for row in rows]))
    return path


def parquet_bytes(columns: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def surveyed(
    data: Path, cache: Path, symbol: str, timeframes: tuple[str, ...], policy: SurveyPolicy = POLICY
) -> SurveyReport:
    spec = SurveySpec(symbol=symbol, timeframes=timeframes, policy=policy)
    return survey(spec, data, cache, lambda stage, done, total: None)


def defects(report: SurveyReport) -> dict[tuple[str, str], int]:
    """Counts of the findings by (timeframe, defect)."""
    return {(finding.timeframe, finding.defect): finding.count for finding in report.findings}


def real_candles(folder: str) -> Path:
    """A folder of real candles; skips the test on a machine that has none."""
    named = os.environ.get("NIGHTTRAIN_REAL_CANDLES")
    root = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not (root / folder).is_dir():
        pytest.skip(f"no real candles in {root / folder}: name their folder in NIGHTTRAIN_REAL_CANDLES")
    return root / folder
