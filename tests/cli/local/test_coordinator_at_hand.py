"""Which coordinator a command means that names none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.local import coordinator_at_hand
from cli.local.coordinator_at_hand import Place, find
from cli.local.origin import assert_same_candles
from common.errors import NotFoundError
from common.out_folder import OutFolder
from common.protocol.address import Address
from coordinator.app import make_app
from coordinator.assembly import Parts
from tests.coordinator.conftest import parts, served  # noqa: F401

URL = "http://127.0.0.1:41234"


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(coordinator_at_hand, "SECRET_IN_CONTAINER", tmp_path / "none" / "nighttrain_token")
    for name in coordinator_at_hand.PORT_NAMES:
        monkeypatch.delenv(name, raising=False)


def night(tmp_path: Path, pid: int = os.getpid()) -> Path:
    out = tmp_path / "night"
    out.mkdir()
    (out / "coordinator.json").write_text(Address(url=URL, pid=pid).model_dump_json())
    return out


def stack(tmp_path: Path, dotenv: str = "") -> Path:
    folder = tmp_path / "checkout"
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets" / "nighttrain_token").write_text("x" * 40)
    (folder / ".env").write_text(dotenv)
    return folder


def test_a_night_in_the_out_folder_goes_before_the_containers(tmp_path: Path) -> None:
    out = night(tmp_path)
    assert find(None, out, stack(tmp_path)) == Place(URL, out / "token")


def test_a_night_whose_coordinator_is_gone_does_not_count(tmp_path: Path) -> None:
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    folder = stack(tmp_path)
    found = find(None, night(tmp_path, gone), folder)
    assert found == Place("http://127.0.0.1:5000", folder / "secrets" / "nighttrain_token")


@pytest.mark.parametrize(
    ("dotenv", "environment", "port"),
    [
        ("", {}, 5000),
        ("DASHBOARD_PORT=5001\n", {}, 5001),
        ("TRAINERS=2\nDASHBOARD_PORT='5002' # ours\n", {}, 5002),
        ("DASHBOARD_PORT=5001\nBT_NIGHT_DASHBOARD_PORT=5003\n", {}, 5003),
        ("DASHBOARD_PORT=5001\n", {"DASHBOARD_PORT": "5004"}, 5004),
    ],
)
def test_the_port_of_the_containers_is_read_where_compose_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dotenv: str, environment: dict[str, str], port: int
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    folder = stack(tmp_path, dotenv)
    assert find(None, tmp_path / "none", folder).url == f"http://127.0.0.1:{port}"


def test_within_a_container_the_secret_is_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "nighttrain_token"
    secret.write_text("x" * 40)
    monkeypatch.setattr(coordinator_at_hand, "SECRET_IN_CONTAINER", secret)
    assert find(None, tmp_path / "none", tmp_path) == Place("http://127.0.0.1:5000", secret)


def test_a_token_is_only_sent_to_the_coordinator_that_it_belongs_to(tmp_path: Path) -> None:
    out, folder = night(tmp_path), stack(tmp_path)
    for same in (URL, URL + "/", URL.replace("127.0.0.1", "localhost")):
        assert find(same, out, folder) == Place(URL, out / "token")
    assert find("http://127.0.0.1:5000", out, folder).token == folder / "secrets" / "nighttrain_token"
    assert find("http://far.example:5000", out, folder) == Place("http://far.example:5000", None)


def test_where_there_is_none_it_says_what_was_looked_at(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"over the folder .*, and secrets/nighttrain_token is not here"):
        find(None, tmp_path / "night", tmp_path)


def test_where_nights_are_kept_it_says_how_they_are_shown(tmp_path: Path) -> None:
    out = OutFolder(tmp_path / "night")
    out.root.mkdir()
    out.database.touch()
    with pytest.raises(NotFoundError) as unknown:
        find(None, out.root, tmp_path)
    assert unknown.value.hint.endswith(f"shown by: nighttrain up --out {out.root}")
    assert_same_candles(out, 1, True, tmp_path / "candles")
    with pytest.raises(NotFoundError) as known:
        find(None, out.root, tmp_path)
    assert known.value.hint.endswith(f"nighttrain up --out {out.root} --data {tmp_path / 'candles'}")


def test_where_one_of_another_folder_answers_it_is_named_and_not_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parts: Parts,  # noqa: F811
) -> None:
    with served(make_app(parts)) as url:
        monkeypatch.setattr(coordinator_at_hand, "DEFAULT_PORT", int(url.rsplit(":", 1)[1]))
        with pytest.raises(NotFoundError, match=f"one of another folder answers at {url} ") as told:
            find(None, tmp_path / "night", tmp_path)
    assert "nighttrain run, or make up" in told.value.hint
    with pytest.raises(NotFoundError) as silent:
        find(None, tmp_path / "night", tmp_path)
    assert "answers" not in silent.value.detail
