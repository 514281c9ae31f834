from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import ConfigurationError
from common.objects.address import checked, folder_of, place_of, without_credentials
from common.settings.night import NightSettings, load

SECRET = "wJalrXUtnFEMIK7MDENG"


@pytest.mark.parametrize(
    "url",
    ["", "file:///srv/night", "s3://bucket", "s3://bucket/a/b", "gs://bucket/a", "az://container/a"],
)
def test_an_address_is_taken_as_it_is_and_without_a_slash_at_its_end(url: str) -> None:
    assert checked(url) == url
    assert checked(f"{url}/" if url else url) == url


@pytest.mark.parametrize(
    "url",
    [
        "night", "/srv/night", "s3:bucket", "http://host/bucket", "file://host/folder", "file:///", "s3://",
        "s3:///prefix", "s3://bucket/../other", "s3://bucket/a//b", "s3://buc ket/a", "s3://bucket/a#b",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        checked(url)


@pytest.mark.parametrize(
    "url", [f"s3://key:{SECRET}@bucket/a", f"az://box/a?sv=1&sig={SECRET}", f"s3://{SECRET}@b"]
)
def test_credentials_in_an_address_are_refused_in_a_line_that_does_not_show_them(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BT_NIGHT_ARTIFACTS", url)
    with pytest.raises(ConfigurationError) as refused:
        load(None)
    assert "environment: artifacts: must be without credentials" in str(refused.value)
    assert SECRET not in str(refused.value) and SECRET not in without_credentials(f"no {url}, please")


def test_a_folder_with_a_blank_is_found() -> None:
    assert folder_of(checked("file:///srv/my%20nights")) == Path("/srv/my nights")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("data/candles", Path("data/candles")),
        ("/srv/s3:candles", Path("/srv/s3:candles")),
        ("file:///srv/my%20candles/", Path("/srv/my candles")),
        ("s3://bucket/a/", "s3://bucket/a"),
        ("az://container", "az://container"),
    ],
)
def test_candles_lie_in_a_folder_or_at_an_address(text: str, place: Path | str) -> None:
    assert place_of(text) == place
    assert place_of(place) == place
    settings = NightSettings(data={"dir": text})
    assert settings.data.dir == place
    # As it passes between processes.
    assert NightSettings.model_validate_json(settings.model_dump_json()).data.dir == place


def test_the_command_line_refuses_credentials_in_an_address_without_showing_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from cli.app import main

    for command in ("run", "estimate", "check"):
        assert main([command, "--data", f"s3://AKIA:{SECRET}@bucket/a"]) == 2
        said = "".join(capsys.readouterr())
        assert "must be without credentials" in said and SECRET not in said
