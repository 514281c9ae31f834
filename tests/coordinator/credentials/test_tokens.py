"""A token for each role, which changes while the coordinator runs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from common.errors import ConfigurationError
from common.out_folder import OutFolder
from common.token_file import Role
from coordinator.credentials.tokens import Tokens, open_tokens

NEW = "another-token-of-more-than-thirty-two-letters"


@pytest.fixture
def out(tmp_path: Path) -> OutFolder:
    return OutFolder(tmp_path)


@pytest.fixture
def tokens(out: OutFolder) -> Tokens:
    return open_tokens(out, {})


def test_each_role_gets_a_token_of_its_own_that_nobody_else_can_read(out: OutFolder, tokens: Tokens) -> None:
    names = {path.name: path.stat().st_mode & 0o777 for path in out.root.iterdir()}
    assert names == dict.fromkeys(("token", "trainer_token", "alerts_token", "reader_token"), 0o600)
    assert len({tokens[role] for role in Role}) == len(Role)
    for role, path in out.tokens.items():
        assert tokens.role_of(path.read_text().strip()) is role
    assert tokens.role_of("") is tokens.role_of("\ud800") is tokens.role_of(NEW) is None


def test_a_new_token_counts_at_once_and_the_former_no_more(out: OutFolder, tokens: Tokens) -> None:
    former = tokens[Role.TRAINER]
    out.tokens[Role.TRAINER].write_text(NEW)
    assert tokens.role_of(NEW) is Role.TRAINER
    assert tokens.role_of(former) is None
    assert tokens.role_of(out.token.read_text().strip()) is Role.OPERATOR


@pytest.mark.parametrize("content", ["", "short", "two words of more than 32 letters in all", None])
def test_a_file_that_holds_no_token_any_more_changes_nothing(
    out: OutFolder, tokens: Tokens, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    path, former = out.tokens[Role.TRAINER], tokens[Role.TRAINER]
    path.unlink() if content is None else path.write_text(content)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert tokens.role_of(former) is Role.TRAINER
    assert len(caplog.records) == 1 and "the trainers' token of before stays in force" in caplog.text
    path.write_text(NEW)
    assert tokens.role_of(NEW) is Role.TRAINER


def test_two_roles_never_share_a_token(out: OutFolder, tokens: Tokens) -> None:
    operators, trainers = tokens[Role.OPERATOR], tokens[Role.TRAINER]
    out.tokens[Role.TRAINER].write_text(operators)
    assert tokens.role_of(operators) is Role.OPERATOR
    assert tokens.role_of(trainers) is Role.TRAINER
    with pytest.raises(ConfigurationError, match="the operator's and the trainers' token are the same"):
        open_tokens(out, {})


def test_a_folder_with_one_token_for_all_gets_the_others_and_the_log_says_so(
    out: OutFolder, caplog: pytest.LogCaptureFixture
) -> None:
    out.token.write_text(NEW)
    with caplog.at_level(logging.WARNING):
        assert open_tokens(out, {}).role_of(NEW) is Role.OPERATOR
    [said] = [record.getMessage() for record in caplog.records]
    assert "made trainer_token, alerts_token, reader_token" in said and NEW not in said
    caplog.clear()
    open_tokens(out, {})
    assert not caplog.records


def test_a_given_token_is_taken_in_place_of_ones_own(out: OutFolder, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text(NEW)
    tokens = open_tokens(out, {Role.TRAINER: given})
    assert tokens.role_of(NEW) is Role.TRAINER and not out.tokens[Role.TRAINER].exists()


def test_a_planted_link_is_neither_read_nor_opened_to_others(out: OutFolder, tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_text(NEW)
    aim.chmod(0o640)
    out.tokens[Role.READER].symlink_to(aim)
    with pytest.raises(ConfigurationError, match="reader_token is a link, and what it leads to"):
        open_tokens(out, {})
    assert aim.stat().st_mode & 0o777 == 0o640 and aim.read_text() == NEW
