import gzip
import io
import json
import random
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
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
from trainer.sources import arrow_table, json_rows, rows, unpacked
from trainer.sources import csv_text as csv_text_module
from trainer.sources.arrow_table import SYNTHETIC_KEY
from trainer.sources.files import read_source
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
        "it is a JSON object and no list of rows",
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


@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_that_is_not_held_whole_gives_the_same_bars(tmp_path, monkeypatch, kind):
    read_in_small_parts(monkeypatch)
    text = TEXTS[kind].encode()
    path = tmp_path / "BTCUSDT.csv"
    for content in (text, gzip.compress(text), zip_bytes({"a.csv": text})):
        path.write_bytes(content)
        assert_same(read_one(path).bars, COLUMNS)


def test_what_else_is_not_held_whole_gives_the_same_bars(tmp_path, monkeypatch):
    read_in_small_parts(monkeypatch)
    for writer in (write_feather, write_json, write_parquet):
        assert_same(read_one(writer(tmp_path / "BTCUSDT.bin", COLUMNS)).bars, COLUMNS)


def test_bad_lines_in_other_blocks_have_the_numbers_that_they_have_in_one(tmp_path, monkeypatch):
    path = tmp_path / "BTCUSDT-1m.csv"
    lines = csv_text(COLUMNS, HEADER).splitlines()
    path.write_text("\n".join([*lines[:30], "1,2,3", "", *lines[30:35], '"', *lines[35:], "16725"]))
    at_once = read(path)
    read_in_small_parts(monkeypatch)
    in_parts = read(path)
    assert_same(in_parts[0][0].bars, COLUMNS)
    assert [(one.defect, one.count, one.detail) for one in in_parts[1]] == [
        (one.defect, one.count, one.detail) for one in at_once[1]
    ]
    assert [(one.defect, one.count) for one in at_once[1]] == [("cut_file", 1), ("bad_line", 2)]
    assert "first line 31" in at_once[1][1].detail


def test_names_that_stand_twice_cost_nothing(tmp_path):
    table = pa.table(COLUMNS)
    table = table.append_column("volume", pa.array(np.zeros(40))).append_column("note", pa.array(["x"] * 40))
    path = tmp_path / "BTCUSDT.bin"
    pq.write_table(table, path)
    assert_same(read_one(path).bars, COLUMNS)
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)
    assert_same(read_one(path).bars, COLUMNS)


def test_members_that_are_packed_in_unusual_ways_or_damaged_leave_the_others(tmp_path):
    path = tmp_path / "BTCUSDT-1m.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-1m-1.csv", csv_text(COLUMNS))
        archive.writestr("BTCUSDT-1m-2.csv", csv_text(COLUMNS), zipfile.ZIP_LZMA)
        archive.writestr("BTCUSDT-1m-3.csv", csv_text(COLUMNS), zipfile.ZIP_BZIP2)
        archive.writestr("BTCUSDT-1m-4\x1b[2J.csv", csv_text(COLUMNS))
    content = path.read_bytes()
    damaged = content.replace(b"BTCUSDT-1m-4\x1b[2J.csv", b"BTCUSDT-1m-4\x1b[2J\xff\xfe\xfd\xfc", 1)
    path.write_bytes(damaged)
    sources, findings = read(path)
    assert [source.name for source in sources] == ["BTCUSDT-1m.zip!BTCUSDT-1m-1.csv"]
    assert_same(sources[0].bars, COLUMNS)
    reasons = [finding.detail.partition(": ")[2] for finding in findings]
    assert reasons[0].startswith("its member BTCUSDT-1m-2.csv is packed with LZMA; pack it with deflate")
    assert reasons[1].startswith("its member BTCUSDT-1m-3.csv is packed with bzip2; ")
    assert reasons[2].startswith("its member BTCUSDT-1m-4\\x1b[2J.csv cannot be unpacked: ")
    assert all(finding.detail.isprintable() for finding in findings)


SECRET = "kP7x_Jq2mZ9vT4wLrB8nD1sYfU6hGcE3aXo5iR0tVQw"


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"user,{SECRET}\n1,2\n",
        f'{{"token": "{SECRET}"}}',
        f'["{SECRET}"]',
        f"{SECRET},1,2,3,4,5\nx\n",
    ],
)
def test_what_is_no_table_of_candles_is_not_quoted(tmp_path, text):
    path = tmp_path / "BTCUSDT.csv"
    path.write_text(text)
    sources, findings = read(path)
    assert sources == []
    assert SECRET not in findings[0].detail


def test_what_unpacks_to_very_much_is_left_out_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacked, "HELD_BYTES", 100_000)
    path = tmp_path / "BTCUSDT-1m.csv.gz"
    path.write_bytes(gzip.compress(csv_text(COLUMNS).encode() + b"\n" * 1_000_000))
    sources, [finding] = read(path)
    assert sources == []
    assert "BTCUSDT-1m.csv.gz was left out: it unpacks to more than 100 times its size" in finding.detail
    path.write_bytes(zip_bytes({f"BTCUSDT-{one}.csv": b"\n" * 90_000 for one in range(9)}))
    # Each is small, all of them are not.
    sources, findings = read(path)
    assert sum("it unpacks to more than" in finding.detail for finding in findings) == 7
    monkeypatch.setattr(unpacked, "MOST_BYTES", 1000)
    path.write_bytes(gzip.compress(csv_text(COLUMNS).encode()))
    assert "it unpacks to more than 0 GiB" in read(path)[1][0].detail


def test_more_rows_than_a_file_of_its_size_holds_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "ALWAYS_ROWS", 1000)
    flat = {name: np.ones(20_000) for name in NAMES} | {"open_time": START_MS + np.zeros(20_000, np.int64)}
    for writer in (
        write_parquet,
        lambda path, columns: feather.write_feather(pa.table(columns), path, "zstd"),
    ):
        path = tmp_path / "BTCUSDT.bin"
        writer(path, flat)
        sources, [finding] = read(path)
        assert sources == []
        assert "rows, as candles in a file of its size do not" in finding.detail
    path.write_bytes(gzip.compress(b"1672531200000,1,1,1,1,2\n" * 20_000))
    assert "rows, as candles in a file of its size do not" in read(path)[1][0].detail


def test_a_file_that_asks_for_more_memory_than_its_size_bears_out_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow_table, "ROW_BYTES", 1)
    # One text of 200 kB in a dictionary, in each of ten thousand rows.
    texts = pa.array(["x" * 200_000]).dictionary_encode().indices.take(pa.array([0] * 10_000))
    column = pa.DictionaryArray.from_arrays(texts, pa.array(["x" * 200_000]))
    path = tmp_path / "BTCUSDT.parquet"
    many = {name: pa.array(np.resize(values, 10_000)) for name, values in COLUMNS.items()}
    pq.write_table(pa.table({**many, "pair": column}), path, compression="zstd", store_schema=False)
    sources, [finding] = read(path)
    assert sources == []
    assert "it asks for more than" in finding.detail


def read_in_small_parts(monkeypatch):
    monkeypatch.setattr(unpacked, "HELD_BYTES", 100)
    monkeypatch.setattr(unpacked, "PIECE_BYTES", 97)
    monkeypatch.setattr(csv_text_module, "BLOCK_BYTES", 701)
    monkeypatch.setattr(json_rows, "PIECE_BYTES", 53)
    monkeypatch.setattr(json_rows, "AT_ONCE", 7)


def zip_bytes(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


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
