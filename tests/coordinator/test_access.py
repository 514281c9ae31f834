from __future__ import annotations

import stat
from pathlib import Path

import pytest

from common.errors import ConfigurationError
from common.logs import concealed
from coordinator.access import open_token


def test_a_token_is_made_once_for_its_owner_only_and_is_never_logged(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = open_token(path)
    assert len(token) >= 32 and open_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in concealed(f"the token is {token}")
    assert [found.name for found in tmp_path.iterdir()] == ["token"]


def test_each_folder_has_a_token_of_its_own(tmp_path: Path) -> None:
    assert open_token(tmp_path / "one") != open_token(tmp_path / "two")


def test_a_token_that_others_can_read_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("t" * 43)
    path.chmod(0o644)
    open_token(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_crash_left_behind_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / ".token.new").write_text("half")
    assert len(open_token(tmp_path / "token")) >= 32


@pytest.mark.parametrize("content", ["", "short", "\N{SNOWMAN}" * 40])
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="token"):
        open_token(tmp_path / "token")
