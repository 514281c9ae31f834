"""The files of a service, read by those who will read them."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.local.service_files import Service, launchd_plist, systemd_unit


@pytest.fixture
def service(tmp_path: Path) -> Service:
    folder = tmp_path / "a night's folder, 100% mine"
    folder.mkdir()
    out = folder / 'out "of" $HOME'
    command = (sys.executable, "-m", "cli", "up", "--out", str(out))
    return Service("nighttrain", command, folder, out / "logs")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit_with_spaces_quotes_and_per_cent_signs_in_its_paths(
    service: Service, tmp_path: Path
) -> None:
    unit = tmp_path / "nighttrain.service"
    unit.write_text(systemd_unit(service))
    done = _verified(unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    # It reads what it accepts: a program that is not there is named, with the spaces in its path.
    missing = str(tmp_path / "no such folder" / "nighttrain")
    unit.write_text(systemd_unit(Service("nighttrain", (missing, "up"), service.folder, service.logs)))
    refused = _verified(unit)
    assert refused.returncode != 0 and missing in refused.stderr


def _verified(unit: Path) -> subprocess.CompletedProcess[str]:
    words = ["systemd-analyze", "verify", "--user", "--man=no", str(unit)]
    # A log-in makes this folder; a container has none.
    run_time = {**os.environ, "XDG_RUNTIME_DIR": str(unit.parent)}
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=run_time)


def test_the_unit_stops_gracefully_comes_back_always_and_holds_no_secret(service: Service) -> None:
    lines = systemd_unit(service).splitlines()
    for line in ("Type=notify", "Restart=always", "KillMode=mixed", "StartLimitIntervalSec=0"):
        assert line in lines
    assert not [line for line in lines if line.startswith("Environment") or "oken" in line]
    stop = next(line for line in lines if line.startswith("TimeoutStopSec="))
    # Longer than the trainers and the coordinator have together.
    assert int(stop.partition("=")[2]) > 12 + 10


def test_what_systemd_would_expand_or_unquote_is_escaped() -> None:
    service = Service("n", ("/a b/n", 'x"y', "50%", "$HOME", "back\\slash"), Path("/w d/50%"), Path("/logs"))
    lines = systemd_unit(service).splitlines()
    assert r'ExecStart="/a b/n" "x\"y" "50%%" "$$HOME" "back\\slash"' in lines
    assert "WorkingDirectory=/w d/50%%" in lines


def test_launchd_reads_the_same_words_back(service: Service) -> None:
    read = plistlib.loads(launchd_plist(service))
    assert read["Label"] == "com.nighttrain.nighttrain"
    assert tuple(read["ProgramArguments"]) == service.command
    assert read["WorkingDirectory"] == str(service.folder)
    assert read["KeepAlive"] is True and read["RunAtLoad"] is True and read["ExitTimeOut"] == 45
    assert "EnvironmentVariables" not in read
