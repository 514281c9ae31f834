"""The token's file: one rule of what a token is, whoever reads it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common.errors import ConfigurationError
from common.logs import CONCEALED, concealed
from common.token_file import MAX_FILE_BYTES, TOKEN_BYTES, given_token, open_token, read_token

TOKEN = "a-token-of-more-than-thirty-two-letters"
READERS = [given_token, open_token, read_token]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("reader", READERS)
def test_a_token_is_read_without_white_space_and_kept_out_of_the_log(
    path: Path, reader: Callable[[Path], str]
) -> None:
    assert reader(path) == TOKEN
    assert concealed(f"got {TOKEN}") == f"got {CONCEALED}"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"x" * (TOKEN_BYTES - 1),
        b"two words of more than 32 letters in all",
        b"x" * 20 + b"\n" + b"x" * 20,
        b"\xff" * 40,
        b"x" * (MAX_FILE_BYTES + 1),
    ],
)
def test_a_file_without_a_token_is_refused_and_left_alone(
    path: Path, reader: Callable[[Path], str], content: bytes
) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"the token file .* holds no token \("):
        reader(path)
    assert path.read_bytes() == content


def test_a_token_is_made_at_the_first_start_for_its_owner_only(tmp_path: Path) -> None:
    made = open_token(tmp_path / "token")
    assert len(made) > TOKEN_BYTES
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert open_token(tmp_path / "token") == given_token(tmp_path / "token") == made
    assert [left.name for left in tmp_path.iterdir()] == ["token"]


def test_what_a_killed_start_left_of_a_token_is_no_token(tmp_path: Path) -> None:
    (tmp_path / ".token.new").write_text("half")
    assert open_token(tmp_path / "token") != "half"
    assert [left.name for left in tmp_path.iterdir()] == ["token"]


def test_a_token_of_ones_own_is_closed_to_others(path: Path) -> None:
    path.chmod(0o644)
    open_token(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_given_token_is_left_as_open_as_it_is(path: Path) -> None:
    path.chmod(0o440)
    given_token(path)
    assert path.stat().st_mode & 0o777 == 0o440


def test_a_missing_token_is_not_made_but_by_its_owner(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        given_token(tmp_path / "token")
    with pytest.raises(ConfigurationError, match=r"cannot be read: No such file.*the coordinator makes it"):
        read_token(tmp_path / "token")
    assert not list(tmp_path.iterdir())


def test_a_client_warns_of_a_token_that_others_can_read(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_token(path)
    assert caplog.records == []
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        read_token(path)
    assert "can be read by other users" in caplog.text
    assert TOKEN not in caplog.text


def test_a_token_that_this_user_may_not_read_is_not_told_to_be_made(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read") as error:
        read_token(tmp_path / "token")
    assert error.value.hint == "this user must be able to read it"


def test_who_make_a_token_at_the_same_time_make_one(tmp_path: Path) -> None:
    for turn in range(20):
        path, together = tmp_path / f"token-{turn}", threading.Barrier(4)

        def make(path: Path = path, together: threading.Barrier = together) -> str:
            together.wait()
            return open_token(path)

        with ThreadPoolExecutor(4) as pool:
            made = {future.result() for future in [pool.submit(make) for _ in range(4)]}
        assert made == {open_token(path)}
    assert len(list(tmp_path.iterdir())) == 20
