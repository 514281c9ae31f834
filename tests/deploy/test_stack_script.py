"""The script behind `make up`, run by the real /bin/sh with an engine that only notes what it is asked."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ENGINE = r"""#!/bin/sh
printf '%s\n' "$*" >>"$STUB/calls"
case "$*" in
'info --format {{.NCPU}}') echo 8 ;;
'info --format {{.MemTotal}}') echo 17179869184 ;;
'compose version --short') echo "$STUB_COMPOSE" ;;
'compose run --rm -T sample') echo 1 >data/sample/BTCUSDT-1m.csv ;;
'compose ps --quiet coordinator') echo 0123456789ab ;;
'ps --all'*) printf '%s' "$STUB_FOLDER" ;;
esac
[ "$1" != compose ] || env >"$STUB/$2"
"""


@dataclass
class Said:
    code: int
    out: str
    err: str


@dataclass
class Copy:
    """A checkout with a script, a home folder and an engine of its own."""

    folder: Path
    stub: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> Path:
        return self.folder / ".env"

    def run(self, *arguments: str, **environment: str) -> Said:
        shutil.rmtree(self.stub / "notes", ignore_errors=True)
        (self.stub / "notes").mkdir()
        done = subprocess.run(
            ["/bin/sh", self.folder / "deploy" / "stack" / "stack.sh", *arguments],
            cwd=self.home,
            env={
                "PATH": f"{self.stub}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                "HOME": str(self.home),
                "STUB": str(self.stub / "notes"),
                "STUB_COMPOSE": "2.26.1-4",
                "STUB_FOLDER": "",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            umask=0o022,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def up(self, **environment: str) -> Said:
        said = self.run("up", **environment)
        assert said.code == 0, said
        assert said.err == "", said
        return said

    def refused(self, *arguments: str, **environment: str) -> str:
        said = self.run(*arguments, **environment)
        assert said.code == 2, said
        assert not any(call.startswith("compose up") for call in self.calls())
        assert said.err.startswith("nighttrain: ") and said.err.count("\n") == 1, said.err
        return said.err

    def calls(self) -> list[str]:
        path = self.stub / "notes" / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def compose(self, command: str = "up") -> dict[str, str]:
        """Return the environment that Compose had for its last call of this command."""
        lines = (self.stub / "notes" / command).read_bytes().decode().split("\n")
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def in_force(self, key: str) -> str | None:
        """Return what Compose takes: the environment, else what the script wrote into .env."""
        return self.compose().get(key) or self.settings().get(key)

    def settings(self) -> dict[str, str]:
        lines = self.env.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    def sampled(self) -> bool:
        return "compose run --rm -T sample" in self.calls()


def candles(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "BTCUSDT-1m.csv").write_text("1\n")
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    made = Copy(tmp_path / "a checkout", tmp_path / "stub", tmp_path / "home")
    for name in (made.folder / "deploy" / "stack", made.stub, made.home):
        name.mkdir(parents=True)
    for name in ("stack/stack.sh", "stack/sizes.sh", "stack/dotenv.sh"):
        shutil.copy(ROOT / "deploy" / name, made.folder / "deploy" / name)
    for name in ("night_training.yaml", "alerting.env.example"):
        shutil.copy(ROOT / "deploy" / name, made.folder / "deploy" / name)
    (made.folder / "prometheus").mkdir()
    for name in ("prometheus.yml", "alertmanager.yml", "receivers.sh"):
        shutil.copy(ROOT / "prometheus" / name, made.folder / "prometheus")
    (made.stub / "docker").write_text(ENGINE)
    (made.stub / "docker").chmod(0o755)
    return made


def test_the_first_start_writes_env_makes_a_sample_and_starts(copy: Copy) -> None:
    said = copy.up()
    assert "no candles in ./data/candles: making SYNTHETIC ones in data/sample" in said.out
    assert copy.sampled()
    settings = copy.settings()
    assert settings["CANDLES_DIR"] == "./data/sample" == copy.in_force("CANDLES_DIR")
    assert (settings["TRAINERS"], settings["TRAINER_MEMORY"]) == ("5", "2048m")
    assert (settings["DASHBOARD_PORT"], settings["COMPOSE_PROJECT_NAME"]) == ("5000", "nighttrain")
    assert [call.split()[1] for call in copy.calls() if call.startswith("compose")][-2:] == ["up", "exec"]


def test_a_second_start_changes_nothing(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.up()
    before = copy.env.read_bytes(), (copy.folder / "secrets" / "nighttrain_token").read_bytes()
    said = copy.up()
    assert (copy.env.read_bytes(), (copy.folder / "secrets" / "nighttrain_token").read_bytes()) == before
    assert "wrote .env" not in said.out


@pytest.mark.parametrize(
    "written", ["~/my candles", "$HOME/my candles", "${HOME}/my candles/", '"~/my candles"']
)
def test_a_folder_below_home_is_found(copy: Copy, written: str) -> None:
    own = candles(copy.home / "my candles")
    copy.env.write_text(f"CANDLES_DIR={written}\n")
    copy.up()
    assert not copy.sampled()
    assert copy.in_force("CANDLES_DIR") == str(own)
    assert f"CANDLES_DIR={written}\n" in copy.env.read_text()


def test_what_merely_looks_like_a_command_in_a_path_is_not_run(copy: Copy) -> None:
    copy.env.write_text("CANDLES_DIR=~/$(touch ran)`touch ran`\n")
    assert "$(touch ran)`touch ran`" in copy.refused("up")
    assert not list(copy.folder.rglob("ran")) and not list(copy.home.rglob("ran"))


@pytest.mark.parametrize("linked", ["data", "data/candles"])
def test_candles_behind_a_link_are_found(copy: Copy, tmp_path: Path, linked: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    candles(elsewhere / "candles")
    (copy.folder / linked).parent.mkdir(exist_ok=True)
    (copy.folder / linked).symlink_to(elsewhere if linked == "data" else elsewhere / "candles")
    copy.up()
    assert not copy.sampled()
    assert copy.in_force("CANDLES_DIR") == "./data/candles"


@pytest.mark.parametrize(
    "written", ["/nowhere/candles", "~/candles", "./data/candels", "data/candles/binance"]
)
def test_a_folder_of_ones_own_without_candles_is_refused_and_kept(copy: Copy, written: str) -> None:
    copy.env.write_text(f"CANDLES_DIR={written}\n")
    assert "CANDLES_DIR: there are no candles in " in copy.refused("up")
    assert f"CANDLES_DIR={written}\n" in copy.env.read_text()
    assert not copy.sampled() and not (copy.folder / "data").exists()


def test_a_folder_in_the_environment_that_is_empty_is_refused_and_not_remembered(copy: Copy) -> None:
    assert "there are no candles in /nowhere" in copy.refused("up", CANDLES_DIR="/nowhere")
    assert "/nowhere" not in copy.env.read_text()
    copy.up()


def test_a_sample_for_once_leaves_the_users_folder_in_env(copy: Copy) -> None:
    copy.env.write_text("CANDLES_DIR=/nowhere\n")
    copy.up(CANDLES_DIR="./data/candles")
    assert copy.in_force("CANDLES_DIR") == "./data/sample"
    assert copy.settings()["CANDLES_DIR"] == "/nowhere"


def test_candles_that_came_after_the_sample_are_taken(copy: Copy) -> None:
    copy.up()
    candles(copy.folder / "data" / "candles")
    said = copy.up()
    assert "there are candles in data/candles now" in said.out
    assert not copy.sampled()
    assert copy.settings()["CANDLES_DIR"] == "./data/candles" == copy.in_force("CANDLES_DIR")


def test_the_sample_can_be_asked_for_in_spite_of_candles(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    candles(copy.folder / "data" / "sample")
    copy.up(CANDLES_DIR="data/sample/")
    assert copy.in_force("CANDLES_DIR") == "./data/sample"


def test_a_bare_relative_folder_is_no_name_of_a_volume(copy: Copy) -> None:
    candles(copy.folder / "mine")
    copy.env.write_text("CANDLES_DIR=mine\n")
    copy.up()
    assert copy.in_force("CANDLES_DIR") == "./mine"


def test_an_env_without_a_final_newline_stays_whole(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.env.write_text("GRAFANA_PORT=3100")
    copy.up()
    assert copy.settings()["GRAFANA_PORT"] == "3100"
    assert copy.in_force("COMPOSE_PROJECT_NAME") == "nighttrain"


@pytest.mark.parametrize(
    "written",
    ["3 # as many", "3", '"3"', "'3' # as many", '"3" # "as many"', " 3 ", "3\r", "3 # as many\r"],
)
def test_a_value_is_read_as_compose_reads_it(copy: Copy, written: str) -> None:
    candles(copy.folder / "data" / "candles")
    copy.env.write_bytes(f"TRAINERS={written}\nGRAFANA_PORT=3#1\nPROMETHEUS_PORT= # any\n".encode())
    copy.up()
    assert copy.compose()["TRAINERS"] == "3"
    assert copy.compose()["GRAFANA_PORT"] == "3#1", "no comment without a space"
    assert copy.compose()["PROMETHEUS_PORT"] == "9090", "nothing but a comment"


def test_the_last_of_two_lines_counts(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.up()
    with copy.env.open("a") as file:
        file.write("TRAINERS=7")
    copy.up()
    assert copy.compose()["TRAINERS"] == "7"


def test_the_environment_wins_over_env_and_an_empty_one_does_not(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.env.write_text("TRAINERS=3\nGRAFANA_PORT=3100\n")
    copy.up(TRAINERS="4", GRAFANA_PORT="")
    assert (copy.compose()["TRAINERS"], copy.compose()["GRAFANA_PORT"]) == ("4", "3100")


def test_another_configuration_named_in_env_sizes_the_stack_and_is_watched(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    (copy.home / "mine.yaml").write_text("num_workers: 3\nmax_memory_per_process: 1.5\n")
    copy.env.write_text("NIGHT_CONFIG=~/mine.yaml\n")
    assert "So TRAINERS=3 and TRAINER_MEMORY=1536m." in copy.run("size").out
    copy.up()
    assert (copy.in_force("TRAINERS"), copy.in_force("TRAINER_MEMORY")) == ("3", "1536m")
    assert copy.in_force("NIGHT_CONFIG") == str(copy.home / "mine.yaml")
    before = copy.in_force("NIGHT_DIGEST")
    with (copy.home / "mine.yaml").open("a") as file:
        file.write("n_splits: 4\n")
    copy.up()
    assert copy.in_force("NIGHT_DIGEST") not in (before, "", None)


def test_a_configuration_that_is_not_there_is_named(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    assert "NIGHT_CONFIG: there is no file ./none.yaml" in copy.refused("up", NIGHT_CONFIG="./none.yaml")


SIZES = {"BT_NIGHT_WORKERS": "2", "BT_NIGHT_MEMORY_LIMIT": "1.0", "BT_NIGHT_DASHBOARD_PORT": "5100"}


@pytest.mark.parametrize("where", ["env", "environment", "both"])
@pytest.mark.parametrize("first", [True, False])
def test_the_older_names_work_in_env_as_in_the_environment(copy: Copy, where: str, first: bool) -> None:
    candles(copy.folder / "data" / "candles")
    if not first:
        copy.up()
    written = SIZES if where == "env" else dict.fromkeys(SIZES, "1") if where == "both" else {}
    with copy.env.open("a") as file:
        file.writelines(f"{key}={value}\n" for key, value in written.items())
    said = copy.up(**({} if where == "env" else SIZES))
    assert (copy.in_force("TRAINERS"), copy.in_force("TRAINER_MEMORY")) == ("2", "1024m")
    assert copy.in_force("DASHBOARD_PORT") == "5100"
    assert "http://127.0.0.1:5100/api/status" in said.out


def test_a_plain_name_in_the_environment_wins_over_the_older_one_in_env(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.env.write_text("".join(f"{key}={value}\n" for key, value in SIZES.items()))
    copy.up(TRAINERS="3", TRAINER_MEMORY="700m", DASHBOARD_PORT="5200")
    assert (copy.in_force("TRAINERS"), copy.in_force("TRAINER_MEMORY")) == ("3", "700m")
    assert copy.in_force("DASHBOARD_PORT") == "5200"


def test_an_impossible_number_of_workers_in_env_is_refused(copy: Copy) -> None:
    copy.env.write_text("BT_NIGHT_WORKERS=many\n")
    assert "must be a whole number from 1 to 256; got 'many'" in copy.refused("up")


def test_what_scale_asks_for_outlasts_workers_in_env(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.env.write_text("BT_NIGHT_WORKERS=2\n")
    copy.up()
    with copy.env.open("a") as file:
        file.write("BT_NIGHT_MEMORY_LIMIT=0.75\n")
    assert copy.run("scale", "4").code == 0
    assert copy.compose()["TRAINER_MEMORY"] == "768m", "the new ones are as large as .env says"
    copy.up()
    assert copy.in_force("TRAINERS") == "4"


def test_a_setting_that_differs_from_env_is_refused(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    said = copy.refused("up", BT_NIGHT_N_SPLITS="9")
    assert "BT_NIGHT_N_SPLITS does not reach the containers from here: write it into .env" in said
    copy.env.write_text("BT_NIGHT_N_SPLITS=4 # folds\n")
    said = copy.refused("up", BT_NIGHT_N_SPLITS="9")
    assert "BT_NIGHT_N_SPLITS" in said and ".env has another value for it" in said
    copy.up(BT_NIGHT_N_SPLITS="4")
    copy.up(BT_NIGHT_N_SPLITS="")
    assert (copy.folder / ".env.night").read_text() == "BT_NIGHT_N_SPLITS=4 # folds\n"
    assert copy.run("down", BT_NIGHT_N_SPLITS="9").code == 0, "it is no reason not to stop"


@pytest.mark.parametrize("command", [("scale", "2"), ("report",), ("alerts",), ("down",)])
@pytest.mark.parametrize("written", ["", "TRAINERS=1\n"])
def test_a_short_env_will_do_and_another_copy_is_still_noticed(
    copy: Copy, tmp_path: Path, command: tuple[str, ...], written: str
) -> None:
    copy.run("prepare")
    copy.env.write_text(written)
    said = copy.run(*command)
    assert (said.code, said.err) == (0, "")
    assert any("project=nighttrain " in call for call in copy.calls())
    said_no = copy.refused(*command, STUB_FOLDER=f"{tmp_path}\n")
    assert f"belong to the copy in {tmp_path}" in said_no


def test_alerts_of_a_short_env_are_those_of_the_file_that_is_there(copy: Copy) -> None:
    copy.env.write_text("TRAINERS=1\n")
    assert "where ./deploy/alerting.env.example says" in copy.run("alerts").out
    shutil.copy(copy.folder / "deploy" / "alerting.env.example", copy.folder / "deploy" / "alerting.env")
    assert "where ./deploy/alerting.env says" in copy.run("alerts").out
    assert copy.compose()["ALERTING_ENV"] == "./deploy/alerting.env"


def test_what_may_hold_a_password_is_for_the_user_alone(copy: Copy) -> None:
    copy.up()
    assert (mode(copy.env), mode(copy.folder / ".env.night")) == (0o600, 0o600)
    (copy.folder / ".env.night").chmod(0o644)
    candles(copy.folder / "data" / "candles")
    copy.up()
    assert copy.run("scale", "2").code == 0
    assert copy.settings()["TRAINERS"] == "2"
    assert (mode(copy.env), mode(copy.folder / ".env.night")) == (0o600, 0o600)


@pytest.mark.parametrize("chosen", [0o640, 0o600])
def test_a_mode_that_the_user_chose_is_kept(copy: Copy, chosen: int) -> None:
    copy.env.write_text("BT_NIGHT_N_SPLITS=4\n")
    copy.env.chmod(chosen)
    copy.up()
    assert mode(copy.env) == chosen
    assert mode(copy.folder / ".env.night") == 0o600


@pytest.mark.parametrize(("written", "trainers"), [('"auto"', 5), ("'auto' # all", 5), ('"3"', 3), ("2", 2)])
def test_quotes_in_the_configuration_mean_nothing(copy: Copy, written: str, trainers: int) -> None:
    path = copy.folder / "deploy" / "night_training.yaml"
    text, count = re.subn(r"^num_workers: auto", f"num_workers: {written}", path.read_text(), flags=re.M)
    text = text.replace("max_memory_per_process: 2.0", 'max_memory_per_process: "2.0"')
    path.write_text(text.replace("\n", "\r\n"))
    said = copy.run("size")
    assert (count, said.code) == (1, 0), said
    assert f"So TRAINERS={trainers} and TRAINER_MEMORY=2048m." in said.out


@pytest.mark.parametrize("version", ["2.23.3", "v2.9.0", "1.29.2", "2.5"])
def test_a_compose_that_is_too_old_is_named(copy: Copy, version: str) -> None:
    said = copy.refused("up", STUB_COMPOSE=version)
    assert f"docker has Compose {version.lstrip('v')}, and the stack needs 2.24 or newer" in said
    assert not copy.env.exists()


@pytest.mark.parametrize("version", ["2.24.0", "v2.24.0-desktop.1", "2.40.3", "3.0", "5.0.1", "dev"])
def test_a_compose_that_is_new_enough_is_taken(copy: Copy, version: str) -> None:
    copy.up(STUB_COMPOSE=version)


def test_the_folder_of_the_sample_is_there_before_the_engine_makes_it_for_root(copy: Copy) -> None:
    copy.up()
    assert (copy.folder / "data" / "sample").stat().st_uid == (os.getuid() or 10001)
