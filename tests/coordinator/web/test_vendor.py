"""What others wrote is on the list, in the version and with the content that the list says."""

from __future__ import annotations

import hashlib
import re

import pytest

from common.errors import ConfigurationError
from coordinator.web import vendor
from coordinator.web.vendor import STATIC, vendored

OURS = {"icon.svg", "page.js", "plots.js", "vendor.json"}


def test_each_file_has_the_checksum_of_the_list() -> None:
    listed = vendored()
    for one in listed:
        assert hashlib.sha256((STATIC / one.file).read_bytes()).hexdigest() == one.sha256, one.file
        assert re.fullmatch(r"\d+\.\d+\.\d+", one.version) and one.licence, one.file
    assert {path.name for path in STATIC.iterdir()} - OURS == {one.file for one in listed}


def test_a_package_that_is_not_on_the_list_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"left-pad is not in .*vendor\.json"):
        vendor.renew({"left-pad": "1.0.0"})
    assert vendor.main(["htmx"]) == 2
    assert "names no exact version" in capsys.readouterr().err


def test_without_npm_the_command_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert vendor.main([]) == 2
    assert "npm is not installed" in capsys.readouterr().err
