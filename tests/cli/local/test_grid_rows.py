"""How many bars a grid has, told from surveys and from the names and sizes of files."""

from __future__ import annotations

from pathlib import Path

from cli.local.grid_rows import rows_of
from common.settings.night import NightSettings
from tests.result_fixtures import results, series, surveyed


def grid(*symbols: str) -> NightSettings:
    return NightSettings(symbols=symbols, timeframes=("15m", "1h"), horizons=(1, 3))


def put(folder: Path, **sizes: int) -> Path:
    for name, size in sizes.items():
        (folder / f"{name.replace('_', '-')}.csv").write_bytes(b"1" * size)
    return folder


def told(settings: NightSettings, data: Path | None, *nights: object) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for one in rows_of(settings, data, nights):  # type: ignore[arg-type]
        found.setdefault(one.symbol, []).append(one.rows)
    return found


def test_what_a_survey_refused_has_no_rows(tmp_path: Path) -> None:
    coarse = series("15m", rows=0, refusal="no candles fine enough"), series("1h", rows=960)
    night = results(surveys=(surveyed(symbol="BTCUSDT", of=coarse),))
    assert told(grid("BTCUSDT"), put(tmp_path, BTCUSDT_1h=96_000), night) == {"BTCUSDT": [960]}


def test_a_symbol_that_no_night_surveyed_has_what_its_files_can_fill(tmp_path: Path) -> None:
    data = put(tmp_path, BTCUSDT_15m=384_000, ETHUSDT_15m=192_000, ADAUSDT_1h=96_000)
    of = series("15m", rows=3840), series("1h", rows=960)
    night = results(surveys=(surveyed(symbol="BTCUSDT", of=of),))
    # Ada's hours are a quarter of Bitcoin's bytes since they are a quarter of its bars, in as many days.
    assert told(grid("BTCUSDT", "ETHUSDT", "ADAUSDT"), data, night) == {
        "BTCUSDT": [3840, 960],
        "ETHUSDT": [1920, 480],
        "ADAUSDT": [960],
    }
