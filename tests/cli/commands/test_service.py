"""`nighttrain service`, with stand-ins for the service manager that write down what they are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.app import main
from cli.local.service import Launchd, Systemd, manager_here
from common.errors import ConfigurationError

Told = list[str]


class Host:
    """A home, and programs that answer as systemd's do."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.config, self.calls = folder / "bin", folder / "config", folder / "calls"
        self.unit = self.config / "systemd" / "user" / "nighttrain.service"
        self.bin.mkdir()
        self.out = folder / "night of mine"

    def program(self, name: str, says: str = "", code: int = 0) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\necho {name} \"$@\" >> '{self.calls}'\necho '{says}'\nexit {code}\n")
        path.chmod(0o755)

    def told(self) -> Told:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(made.config))
    monkeypatch.setenv("PATH", f"{made.bin}:/usr/bin:/bin")
    monkeypatch.delenv("BT_NIGHT_DASHBOARD__ENABLED", raising=False)
    made.program("systemctl", "active")
    made.program("loginctl", "no")
    return made


def test_install_writes_the_unit_starts_it_and_tells_of_lingering(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BT_NIGHT_DATABASE_URL", "postgresql+psycopg://user:sesame@db/night")
    words = ["--out", str(host.out), "--port", "5001"]
    assert main(["service", "install", *words]) == 0
    told = capsys.readouterr()
    unit = host.unit.read_text()
    assert (
        f'"up" "--out" "{host.out}" "--config" "{Path.cwd()}/deploy/night_training.yaml" "--port" "5001"'
        in unit
    )
    assert "sesame" not in unit + told.out + told.err
    assert "warning: the service does not get BT_NIGHT_DATABASE_URL" in told.err
    assert "loginctl enable-linger" in told.out
    assert [call for call in host.told() if call.startswith("systemctl")] == [
        "systemctl --user daemon-reload",
        "systemctl --user enable nighttrain",
        "systemctl --user restart --no-block nighttrain",
    ]
    assert (host.out / "logs").is_dir()


def test_print_shows_the_same_and_writes_nothing(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "install", "--out", str(host.out), "--print"]) == 0
    shown = capsys.readouterr().out
    assert not host.unit.exists() and host.told() == [] and not host.out.exists()
    assert main(["service", "install", "--out", str(host.out)]) == 0
    assert host.unit.read_text() == shown


def test_status_and_uninstall(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "status"]) == 1
    assert "there is no service nighttrain" in capsys.readouterr().out
    assert main(["service", "install", "--out", str(host.out)]) == 0
    capsys.readouterr()
    assert main(["service", "status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["installed"] and document["active"] and document["path"] == str(host.unit)
    host.program("systemctl", "failed", 3)
    assert main(["service", "status"]) == 1
    assert "not active\nfailed\n" in capsys.readouterr().out
    assert main(["service", "uninstall"]) == 0
    assert not host.unit.exists() and "systemctl --user disable --now nighttrain" in host.told()
    assert main(["service", "uninstall"]) == 0
    assert "there is no service nighttrain" in capsys.readouterr().out


def test_a_manager_that_is_not_there_is_one_line_with_what_to_do(
    host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(host.config))
    assert main(["service", "install", "--out", str(host.out)]) == 1
    told = capsys.readouterr()
    assert host.unit.exists()
    assert told.err.startswith("nighttrain: it could not be started: systemctl is not installed here")
    assert told.err.count("\n") == 1 and f"nighttrain up --out {host.out}" in told.err.replace("'", "")


def test_mistakes_are_refused_before_anything_is_written(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "night.yaml"
    broken.write_text("n_splits: many\n")
    for words in (["--name", "../x"], ["--config", str(broken)], ["--trainers", "0"]):
        assert main(["service", "install", "--out", str(host.out), *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not host.config.exists() and host.told() == []


def test_each_system_has_its_manager() -> None:
    assert isinstance(manager_here("linux"), Systemd)
    assert isinstance(manager_here("darwin"), Launchd)
    assert Launchd().path("n").name == "com.nighttrain.n.plist"
    with pytest.raises(ConfigurationError, match="task scheduler"):
        manager_here("win32")
