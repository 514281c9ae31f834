"""A symbol is read from files of one kind of instrument, and a perpetual is a symbol of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import DataError
from common.protocol.jobs import SurveySpec
from tests.candle_fixtures import POLICY, candles, csv_text, write_csv, write_feather, write_zip
from trainer.sources.files import read_source
from trainer.sources.folder import SourceFile, source_files, symbol_files
from trainer.sources.instruments import Kind, kind_of
from trainer.sources.names import pair_of, perpetual_of
from trainer.survey.survey import survey


@pytest.mark.parametrize(
    ("relative", "kind"),
    [
        ("BTCUSDT-1h.csv", Kind.SPOT),
        ("spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip", Kind.SPOT),
        ("mark/BTCUSDT-1h.csv", Kind.SPOT),
        ("index of coins/BTCUSDT-1h.csv", Kind.SPOT),
        ("futures/um/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip", Kind.PERPETUAL),
        ("BTCUSD_PERP-1h-2024.csv", Kind.PERPETUAL),
        ("BTC-USDT-SWAP_1h.csv", Kind.PERPETUAL),
        ("futures/um/monthly/markPriceKlines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip", Kind.MARK),
        ("futures/um/monthly/indexPriceKlines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip", Kind.INDEX),
        ("futures/um/monthly/premiumIndexKlines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip", Kind.PREMIUM),
        ("futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-01.zip", Kind.FUNDING),
        ("mark_price/BTCUSDT-1h.csv", Kind.MARK),
        ("futures/BTC_USDT_USDT-1h-mark.feather", Kind.MARK),
        ("futures/BTC_USDT_USDT-8h-funding_rate.feather", Kind.FUNDING),
        ("futures/BTC_USDT_USDT-1h-futures.feather", Kind.PERPETUAL),
    ],
)
def test_the_kind_of_instrument_is_told_by_the_path(relative: str, kind: Kind) -> None:
    assert kind_of(relative) is kind


def test_a_perpetual_has_a_pair_and_a_stable_coin_is_none() -> None:
    assert perpetual_of("BTCUSDTUSDT") == "BTCUSDT"
    assert perpetual_of("BTCUSDBTC") == "BTCUSD"
    assert [perpetual_of(symbol) for symbol in ("BTCUSDT", "TUSDUSD", "USDCUSDT")] == ["", "", ""]
    assert pair_of("BTCUSDTUSDT") == ("BTC", "USDT")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(folder: Path, symbol: str) -> list[str]:
    return [file.relative for file in source_files(folder, symbol)]


def test_spot_goes_before_perpetual_and_what_was_not_traded_is_never_read(tmp_path: Path) -> None:
    kinds = ("spot/klines", "futures/um/klines", "futures/um/markPriceKlines", "futures/um/indexPriceKlines")
    touch(tmp_path, *(f"{kind}/BTCUSDT/BTCUSDT-1h.csv" for kind in kinds))
    files = symbol_files(tmp_path, "BTCUSDT")
    assert [file.relative for file in files.files] == ["spot/klines/BTCUSDT/BTCUSDT-1h.csv"]
    assert "mark price: futures/um/markPriceKlines/BTCUSDT/BTCUSDT-1h.csv" in files.left_out
    assert found(tmp_path, "BTCUSDTUSDT") == ["futures/um/klines/BTCUSDT/BTCUSDT-1h.csv"]
    (tmp_path / "spot/klines/BTCUSDT/BTCUSDT-1h.csv").unlink()
    assert found(tmp_path, "BTCUSDT") == ["futures/um/klines/BTCUSDT/BTCUSDT-1h.csv"]
    (tmp_path / "futures/um/klines/BTCUSDT/BTCUSDT-1h.csv").unlink()
    with pytest.raises(DataError, match=r"no candles in .* that can be trained, but index price: "):
        source_files(tmp_path, "BTCUSDT")


def test_freqtrades_futures_are_a_symbol_of_their_own(tmp_path: Path) -> None:
    names = ("1h-futures", "4h-futures", "1h-mark", "8h-funding_rate")
    touch(tmp_path, *(f"futures/BTC_USDT_USDT-{name}.feather" for name in names))
    assert found(tmp_path, "BTCUSDTUSDT") == [
        "futures/BTC_USDT_USDT-1h-futures.feather",
        "futures/BTC_USDT_USDT-4h-futures.feather",
    ]
    with pytest.raises(DataError) as error:
        source_files(tmp_path, "BTCUSDT")
    assert error.value.detail.endswith("found there: BTCUSDT:USDT (4 files)")


def test_contracts_that_expire_are_never_joined(tmp_path: Path) -> None:
    touch(tmp_path, "BTCUSD_PERP-1h.csv", "BTCUSD_240329-1h.csv", "BTCUSD_240628-1h.csv")
    assert found(tmp_path, "BTCUSD") == ["BTCUSD_PERP-1h.csv"]
    assert found(tmp_path, "BTCUSDPERP") == ["BTCUSD_PERP-1h.csv"]
    assert found(tmp_path, "BTCUSD240329") == ["BTCUSD_240329-1h.csv"]
    (tmp_path / "BTCUSD_PERP-1h.csv").unlink()
    with pytest.raises(DataError, match=r"expiring contract: BTCUSD_240329-1h\.csv and 1 more") as error:
        source_files(tmp_path, "BTCUSD")
    assert "BTCUSD240329" in error.value.hint


def test_days_of_the_rows_are_no_contracts(tmp_path: Path) -> None:
    names = [f"BTCUSDT_2403{day:02}.csv" for day in range(25, 31)]
    touch(tmp_path, *names)
    assert found(tmp_path, "BTCUSDT") == names


def test_an_archive_gives_its_members_of_one_kind(tmp_path: Path) -> None:
    text = csv_text(candles(40))
    members = {"spot/BTCUSDT-1m.csv": text, "um/BTCUSDT-1m.csv": text, "BTCUSDT-1m-mark.csv": text}
    path = write_zip(tmp_path / "all.zip", members)
    sources, _ = read_source(SourceFile(path, "all.zip", 1, 1), "BTCUSDT")
    assert [source.name for source in sources] == ["all.zip"]


def test_prices_of_no_trades_without_a_name_that_says_so_are_told_by_content(tmp_path: Path) -> None:
    rows = candles(60)
    rows["low"][::3] = -0.0001
    sources, [finding] = read_source(
        SourceFile(write_csv(tmp_path / "BTCUSDT-1m.csv", rows), "BTCUSDT-1m.csv", 1, 1), "BTCUSDT"
    )
    assert sources == []
    assert "BTCUSDT-1m.csv was left out: 20 of its 60 rows have a price that is not above" in finding.detail


def test_the_survey_says_which_kind_is_trained(tmp_path: Path) -> None:
    write_feather(tmp_path / "data/futures/BTC_USDT_USDT-1h-futures.feather", candles(300, "1h"))
    write_feather(tmp_path / "data/futures/BTC_USDT_USDT-1h-mark.feather", candles(300, "1h", seed=2))
    spec = SurveySpec(symbol="BTCUSDTUSDT", timeframes=("1h",), policy=POLICY)
    report = survey(spec, tmp_path / "data", tmp_path / "cache", lambda *_: None)
    assert report.series[0].rows == 300
    [told] = [finding.detail for finding in report.findings if finding.defect == "other_instrument"]
    assert told == (
        "BTCUSDTUSDT is trained on its perpetual candles alone; left out were mark price: "
        "futures/BTC_USDT_USDT-1h-mark.feather."
    )
