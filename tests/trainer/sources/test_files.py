import gzip
import io
import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pytest

from tests.candle_fixtures import (
    NAMES,
    START_MS,
    binance_text,
    candles,
    csv_text,
    parquet_bytes,
    rows_of,
    write_csv,
    write_feather,
    write_json,
    write_parquet,
    write_zip,
)
from trainer.candles.bars import FIELDS
from trainer.sources.files import SYNTHETIC_KEY, read_source
from trainer.sources.folder import SourceFile

COLUMNS = candles(40)
HEADER = "open_time,open,high,low,close,volume"
BUYERS = "taker_buy_volume,taker_buy_quote_volume"


def read(path, symbol="BTCUSDT"):
    status = path.stat()
    return read_source(SourceFile(path, path.name, status.st_size, status.st_mtime_ns), symbol)


def read_one(path):
    sources, findings = read(path)
    assert findings == []
    assert len(sources) == 1
    return sources[0]


def assert_same(bars, columns):
    assert bars.open_time.tolist() == columns["open_time"].tolist()
    for name in NAMES[1:]:
        assert bars.values[FIELDS.index(name)].tolist() == columns[name].tolist(), name


def iso(offset_hours, suffix):
    moments = (COLUMNS["open_time"] + offset_hours * 3_600_000).astype("datetime64[ms]")
    return [str(moment).replace("T", " ")[:19] + suffix for moment in moments]


TEXTS = {
    "binance without header, ms": binance_text(COLUMNS),
    "binance without header, us": binance_text(COLUMNS, 1000),
    "binance with header": f"{HEADER},close_time,quote_volume,count,{BUYERS},ignore\n"
    + binance_text(COLUMNS),
    "binance, us from the middle on": binance_text({n: v[:20] for n, v in COLUMNS.items()})
    + binance_text({n: v[20:] for n, v in COLUMNS.items()}, 1000),
    "six columns, s": csv_text(COLUMNS, times=(COLUMNS["open_time"] // 1000).tolist()),
    "header, ms": csv_text(COLUMNS, HEADER),
    "float seconds": csv_text(COLUMNS, HEADER, times=(COLUMNS["open_time"] / 1000).tolist()),
    "offset -04:00, capitals": csv_text(
        COLUMNS, "Datetime,Open,High,Low,Close,Volume", times=iso(-4, "-04:00")
    ),
    "offset +00:00": csv_text(COLUMNS, "timestamp,open,high,low,close,volume", times=iso(0, "+00:00")),
    "no offset": csv_text(COLUMNS, "date,open,high,low,close,volume", times=iso(0, "")),
    "UTC written out": csv_text(COLUMNS, "Date,open,high,low,close,volume", times=iso(0, " UTC")),
    "semicolons and CRLF": csv_text(COLUMNS, HEADER.replace(",", ";"), delimiter=";").replace("\n", "\r\n"),
    "tabs": csv_text(COLUMNS, delimiter="\t"),
    "byte order mark": "\ufeff" + csv_text(COLUMNS, HEADER),
    "blank first line": "\n" + csv_text(COLUMNS, HEADER),
    "no newline at the end": csv_text(COLUMNS, HEADER).rstrip("\n"),
    "quoted": csv_text(COLUMNS, HEADER).replace(",", '","').replace("\n", '"\n"').join(['"', ""])[:-1],
}


@pytest.mark.parametrize("kind", TEXTS)
def test_csv_of_every_kind_gives_the_same_bars(tmp_path, kind):
    path = tmp_path / "BTCUSDT.csv"
    path.write_bytes(TEXTS[kind].encode())
    assert_same(read_one(path).bars, COLUMNS)


def test_an_index_column_before_or_behind_the_time_is_passed_over(tmp_path):
    rows = csv_text(COLUMNS).splitlines()
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("\n".join([f",{HEADER}", *(f"{place},{row}" for place, row in enumerate(rows))]))
    assert_same(read_one(path).bars, COLUMNS)
    swapped = [row.replace(",", f",{place},", 1) for place, row in enumerate(rows)]
    path.write_text("\n".join([HEADER.replace(",", ",index,", 1), *swapped]))
    assert_same(read_one(path).bars, COLUMNS)


@pytest.mark.parametrize("name", ["BTCUSDT.csv", "BTCUSDT.bin"])
def test_the_format_is_told_by_content_and_not_by_name(tmp_path, name):
    writers = [write_csv, write_feather, write_json, write_parquet]
    for writer in writers:
        assert_same(read_one(writer(tmp_path / name, COLUMNS)).bars, COLUMNS)
    assert_same(read_one(write_zip(tmp_path / name, {"a.csv": csv_text(COLUMNS)})).bars, COLUMNS)
    (tmp_path / name).write_bytes(gzip.compress(csv_text(COLUMNS, HEADER).encode()))
    assert_same(read_one(tmp_path / name).bars, COLUMNS)
    with pa.ipc.new_stream(tmp_path / name, pa.table(COLUMNS).schema) as stream:
        stream.write_table(pa.table(COLUMNS))
    assert_same(read_one(tmp_path / name).bars, COLUMNS)


@pytest.mark.parametrize("factor", [0.001, 1, 1000, 1_000_000])
def test_parquet_with_integer_times_of_any_unit(tmp_path, factor):
    times = (COLUMNS["open_time"] * factor).astype(np.int64)
    path = write_parquet(tmp_path / "BTCUSDT.parquet", {**COLUMNS, "open_time": times})
    assert_same(read_one(path).bars, COLUMNS)


def test_parquet_with_an_unnamed_time_index_and_numbers_as_text(tmp_path):
    text = {name: [str(value) for value in COLUMNS[name].tolist()] for name in NAMES[1:]}
    index = pa.array(COLUMNS["open_time"], pa.timestamp("ms"))
    path = write_parquet(tmp_path / "BTCUSDT.parquet", {**text, "__index_level_0__": index})
    assert_same(read_one(path).bars, COLUMNS)


def test_quote_volume_is_read_where_the_source_has_it(tmp_path):
    path = tmp_path / "BTCUSDT.csv"
    path.write_text(binance_text(COLUMNS))
    quote = read_one(path).bars.values[FIELDS.index("quote_volume")]
    assert quote == pytest.approx(COLUMNS["volume"] * 999.5)
    write_csv(path, COLUMNS)
    bars = read_one(path).bars
    assert np.isnan(bars.values[FIELDS.index("quote_volume")]).all()
    assert bars.turnover == pytest.approx((COLUMNS["volume"] * COLUMNS["close"]).sum())


def test_units_of_the_times_are_told(tmp_path):
    path = tmp_path / "BTCUSDT.csv"
    path.write_text(TEXTS["binance, us from the middle on"])
    assert read_one(path).units == {"milliseconds", "microseconds"}


def test_only_the_metadata_make_candles_synthetic(tmp_path):
    path = tmp_path / "BTCUSDT.parquet"
    assert not read_one(write_parquet(path, COLUMNS)).synthetic
    assert read_one(write_parquet(path, COLUMNS, {SYNTHETIC_KEY: b"true"})).synthetic


def test_an_archive_of_several_files_gives_those_of_the_symbol(tmp_path):
    later = candles(40, start_ms=START_MS + 40 * 60_000)
    members = {
        "BTCUSDT-1m-2.csv": csv_text(later),
        "BTCUSDT-1m-1.csv": csv_text(COLUMNS),
        "ETHUSDT-1m-1.csv": csv_text(COLUMNS),
        "__MACOSX/BTCUSDT-1m-1.csv": "junk",
    }
    sources, findings = read(write_zip(tmp_path / "all.zip", members))
    assert findings == []
    assert [source.name for source in sources] == ["all.zip!BTCUSDT-1m-1.csv", "all.zip!BTCUSDT-1m-2.csv"]
    assert_same(sources[0].bars, COLUMNS)
    assert_same(sources[1].bars, later)


def damaged_zip(tmp_path):
    content = bytearray(write_zip(tmp_path / "whole.zip", {"BTCUSDT.csv": csv_text(COLUMNS)}).read_bytes())
    content[60] ^= 0xFF
    return bytes(content)


def cut_zip(tmp_path):
    return write_zip(tmp_path / "whole.zip", {"BTCUSDT.csv": csv_text(COLUMNS)}).read_bytes()[:-30]


def feather_bytes(times):
    buffer = io.BytesIO()
    feather.write_feather(pa.table({"date": times, **{name: COLUMNS[name] for name in NAMES[1:]}}), buffer)
    return buffer.getvalue()


UNREADABLE = {
    "nothing": (lambda _: b"", "empty_file", "it is empty"),
    "blank lines": (lambda _: b"\n\n", "empty_file", "it is empty"),
    "a header alone": (lambda _: (HEADER + "\n").encode(), "empty_file", "it has a header and no rows"),
    "an empty list": (lambda _: b"[]", "empty_file", "it is an empty list"),
    "a cut zip": (cut_zip, "cut_file", "its ZIP directory is missing or damaged"),
    "a damaged zip": (damaged_zip, "unreadable_file", "its member BTCUSDT.csv cannot be unpacked"),
    "a cut parquet": (lambda _: parquet_bytes(COLUMNS)[:-9], "cut_file", "it is no whole Parquet file"),
    "a cut arrow": (lambda _: b"ARROW1\0\0" + b"\1" * 50, "cut_file", "it is no whole Arrow file"),
    "a cut gzip": (lambda _: gzip.compress(csv_text(COLUMNS).encode())[:-20], "cut_file", "its gzip data is"),
    "a cut json": (lambda _: b"[[1672531200000, 1, 2", "cut_file", "it is no whole JSON document"),
    "json of objects": (lambda _: b'[{"a": 1}]', "unreadable_file", "its JSON is no list of rows"),
    "json of trades": (lambda _: b"[[1672531200000, 1]]", "unreadable_file", "its rows have 2 fields"),
    "json of an error": (
        lambda _: b'{"code": -1121,\n "msg": "Invalid symbol."}',
        "unreadable_file",
        'it is a JSON object and no list of rows: \'{"code": -1121,',
    ),
    "json of a number that is too large": (
        lambda _: b"[[1672531200000, 1, 2, 3, 4, 1" + b"0" * 400 + b"]]",
        "unreadable_file",
        "its JSON is no list of rows",
    ),
    "UTF-16": (
        lambda _: csv_text(COLUMNS, HEADER).encode("utf-16"),
        "unreadable_file",
        "its text is UTF-16; save it as UTF-8",
    ),
    "times in a year beyond all calendars": (
        lambda _: feather_bytes(pa.array([2**60] * 40, pa.timestamp("s"))),
        "unreadable_file",
        "no row has a time that can be read; the first is out of range, 1152921504606846976",
    ),
    "prose": (lambda _: b"The quick brown fox.\n", "unreadable_file", "it is no table"),
    "a picture": (lambda _: b"\x89PNG\0\0\0", "unreadable_file", "it is none of CSV"),
    "no volume": (
        lambda _: b"date,open,high,low,close\n1,2,3,4,5\n",
        "unreadable_file",
        "no column for volume",
    ),
    "no time": (
        lambda _: b"a,open,high,low,close,volume\n1,2,3,4,5,6\n",
        "unreadable_file",
        "no column for open_time",
    ),
    "times that are none": (
        lambda _: csv_text(COLUMNS, times=range(40)).encode(),
        "unreadable_file",
        "no row has a time",
    ),
    "fewer names than fields": (
        lambda _: csv_text(COLUMNS, "date,open,high,low,close,volume,")[:-1].encode(),
        "unreadable_file",
        "its rows have 6 fields, its header 7",
    ),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_file_that_cannot_be_read_is_one_finding_and_no_exception(tmp_path, kind):
    make, defect, why = UNREADABLE[kind]
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_bytes(make(tmp_path))
    sources, findings = read(path)
    assert sources == []
    assert [(finding.defect, finding.action, finding.first) for finding in findings] == [
        (defect, "dropped", "BTCUSDT-1m.csv")
    ]
    assert findings[0].detail.startswith("BTCUSDT-1m.csv was left out: ")
    assert why in findings[0].detail
    assert findings[0].detail.endswith(".")
    assert "\n" not in findings[0].detail


def test_a_cut_last_line_is_dropped_and_told(tmp_path):
    path = tmp_path / "BTCUSDT-1m.csv"
    text = csv_text(COLUMNS, HEADER)
    path.write_text(text[: text.rindex(",") - 3])
    sources, findings = read(path)
    assert_same(sources[0].bars, {name: values[:-1] for name, values in COLUMNS.items()})
    assert [finding.defect for finding in findings] == ["cut_file"]
    assert "BTCUSDT-1m.csv ends early" in findings[0].detail


def test_lines_of_another_length_are_dropped_and_counted(tmp_path):
    path = tmp_path / "BTCUSDT-1m.csv"
    lines = csv_text(COLUMNS, HEADER).splitlines()
    path.write_text("\n".join([*lines[:10], "1,2,3", *lines[10:20], "1,2,3,4,5,6,7,8", *lines[20:], ""]))
    sources, findings = read(path)
    assert_same(sources[0].bars, COLUMNS)
    assert [(finding.defect, finding.count) for finding in findings] == [("bad_line", 2)]
    assert "first line 11" in findings[0].detail


def test_a_header_or_junk_in_the_middle_costs_only_its_line(tmp_path):
    path = tmp_path / "BTCUSDT-1m.csv"
    lines = csv_text(COLUMNS, HEADER).splitlines()
    broken = lines[30].split(",")
    broken[4] = "n/a"
    path.write_text("\n".join([*lines[:10], HEADER, *lines[10:30], ",".join(broken), *lines[31:], ""]))
    sources, findings = read(path)
    bars = sources[0].bars
    assert bars.open_time.tolist() == COLUMNS["open_time"].tolist()
    assert np.isnan(bars.values[FIELDS.index("close")]).nonzero()[0].tolist() == [29]
    assert [(finding.defect, finding.count) for finding in findings] == [("no_time", 1)]


def test_a_quote_that_is_never_closed_costs_only_its_line(tmp_path):
    path = tmp_path / "BTCUSDT-1m.csv"
    lines = csv_text(COLUMNS, HEADER).splitlines()
    lines[0] = ",".join(f'"{name}"' for name in HEADER.split(","))
    lines[5] = '"' + lines[5].replace(",", '","') + '"'
    lines[30] = lines[30].replace(",", ',"', 1)
    path.write_text("\n".join([*lines, ""]))
    sources, findings = read(path)
    assert_same(sources[0].bars, rows_of(COLUMNS, np.delete(np.arange(40), 29)))
    assert [(finding.defect, finding.count) for finding in findings] == [("bad_line", 1)]
    assert "first line 31" in findings[0].detail


def test_nulls_in_json_become_prices_that_are_no_number(tmp_path):
    rows = [list(row) for row in zip(*(COLUMNS[name].tolist() for name in NAMES), strict=True)]
    rows[3][1] = None
    (tmp_path / "BTCUSDT.json").write_text(json.dumps(rows))
    assert np.isnan(read_one(tmp_path / "BTCUSDT.json").bars.values[0]).nonzero()[0].tolist() == [3]


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    gone = SourceFile(tmp_path / "BTCUSDT.csv", "BTCUSDT.csv", 1, 1)
    sources, findings = read_source(gone, "BTCUSDT")
    assert sources == []
    assert findings[0].detail == "BTCUSDT.csv was left out: it cannot be opened: No such file or directory."


def test_no_damage_to_a_file_raises_anything(tmp_path):
    wholes = [
        write_csv(tmp_path / "a", COLUMNS).read_bytes(),
        write_zip(tmp_path / "a", {"x.csv": binance_text(COLUMNS)}).read_bytes(),
        write_parquet(tmp_path / "a", COLUMNS).read_bytes(),
        write_feather(tmp_path / "a", COLUMNS).read_bytes(),
        write_json(tmp_path / "a", COLUMNS).read_bytes(),
        gzip.compress(csv_text(COLUMNS).encode()),
    ]
    draw = random.Random(5)
    path = tmp_path / "BTCUSDT-1m.csv"
    left_out = 0
    for turn in range(600):
        content = bytearray(wholes[turn % len(wholes)])
        for _ in range(draw.randint(1, 5)):
            place = draw.randrange(len(content))
            if draw.random() < 0.7:
                content[place] = draw.randrange(256)
            else:
                content[place:] = draw.randbytes(draw.randint(0, 20))
                break
        path.write_bytes(content)
        sources, findings = read(path)
        left_out += not sources
        assert sources or findings
        assert all(np.isfinite(source.bars.open_time).all() for source in sources)
    assert 150 < left_out < 600
