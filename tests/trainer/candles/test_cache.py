import numpy as np
import pytest

from common.timeframes import Timeframe
from tests.candle_fixtures import candles
from trainer.candles import checked
from trainer.candles.cache import HEAD_BYTES, open_candles, store_candles
from trainer.candles.candles import COLUMNS, Candles


@pytest.fixture
def stored(tmp_path):
    series = Candles.of("BTCUSDT", Timeframe.M5, candles(1000, "5m"), synthetic=True)
    store_candles(tmp_path, series)
    return series


def opened(tmp_path, series):
    return open_candles(tmp_path, series.symbol, series.timeframe, series.digest)


def file_of(tmp_path):
    (path,) = tmp_path.glob("candles/BTCUSDT/*.columns")
    return path


def test_candles_come_back_as_they_went(tmp_path, stored):
    back = opened(tmp_path, stored)
    assert (back.symbol, back.timeframe, back.digest, back.synthetic) == (
        "BTCUSDT",
        "5m",
        stored.digest,
        True,
    )
    for name in COLUMNS:
        assert back.columns[name].dtype == stored.columns[name].dtype
        assert (back.columns[name] == stored.columns[name]).all()


def test_the_columns_are_mapped_read_only(tmp_path, stored):
    back = opened(tmp_path, stored)
    assert isinstance(back.close.base.base, np.memmap) or isinstance(back.close.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        back.close[0] = 1.0


def test_what_is_not_there_is_none(tmp_path, stored):
    assert open_candles(tmp_path, "BTCUSDT", Timeframe.M5, "0" * 64) is None
    assert open_candles(tmp_path, "ETHUSDT", Timeframe.M5, stored.digest) is None
    assert open_candles(tmp_path / "elsewhere", "BTCUSDT", "5m", stored.digest) is None


def test_storing_again_writes_nothing(tmp_path, stored):
    before = file_of(tmp_path).stat().st_mtime_ns
    store_candles(tmp_path, stored)
    assert file_of(tmp_path).stat().st_mtime_ns == before


DAMAGES = {
    "cut": lambda content: content[:-8],
    "longer": lambda content: content + b"\0" * 8,
    "empty": lambda content: b"",
    "head only": lambda content: content[:HEAD_BYTES],
    "one bit of a value": lambda content: content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
    "one bit of the head": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "time out of order": lambda content: (
        content[:HEAD_BYTES] + content[HEAD_BYTES : HEAD_BYTES + 8] * 2 + content[HEAD_BYTES + 16 :]
    ),
    "another symbol's head": lambda content: content.replace(b"BTCUSDT", b"ETHUSDT", 1),
    "not synthetic any more": lambda content: content.replace(b'"synthetic": true', b'"synthetic":false', 1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_and_mended(tmp_path, stored, damage):
    path = file_of(tmp_path)
    whole = path.read_bytes()
    damaged = DAMAGES[damage](whole)
    assert damaged != whole
    path.write_bytes(damaged)
    assert opened(tmp_path, stored) is None
    store_candles(tmp_path, stored)
    assert path.read_bytes() == whole
    assert opened(tmp_path, stored) is not None


def test_what_was_found_good_is_not_digested_again(tmp_path, stored, monkeypatch):
    monkeypatch.setattr(checked, "WORTH_WAITING_BYTES", 0)
    first = opened(tmp_path, stored)
    monkeypatch.setattr(Candles, "of", None)
    again = opened(tmp_path, stored)
    assert again.digest == first.digest == stored.digest
    assert all((again.columns[name] == first.columns[name]).all() for name in first.columns)
    assert again.synthetic == first.synthetic


def test_a_reader_keeps_what_it_mapped_while_the_file_is_replaced(tmp_path, stored):
    back = opened(tmp_path, stored)
    file_of(tmp_path).unlink()
    store_candles(tmp_path, stored)
    assert (back.close == stored.close).all()


def test_the_cache_is_tagged_as_one(tmp_path, stored):
    tag = (tmp_path / "candles" / "CACHEDIR.TAG").read_bytes()
    assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")


def test_a_long_series_that_was_just_written_is_not_read_to_be_digested(tmp_path, monkeypatch):
    series = Candles.of("BTCUSDT", Timeframe.M1, candles(200_000, "1m"), synthetic=False)
    monkeypatch.setattr(Candles, "of", lambda *_: pytest.fail("it was digested once more"))
    assert store_candles(tmp_path, series).digest == series.digest
    monkeypatch.undo()
    # What changes it afterwards shows.
    with file_of(tmp_path).open("r+b") as file:
        file.seek(HEAD_BYTES + 5)
        file.write(b"\xff")
    assert opened(tmp_path, series) is None
