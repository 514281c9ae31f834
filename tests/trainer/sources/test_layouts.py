"""Columns are told by name, shape and content; what cannot be told is refused with what would settle it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.settings.sections import ColumnMapping
from tests.candle_fixtures import NAMES, candles, csv_text, write_zip
from trainer.candles.bars import FIELDS
from trainer.sources.files import Source, read_source
from trainer.sources.folder import SourceFile

ROWS = candles(60, "1h")
TIME, OPEN, HIGH, LOW, CLOSE, VOLUME = (ROWS[name] for name in NAMES)
VALUE = VOLUME * CLOSE
VWAP = np.round((HIGH + LOW + CLOSE) / 3, 2)
COUNT = np.arange(60) + 3
MOMENTS = pd.to_datetime(TIME, unit="ms")


def table(*columns: object, header: str = "", delimiter: str = ",") -> str:
    lines = [delimiter.join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([header, *lines] if header else lines) + "\n"


def read(
    folder: Path, content: str | bytes, symbol: str = "BTCUSDT", **mapping: object
) -> tuple[list[Source], list[str]]:
    path = folder / f"{symbol}-1h.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    status = path.stat()
    mappings = {"*-1h.csv": ColumnMapping.model_validate(mapping)} if mapping else {}
    file = SourceFile(path, path.name, status.st_size, status.st_mtime_ns)
    sources, found = read_source(file, symbol, mappings)
    return sources, [finding.detail for finding in found]


def assert_read(sources: list[Source], quote: object = None) -> None:
    [source] = sources
    bars = source.bars
    order = np.argsort(bars.open_time)
    assert bars.open_time[order].tolist() == TIME.tolist()
    for name in NAMES[1:]:
        assert bars.values[FIELDS.index(name)][order].tolist() == ROWS[name].tolist(), name
    expected = np.full(60, np.nan) if quote is None else quote
    assert bars.values[FIELDS.index("quote_volume")][order] == pytest.approx(expected, nan_ok=True)


ISO = MOMENTS.strftime("%Y-%m-%d %H:%M:%S")
P = (OPEN, HIGH, LOW, CLOSE)
LOCAL = (MOMENTS + pd.Timedelta(hours=1)).strftime("%Y-%m-%d %H:%M:%S")
DATE, CLOCK = MOMENTS.strftime("%Y-%m-%d"), MOMENTS.strftime("%H:%M:%S")
NAMED = "date,open,high,low,close"

KNOWN = {
    "Kraken REST": (table(TIME // 1000, *P, VWAP, VOLUME, COUNT), None),
    "Kraken archive": (table(TIME // 1000, *P, VOLUME, COUNT), None),
    "Bybit": (table(TIME, *P, VOLUME, VALUE), VALUE),
    "KuCoin": (table(TIME // 1000, OPEN, CLOSE, HIGH, LOW, VOLUME, VALUE), VALUE),
    "Bitfinex": (table(TIME, OPEN, CLOSE, HIGH, LOW, VOLUME), None),
    "Coinbase": (table(TIME // 1000, LOW, HIGH, OPEN, CLOSE, VOLUME), None),
    "gate": (table(TIME // 1000, VALUE, CLOSE, HIGH, LOW, OPEN, VOLUME, ["true"] * 60), VALUE),
    "OKX": (table(TIME, *P, VOLUME, VALUE, VALUE, [1] * 60), VALUE),
    "COIN-M": (
        table(TIME, *P, np.rint(VALUE * 100), TIME + 3_599_999, VOLUME, COUNT, COUNT, COUNT, COUNT),
        "contracts",
    ),
    "MetaTrader 4": (table(MOMENTS.strftime("%Y.%m.%d"), MOMENTS.strftime("%H:%M"), *P, VOLUME), None),
    "volume beside volume_btc": (
        table(ISO, *P, VALUE, VOLUME, header=f"{NAMED},volume,volume_btc"),
        VALUE,
    ),
    "Volume BTC and USDT": (table(ISO, *P, VOLUME, VALUE, header=f"{NAMED},Volume BTC,Volume USDT"), VALUE),
    "address on top": (
        "https://www.CryptoDataDownload.com\n"
        + table(
            TIME // 1000, ISO, ["BTC/USDT"] * 60, *P, VOLUME, header=f"unix,date,symbol{NAMED[4:]},Volume BTC"
        ),
        None,
    ),
    "plain to_csv": (table(ISO, *P, VOLUME, header=",open,high,low,close,volume"), None),
    "date and time": (table(DATE, CLOCK, *P, VOLUME, header="Date,Time,Open,High,Low,Close,Volume"), None),
    "date at midnight and time": (
        table(DATE + " 00:00:00", CLOCK, *P, VOLUME, header="Date,Time,Open,High,Low,Close,Volume"),
        None,
    ),
    "decimal commas": (
        table(ISO, *P, VOLUME, header="Date;Open;High;Low;Close;Volume", delimiter=";").replace(".", ","),
        None,
    ),
    "decimal commas without names": (table(ISO, *P, VOLUME, delimiter=";").replace(".", ","), None),
}


@pytest.mark.parametrize("kind", KNOWN)
def test_a_known_layout_is_read(tmp_path: Path, kind: str) -> None:
    content, quote = KNOWN[kind]
    sources, told = read(tmp_path, content)
    if kind == "MetaTrader 4":
        assert "MetaTrader" in told.pop()
    assert told == []
    assert_read(sources, None if isinstance(quote, str) else quote)


def test_metatrader_5_says_that_its_volume_counts_ticks(tmp_path: Path) -> None:
    header = "\t".join(
        f"<{name}>" for name in ["DATE", "TIME", "OPEN", "HIGH", "LOW", "CLOSE", "TICKVOL", "VOL", "SPREAD"]
    )
    columns = (MOMENTS.strftime("%Y.%m.%d"), CLOCK, *P, VOLUME, [0] * 60, [5] * 60)
    sources, told = read(tmp_path, table(*columns, header=header, delimiter="\t"))
    assert_read(sources)
    assert told == ["BTCUSDT-1h.csv: its volume counts ticks, for it has no amounts."]


UNSETTLED = {
    "an average where the volume was due": (table(TIME, *P, VWAP), "its sixth column", "volume"),
    "eight unknown columns": (table(TIME, *P, VOLUME, COUNT, VWAP), "eight columns", "volume"),
    "prices in an unknown order": (table(TIME, HIGH, OPEN, CLOSE, LOW, VOLUME), "columns 2 to 5", "open"),
    "names against content": (
        table(TIME, LOW, HIGH, OPEN, CLOSE, VOLUME, header=f"{NAMED},volume"),
        "named in another order",
        "open",
    ),
    "two times": (
        table(ISO, LOCAL, *P, VOLUME, header="date,time,open,high,low,close,volume"),
        "its columns date and time tell different times",
        "time",
    ),
    "two volumes": (
        table(ISO, *P, VALUE, VOLUME, header=f"{NAMED},volume,volume_coins"),
        "which of its columns volume and volume_coins",
        "volume",
    ),
    "swapped volumes": (
        table(ISO, *P, VALUE, VOLUME, header=f"{NAMED},volume,quote_volume"),
        "they are swapped",
        "volume",
    ),
    "another coin's volume": (
        table(ISO, *P, VOLUME, header=f"{NAMED},Volume ETH"),
        "it has no column for volume",
        "volume",
    ),
    "an unknown time of day": (
        table(DATE, CLOCK, *P, VOLUME, header="Date,Hour,Open,High,Low,Close,Volume"),
        "times without their hour",
        "time",
    ),
    "thousands or decimals": (
        table(
            ISO,
            *(["42,001"] * 60, ["42,003"] * 60, ["42,000"] * 60, ["42,002"] * 60, ["1,000"] * 60),
            header="Date;Open;High;Low;Close;Volume",
            delimiter=";",
        ),
        "decimal comma cannot be told",
        "decimal",
    ),
    "American dates": (
        table(MOMENTS.strftime("%m/%d/%Y %H:%M"), *P, VOLUME, header=f"{NAMED},volume"),
        "no row has a time that can be read",
        "format",
    ),
}


@pytest.mark.parametrize("kind", UNSETTLED)
def test_what_cannot_be_told_is_refused_with_the_mapping_that_would_settle_it(
    tmp_path: Path, kind: str
) -> None:
    content, why, key = UNSETTLED[kind]
    sources, [told] = read(tmp_path, content)
    assert sources == []
    assert why in told
    assert 'say what is right by data.columns: {"BTCUSDT-1h.csv": {' in told
    assert f"{key}: ..." in told
    assert "fetch" not in told


SETTLED = {
    "two times": (UNSETTLED["two times"][0], {"time": "date"}),
    "two volumes": (UNSETTLED["two volumes"][0], {"volume": "volume_coins"}),
    "eight unknown columns": (UNSETTLED["eight unknown columns"][0], {"volume": 6}),
    "prices in an unknown order": (
        UNSETTLED["prices in an unknown order"][0],
        {"open": 3, "high": 2, "low": 5, "close": 4},
    ),
    "an unknown time of day": (UNSETTLED["an unknown time of day"][0], {"time": ["Date", "Hour"]}),
    "American dates": (UNSETTLED["American dates"][0], {"format": "%m/%d/%Y %H:%M"}),
    "local time": (
        table(LOCAL, *P, VOLUME, header=f"{NAMED},volume"),
        {"zone": "Europe/Berlin"},
    ),
}


@pytest.mark.parametrize("kind", SETTLED)
def test_the_mapping_settles_it(tmp_path: Path, kind: str) -> None:
    content, mapping = SETTLED[kind]
    sources, told = read(tmp_path, content, **mapping)
    assert told == []
    assert_read(sources)


def test_a_mapping_that_names_no_column_is_refused(tmp_path: Path) -> None:
    sources, [told] = read(tmp_path, csv_text(ROWS, f"{NAMED},volume"), volume="amount")
    assert sources == []
    assert "it has no column 'amount', which data.columns names; its columns are date, open" in told


def test_of_many_symbols_in_one_file_the_rows_of_one_are_read(tmp_path: Path) -> None:
    other = candles(60, "1h", seed=4)
    both = [np.concatenate([ROWS[name], other[name]]) for name in NAMES]
    text = table(*both, ["BTC/USDT"] * 60 + ["ETH/USDT"] * 60, header=f"{NAMED},volume,Symbol")
    sources, told = read(tmp_path, text)
    assert told == []
    assert_read(sources)
    sources, [refused] = read(tmp_path, text, "SOLUSDT")
    assert sources == []
    assert "its column of symbols names BTC/USDT, ETH/USDT and not SOLUSDT" in refused


def test_rows_of_several_series_without_a_column_that_says_so_are_refused(tmp_path: Path) -> None:
    other = candles(60, "1h", seed=4)
    both = [np.concatenate([ROWS[name], other[name]]) for name in NAMES]
    sources, [told] = read(tmp_path, table(*both, header=f"{NAMED},volume"))
    assert sources == []
    assert "59 of its 120 rows repeat a time" in told or "60 of its 120 rows repeat a time" in told


def test_the_hour_that_summer_time_repeats_is_named_and_a_zone_settles_it(tmp_path: Path) -> None:
    rows = candles(200, "1h", start_ms=1_698_300_000_000 // 3_600_000 * 3_600_000)
    utc = pd.to_datetime(rows["open_time"], unit="ms", utc=True)
    local = utc.tz_convert("Europe/Berlin").strftime("%Y-%m-%d %H:%M:%S")
    text = csv_text(rows, f"{NAMED},volume", times=local.tolist())
    sources, [told] = read(tmp_path, text)
    assert sources == []
    assert "the hour of 2023-10-29 02:00 is in it twice" in told
    assert "zone: ..." in told
    sources, told = read(tmp_path, text, zone="Europe/Berlin")
    assert told == []
    assert sources[0].bars.open_time.tolist() == rows["open_time"].tolist()


PACKED = {
    "xz": b"\xfd7zXZ\x00\x00\x04",
    "bzip2": b"BZh91AY",
    "zstd": b"\x28\xb5\x2f\xfd\x04",
    "Excel": b"\xd0\xcf\x11\xe0\xa1\xb1",
    "HDF5": b"\x89HDF\r\n",
}


@pytest.mark.parametrize("kind", PACKED)
def test_what_is_packed_otherwise_is_refused_by_its_name(tmp_path: Path, kind: str) -> None:
    sources, [told] = read(tmp_path, PACKED[kind] + bytes(40))
    assert sources == []
    assert kind in told


def test_a_workbook_is_refused_as_one(tmp_path: Path) -> None:
    members = {"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<x/>", "_rels/.rels": "<x/>"}
    sources, [told] = read(tmp_path, write_zip(tmp_path / "book", members).read_bytes())
    assert sources == []
    assert "it is an Excel or Office workbook (.xlsx); save its sheet as CSV" in told
