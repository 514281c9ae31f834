"""The file of the configuration, looked at again and again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from common.settings.given import Given, from_yaml, read_given, write_given
from common.settings.night import NightSettings
from coordinator.configuration import Configuration, Proposal, Source


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "night.yaml"
    path.write_text("retry: {error: 4}\n")
    return path


@pytest.fixture
def configuration(path: Path) -> Configuration:
    return Configuration(from_yaml(path), Source(path, from_yaml))


def rested(configuration: Configuration, night_is_running: bool = True) -> Proposal | None:
    """The second of two looks: the first one only sees that something has moved."""
    assert configuration.look(night_is_running) is None
    return configuration.look(night_is_running)


def test_an_untouched_file_changes_nothing(configuration: Configuration) -> None:
    assert rested(configuration) is None
    assert configuration.settings.retry.error == 4


def test_a_file_that_is_being_written_is_left_alone_until_it_rests(
    configuration: Configuration, path: Path
) -> None:
    path.write_text("")
    assert configuration.look(True) is None
    path.write_text("retry: {error: 5, oom: 4}\n")
    assert configuration.look(True) is None
    proposal = configuration.look(True)
    assert proposal is not None and proposal.settings.retry.error == 5


def test_a_change_is_offered_until_it_is_accepted(configuration: Configuration, path: Path) -> None:
    path.write_text("retry: {error: 5}\n")
    first = rested(configuration)
    assert first is not None and configuration.look(True) == first
    configuration.accept(first)
    assert configuration.look(True) is None
    assert configuration.settings.retry.error == 5


def test_what_decides_the_results_waits_for_the_end_of_the_night(
    configuration: Configuration, path: Path
) -> None:
    path.write_text("retry: {error: 5}\nhorizons: [1]\n")
    proposal = rested(configuration)
    assert proposal is not None
    configuration.accept(proposal)
    assert configuration.settings.horizons == (1, 3, 5)
    assert configuration.waiting_words == ("horizons from [1, 3, 5] to [1] at the next night",)
    assert configuration.origins["horizons"] == "default"
    assert configuration.origins["retry.error"] == str(path)
    assert configuration.look(True) is None
    late = configuration.look(False)
    assert late is not None and late.said == ()
    configuration.accept(late)
    assert configuration.settings.horizons == (1,)
    assert configuration.waiting == () and configuration.origins["horizons"] == str(path)


@pytest.mark.parametrize("text", ["retry: {error: 0}\n", "retry: [\n", "rety: {}\n", None])
def test_a_broken_file_keeps_the_configuration_and_is_one_line(
    configuration: Configuration, path: Path, text: str | None
) -> None:
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert rested(configuration) is None
    assert configuration.settings.retry.error == 4
    [warning] = configuration.warnings
    assert str(path) in warning and "\n" not in warning
    assert warning.endswith("the configuration of before stays in force")
    path.write_text("retry: {error: 6}\n")
    proposal = rested(configuration)
    assert proposal is not None and proposal.settings.retry.error == 6
    assert configuration.warnings == ()


def test_a_file_that_others_have_replaced_where_it_is_mounted_alone_is_told(tmp_path: Path) -> None:
    """What a container sees of a single file that was mounted: the old one, which has no name any more."""
    path = tmp_path / "night.yaml"
    path.write_text("n_splits: 4\n")
    held = os.open(path, os.O_RDONLY)
    mounted = Path(f"/proc/self/fd/{held}")
    try:
        configuration = Configuration(from_yaml(mounted), Source(mounted, from_yaml))
        assert configuration.look(False) is None and configuration.warnings == ()
        (tmp_path / "new.yaml").write_text("n_splits: 6\n")
        (tmp_path / "new.yaml").replace(path)
        configuration.look(False)
        [warning] = configuration.warnings
        assert "replaced" in warning and "make up" in warning
        assert configuration.settings.n_splits == 4
    finally:
        os.close(held)


def test_what_a_launcher_gives_is_read_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    given = Given(NightSettings(n_splits=4), {"n_splits": "night.yaml"}, ("night.yaml is broken",))
    write_given(path, given)
    assert read_given(path) == given
    configuration = Configuration(read_given(path), Source(path, read_given))
    assert configuration.warnings == ("night.yaml is broken",)
    write_given(path, Given(given.settings))
    assert rested(configuration) is None
    assert configuration.warnings == () and configuration.origins == {}
