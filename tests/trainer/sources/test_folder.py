import errno
import os
from pathlib import Path

import pytest

from common.errors import DataError
from trainer.sources.files import read_source
from trainer.sources.folder import (
    links_told,
    named_timeframe,
    source_files,
    symbol_files,
    timeframe_of,
)
from trainer.sources.names import names_symbol


@pytest.mark.parametrize(
    ("relative", "symbol"),
    [
        ("BTCUSDT-1m-2023-01.zip", "BTCUSDT"),
        ("btcusdt_1m.csv", "BTCUSDT"),
        ("DOGE_USDT-15m.feather", "DOGEUSDT"),
        ("BTC-USDT 1h.parquet", "BTCUSDT"),
        ("seconds_sparse_kraken_BTCUSDC_1m.zip", "BTCUSDC"),
        ("newest-first_utc-offset_BTCUSDT_1m.csv", "BTCUSDT"),
        ("BTC/USDT/1m.csv", "BTCUSDT"),
        ("binance/BTCUSDT/1m/2023-01.csv", "BTCUSDT"),
        ("BTC_USDT/2023.parquet", "BTCUSDT"),
        ("1000SHIBUSDT-1h.zip", "1000SHIBUSDT"),
        ("UNITTEST_BTC-1m.json", "UNITTESTBTC"),
        ("BTCUSDT60.csv", "BTCUSDT"),
        ("mt4/eurusd1440.csv.gz", "EURUSD"),
        ("BTCUSD1-1h.csv", "BTCUSD1"),
        ("BTCUSD1.csv", "BTCUSD1"),
    ],
)
def test_a_path_names_its_symbol_in_any_spelling(relative, symbol):
    assert names_symbol(relative, symbol)


@pytest.mark.parametrize(
    ("relative", "symbol"),
    [
        ("seconds_sparse_kraken_BTCUSDC_1m.zip", "BTCUSDT"),
        ("BTCUSDT/ETHUSDT-1m.csv", "BTCUSDT"),
        ("BTCUSDT/archive/ETH_USDT/1m.csv", "BTCUSDT"),
        ("1000SHIBUSDT-1h.zip", "SHIBUSDT"),
        ("BTC_USDT_USDT-1h-futures.feather", "BTCUSDT"),
        ("UNITTEST_BTC-1m.json", "BTCUSDT"),
        ("XRP_ETH-1m.feather", "ETHUSDT"),
        ("notes.txt", "BTCUSDT"),
        ("BTCUSDT60.csv", "ETHUSDT"),
        ("BTCUSDT/ETHUSDT60.csv", "BTCUSDT"),
        ("BTCUSDT7.csv", "BTCUSDT"),
        ("BTCUSD240329.csv", "BTCUSD"),
    ],
)
def test_a_path_of_another_symbol_is_not_taken(relative, symbol):
    assert not names_symbol(relative, symbol)


@pytest.mark.parametrize(
    ("relative", "timeframe"),
    [
        ("BTCUSDT-1m-2023-01.zip", "1m"),
        ("BTCUSDT_1min.csv", "1m"),
        ("DOGE_USDT-15m.feather", "15m"),
        ("BTCUSDT-60m.csv", "1h"),
        ("BTCUSDT-24h.csv", "1d"),
        ("BTCUSDT/4h/2023-01.csv", "4h"),
        ("1h/BTCUSDT-5m.csv", "5m"),
        ("BTCUSDT-1M-2023.zip", ""),
        ("BTCUSDT-7m.csv", ""),
        ("BTCUSDT-2023-01.csv", None),
        ("BTCUSDT.csv", None),
        ("BTCUSDT60.csv", "1h"),
        ("5m/EURUSD1440.csv", "1d"),
        ("EURUSD10080.csv", ""),
        ("BTCUSDT7.csv", None),
    ],
)
def test_the_timeframe_that_a_path_names(relative, timeframe):
    assert named_timeframe(relative) == timeframe


def test_only_lengths_that_can_be_trained_have_a_timeframe():
    assert timeframe_of(60_000) == "1m"
    assert timeframe_of(86_400_000) == "1d"
    assert timeframe_of(604_800_000) is None
    assert timeframe_of(60_001) is None


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_files_are_found_in_all_folders_and_sorted(tmp_path):
    touch(tmp_path, "b/BTCUSDT-1m.csv", "a/deep/er/BTC_USDT-1h.csv", "ETHUSDT-1m.csv")
    touch(tmp_path, "BTCUSDT-1m.zip.CHECKSUM", ".BTCUSDT-1m.csv", ".git/BTCUSDT.csv", "BTCUSDT-5m.csv.part")
    (tmp_path / "BTCUSDT-folder.csv").mkdir()
    os.mkfifo(tmp_path / "BTCUSDT-pipe.csv")
    found = source_files(tmp_path, "BTCUSDT")
    assert [file.relative for file in found] == ["a/deep/er/BTC_USDT-1h.csv", "b/BTCUSDT-1m.csv"]
    status = (tmp_path / "b/BTCUSDT-1m.csv").stat()
    assert (found[1].size, found[1].mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_a_linked_folder_is_searched_once_even_where_it_leads_in_a_circle(tmp_path):
    touch(tmp_path, "data/BTCUSDT-1m.csv", "data/.hidden/BTCUSDT-1h.csv")
    (tmp_path / "data/more").symlink_to(tmp_path / "data/.hidden")
    (tmp_path / "data/self").symlink_to(tmp_path / "data")
    found = source_files(tmp_path / "data", "BTCUSDT")
    assert [file.relative for file in found] == ["BTCUSDT-1m.csv", "more/BTCUSDT-1h.csv"]


def test_links_that_lead_out_of_the_folder_are_named_and_not_followed(tmp_path):
    touch(tmp_path, "token", "elsewhere/BTCUSDT-1h.csv", "elsewhere/ETHUSDT-1h.csv", "data/real.csv")
    data = tmp_path / "data"
    (data / "BTCUSDT-1m.csv").symlink_to(tmp_path / "token")
    (data / "more").symlink_to(tmp_path / "elsewhere")
    (data / "ETHUSDT").symlink_to(tmp_path / "elsewhere")
    (data / "BTCUSDT-5m.csv").symlink_to("real.csv")
    found = symbol_files(data, "BTCUSDT")
    assert [(file.relative, file.path) for file in found.files] == [("BTCUSDT-5m.csv", data / "real.csv")]
    assert found.links_out == ("BTCUSDT-1m.csv", "more")
    assert links_told(found.links_out).startswith(
        "BTCUSDT-1m.csv, more are links that lead out of the folder and were not followed: "
    )
    with pytest.raises(DataError, match="ETHUSDT, more are links that lead out of the folder"):
        source_files(data, "ETHUSDT")


def test_a_folder_that_is_a_link_itself_is_read(tmp_path):
    touch(tmp_path, "real/BTCUSDT-1m.csv")
    (tmp_path / "data").symlink_to(tmp_path / "real")
    assert [file.relative for file in source_files(tmp_path / "data", "BTCUSDT")] == ["BTCUSDT-1m.csv"]


def test_a_file_that_became_a_link_or_a_pipe_is_not_opened(tmp_path):
    touch(tmp_path, "secret", "data/BTCUSDT-1m.csv")
    [file] = source_files(tmp_path / "data", "BTCUSDT")
    file.path.unlink()
    file.path.symlink_to(tmp_path / "secret")
    sources, [finding] = read_source(file, "BTCUSDT")
    assert sources == [] and "it cannot be opened: " in finding.detail
    file.path.unlink()
    os.mkfifo(file.path)
    sources, [finding] = read_source(file, "BTCUSDT")
    assert sources == [] and finding.detail.endswith("it is no file.")


@pytest.mark.parametrize("target", ["nowhere", "BTCUSDT-1m.csv"])
def test_a_link_that_leads_nowhere_is_a_finding_of_its_own_symbol_alone(tmp_path, target):
    touch(tmp_path, "ETHUSDT-1m.csv")
    (tmp_path / "BTCUSDT-1m.csv").symlink_to(tmp_path / target)
    assert [file.relative for file in source_files(tmp_path, "ETHUSDT")] == ["ETHUSDT-1m.csv"]
    sources, [finding] = read_source(*source_files(tmp_path, "BTCUSDT"), "BTCUSDT")
    assert sources == []
    assert finding.detail.startswith("BTCUSDT-1m.csv was left out: it cannot be opened: ")


def test_names_that_no_report_and_no_terminal_could_show_are_shown_without_that(tmp_path):
    for name in (b"BTCUSDT-\xff.csv", b"BTCUSDT-a\nb.csv", b"BTCUSDT-c\x1b[31md.csv"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    found = source_files(tmp_path, "BTCUSDT")
    assert [file.relative for file in found] == [
        "BTCUSDT-a\ufffdb.csv",
        "BTCUSDT-c\ufffd[31md.csv",
        "BTCUSDT-\ufffd.csv",
    ]
    assert [file.path.read_bytes() for file in found] == [b"x"] * 3


def test_what_a_disk_has_of_its_own_is_not_looked_into(tmp_path):
    touch(tmp_path, "BTCUSDT-1m.csv", "lost+found/BTCUSDT-1h.csv")
    assert [file.relative for file in source_files(tmp_path, "BTCUSDT")] == ["BTCUSDT-1m.csv"]


def test_what_nighttrain_wrote_itself_is_no_source(tmp_path):
    touch(tmp_path, "BTCUSDT-1m.csv", "out/nighttrain.db", "out/artifacts/BTCUSDT_1h_H1.pkl")
    touch(tmp_path, "cache/CACHEDIR.TAG", "cache/BTCUSDT/1m.columns")
    assert [file.relative for file in source_files(tmp_path, "BTCUSDT")] == ["BTCUSDT-1m.csv"]


def test_a_missing_symbol_is_told_with_what_there_is(tmp_path):
    touch(tmp_path, "ETHUSDT-1m.csv", "SOL_USDT-1h.feather", "readme.txt")
    with pytest.raises(DataError) as error:
        source_files(tmp_path, "BTCUSDT")
    assert (
        error.value.detail
        == f"BTCUSDT: no file of BTCUSDT in {tmp_path}; found there: ETHUSDT, SOLUSDT (3 files)"
    )
    assert "BTCUSDT-1m.zip" in error.value.hint


def test_an_empty_folder_and_a_missing_one_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="found there: no file at all"):
        source_files(tmp_path, "BTCUSDT")
    with pytest.raises(DataError, match="there is no data folder"):
        source_files(tmp_path / "nowhere", "BTCUSDT")


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    touch(tmp_path, "BTCUSDT-1m.csv", "locked/BTCUSDT-1h.csv")
    listed = os.scandir

    def scandir(path):
        # The tests may run as root, whom no permission keeps out.
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match="locked: the folder cannot be read: Permission denied"):
        source_files(tmp_path, "BTCUSDT")
