from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from cli.local.candles_at_hand import candles_for
from cli.local.interrupt import Interrupt
from cli.local.origin import assert_same_candles
from cli.stack.checkout import acting_as
from cli.stack.owner import User
from common.errors import ConfigurationError
from common.out_folder import OutFolder
from common.settings.night import NightSettings
from common.settings.sections import Data


class Place:
    """A working folder with settings whose sample is small."""

    def __init__(self, root: Path) -> None:
        self.candles, self.out = root / "candles", OutFolder(root / "out")
        data = Data.model_validate({"dir": self.candles, "sample": {"days": 2}})
        self.settings = NightSettings(symbols=("BTCUSDT", "XRPUSDT"), data=data)
        self.interrupt = Interrupt()
        self.told = io.StringIO()

    def choose(self, given: Path | None = None) -> Path:
        console = Console(file=self.told, width=500)
        return candles_for(self.settings, given, self.out, console, self.interrupt)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def filled(folder: Path) -> Path:
    (folder / "binance").mkdir(parents=True)
    (folder / "binance" / "BTCUSDT-1m.csv").write_text("1\n")
    return folder


def test_the_folder_that_was_named_goes_before_the_configured_one(place: Place, tmp_path: Path) -> None:
    filled(place.candles)
    named = filled(tmp_path / "named")
    assert place.choose(named) == named
    assert place.choose() == place.candles
    assert place.told.getvalue() == ""


def test_without_candles_a_sample_is_made_and_called_synthetic(place: Place) -> None:
    place.candles.mkdir()
    (place.candles / ".gitkeep").touch()
    assert place.choose() == place.out.sample
    names = sorted(path.name for path in place.out.sample.iterdir())
    assert names == ["BTCUSDT-1m-sample.parquet", "XRPUSDT-1m-sample.parquet"]
    assert f"no candles in {place.candles}: training on a SYNTHETIC sample" in place.told.getvalue()


def test_no_sample_is_made_where_the_nights_were_on_real_candles(place: Place, tmp_path: Path) -> None:
    place.out.root.mkdir()
    real = filled(tmp_path / "real candles")
    assert_same_candles(place.out, 1, True, real)
    with pytest.raises(ConfigurationError, match=f"the last night of .*/out was on those in {real}") as error:
        place.choose()
    assert f"--data '{real}'" in error.value.hint
    assert not place.out.sample.exists()
    assert place.choose(real) == real


def test_a_sample_stays_one_where_its_folder_was_moved(place: Place, tmp_path: Path) -> None:
    assert place.choose() == place.out.sample
    assert_same_candles(place.out, 1, True, place.out.sample)
    place.out.root.rename(tmp_path / "moved")
    place.out = OutFolder(tmp_path / "moved")
    assert place.choose() == place.out.sample


def test_an_interrupt_leaves_the_sample(place: Place) -> None:
    place.interrupt.signals.append(2)
    with pytest.raises(KeyboardInterrupt):
        place.choose()


@pytest.mark.parametrize(
    ("made", "said"),
    [("nothing", "no such folder"), ("a file", "not a folder"), ("a folder", "has no files in it")],
)
def test_a_named_folder_without_candles_is_refused_with_the_way_out(
    place: Place, tmp_path: Path, made: str, said: str
) -> None:
    named = tmp_path / "named"
    if made == "a file":
        named.touch()
    elif made == "a folder":
        named.mkdir()
    with pytest.raises(ConfigurationError, match=said) as refused:
        place.choose(named)
    assert str(named) in refused.value.detail
    assert "--data DIR" in refused.value.hint


def test_a_folder_with_only_a_link_out_of_it_names_where_that_leads(place: Place, tmp_path: Path) -> None:
    named, elsewhere = tmp_path / "named", tmp_path / "elsewhere"
    named.mkdir()
    elsewhere.mkdir()
    (elsewhere / "BTCUSDT-1h.csv").touch()
    for aim in (elsewhere, elsewhere / "BTCUSDT-1h.csv"):
        (named / "mine").symlink_to(aim)
        with pytest.raises(ConfigurationError, match="but mine, a link that leads out of it") as refused:
            place.choose(named)
        assert refused.value.hint.endswith(f"--data {elsewhere}")
        (named / "mine").unlink()


def test_a_folder_that_is_a_link_itself_and_links_within_it_are_candles(place: Place, tmp_path: Path) -> None:
    real, named = tmp_path / "real", tmp_path / "named"
    (real / ".kept").mkdir(parents=True)
    (real / ".kept" / "BTCUSDT-1h.csv").touch()
    (real / "BTCUSDT-1h.csv").symlink_to(real / ".kept" / "BTCUSDT-1h.csv")
    named.symlink_to(real)
    assert place.choose(named) == named


def test_a_folder_below_that_cannot_be_read_is_named(place: Place) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become a user who may not read")
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder)
        named.chmod(0o755)
        (named / "locked").mkdir(mode=0o700)
        with acting_as(User(65534, 65534)), pytest.raises(ConfigurationError, match="locked: cannot be read"):
            place.choose(named)
