"""What the script does, in which order, and what it refuses; all else is decided by `nighttrain stack`."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import chdir
from pathlib import Path

import pytest

from tests.deploy.stack.conftest import ME, Copy


def test_a_start_builds_prepares_checks_starts_and_begins_the_night(copy: Copy) -> None:
    said = copy.up(STUB_SAMPLE="yes")
    order = [
        "compose --progress plain build",
        f"stack prepare --uid {ME[0]} --gid {ME[1]} --sudo-uid  --sudo-gid ",
        "compose run --rm --no-deps -T sample",
        "alertmanager amtool check-config",
        "compose up --detach --wait --wait-timeout 180 coordinator trainer prometheus alertmanager grafana",
        "exec -T coordinator nighttrain stack start --ports coordinator 5000 grafana 3000 prometheus 9090",
    ]
    places = [next(n for n, call in enumerate(copy.calls()) if words in call) for words in order]
    assert places == sorted(places)
    assert said.out.splitlines() == ["wrote .env: 5 trainers"]


def test_what_python_sets_is_in_force_for_compose_and_not_shown(copy: Copy) -> None:
    copy.up()
    assert (copy.compose()["TRAINERS"], copy.compose()["CANDLES_DIR"]) == ("5", "./my data")
    assert not copy.called("-T sample")


def test_python_is_told_what_docker_and_the_environment_say_and_nothing_else_of_it(copy: Copy) -> None:
    copy.up(TRAINERS="4", BT_NIGHT_N_SPLITS="3", GRAFANA_PORT="", AWS_SECRET_ACCESS_KEY="x", SUDO_UID="1000")
    facts = copy.facts()
    assert facts.startswith('{"NCPU": 8}\n{"name": "nighttrain"}\n')
    assert sorted(facts.splitlines()[2:]) == ["BT_NIGHT_N_SPLITS=3", "TRAINERS=4"]
    assert copy.called("--sudo-uid 1000 ")


def test_an_empty_variable_counts_as_not_set_and_the_port_has_one_name(copy: Copy) -> None:
    copy.up(GRAFANA_PORT="", DASHBOARD_PORT="5200")
    assert "GRAFANA_PORT" not in copy.compose()
    assert copy.called("--ports coordinator 5200 grafana 3000")
    copy.up(DASHBOARD_PORT="5200", BT_NIGHT_DASHBOARD_PORT="5100")
    assert copy.called("--ports coordinator 5100 ")


def test_what_is_mounted_is_there_before_the_engine_makes_it_for_root(copy: Copy) -> None:
    copy.up()
    assert (copy.folder / "data" / "candles").is_dir() and (copy.folder / "data" / "sample").is_dir()
    alerting = copy.folder / "deploy" / "alerting.env"
    assert alerting.read_text() == alerting.with_suffix(".env.example").read_text()
    assert stat.S_IMODE(alerting.stat().st_mode) == 0o600


@pytest.mark.parametrize("version", ["2.23.3", "v2.9.0", "1.29.2", "2.5"])
def test_a_compose_that_is_too_old_is_named(copy: Copy, version: str) -> None:
    said = copy.refused("up", STUB_COMPOSE=version)
    assert f"docker has Compose {version.lstrip('v')}, and the stack needs 2.24 or newer" in said
    assert not copy.env.exists()


@pytest.mark.parametrize("version", ["2.24.0", "v2.24.0-desktop.1", "2.40.3", "3.0", "5.0.1", "dev"])
def test_a_compose_that_is_new_enough_is_taken(copy: Copy, version: str) -> None:
    copy.up(STUB_COMPOSE=version)


def test_an_engine_that_does_not_answer_says_why_and_what_to_do(copy: Copy) -> None:
    said = copy.refused("up", STUB_NO_ENGINE="Cannot connect to the Docker daemon")
    assert "the docker engine does not answer (is it running" in said
    denied = "permission denied while trying to connect to the Docker daemon socket"
    assert "sudo usermod -aG docker" in copy.refused("up", STUB_NO_ENGINE=denied)
    with socket.socket(socket.AF_UNIX) as rootless, chdir(copy.home):
        rootless.bind("docker.sock")
        said = copy.refused("up", STUB_NO_ENGINE=denied)
    assert f"export DOCKER_HOST=unix://{copy.home}/docker.sock" in said


def test_a_mistake_in_env_that_compose_finds_is_one_line(copy: Copy) -> None:
    said = copy.refused("up", STUB_MISTAKE="failed to read .env: line 3: unexpected character")
    assert "(see .env): failed to read .env: line 3: unexpected character" in said


@pytest.mark.skipif(os.getuid() == 0, reason="root reads every file")
def test_an_env_of_another_user_says_how_to_take_it_over(copy: Copy) -> None:
    copy.env.write_text("")
    copy.env.chmod(0)
    assert f"sudo chown {ME[0]}:{ME[1]} .env" in copy.refused("up")


def test_all_ports_that_are_taken_are_named_at_once_before_anything_is_built(copy: Copy) -> None:
    said = copy.refused("up", lines=2, STUB_TAKEN="5100 9090 ", BT_NIGHT_DASHBOARD_PORT="5100")
    assert "port 5100 of 127.0.0.1 is taken: set another DASHBOARD_PORT in .env, then run: make up" in said
    assert "port 9090 of 127.0.0.1 is taken: set another PROMETHEUS_PORT" in said
    assert not copy.called("build") and not copy.called("prepare")


def test_one_port_for_two_services_is_a_clash(copy: Copy) -> None:
    # The engine refuses the second one, as it would at the start.
    said = copy.refused("up", PROMETHEUS_PORT="3000", GRAFANA_PORT="3000")
    assert "port 3000 of 127.0.0.1 is taken: set another PROMETHEUS_PORT" in said


def test_ports_that_the_stack_itself_has_are_not_taken_and_one_of_zero_is_any(copy: Copy) -> None:
    held = "127.0.0.1:5000->5000/tcp\n127.0.0.1:3000->3000/tcp\n"
    copy.up(STUB_TAKEN="5000 3000 0", STUB_HELD=held, PROMETHEUS_PORT="0")


def test_on_a_mac_port_5000_is_told_to_be_airplays(copy: Copy) -> None:
    copy.replace("uname", "echo Darwin")
    said = copy.refused("up", lines=2, STUB_TAKEN="5000")
    assert "set another DASHBOARD_PORT" in said and "often AirPlay's" in said


def test_a_build_that_takes_long_shows_that_it_lives_and_leaves_nothing_behind(copy: Copy) -> None:
    copy.replace("sleep", "exec /bin/sleep 0.2")
    said = copy.up(STUB_BUILD_SECONDS="1", STUB_BUILT="")
    assert said.out.splitlines()[0] == "building the images; the first time takes minutes"
    beats = [line for line in said.out.splitlines() if line.startswith("building the images for ")]
    assert beats[:2] == [f"building the images for {n} s: #9 [build 2/8] RUN install" for n in (15, 30)]
    assert len(beats) <= 6, "it ends with the build"


def test_a_build_that_fails_shows_its_end(copy: Copy) -> None:
    said = copy.run("up", STUB_BUILD_FAILS="1")
    assert said.code == 2 and said.err.endswith(
        "ERROR: no network\nnighttrain: the images could not be built\n"
    )


def test_what_python_refuses_ends_the_start_with_its_words(copy: Copy) -> None:
    words = "nighttrain: CANDLES_DIR: there are no candles in /nowhere"
    assert copy.refused("up", STUB_REFUSES=words) == f"{words}\n"
    assert copy.run("up", STUB_REFUSES=words, STUB_CODE="1").code == 1


def test_a_folder_that_the_engine_cannot_mount_is_named(copy: Copy) -> None:
    engine = 'invalid mount config for type "bind": bind source path does not exist: /no where'
    said = copy.run("up", STUB_REFUSES=engine)
    assert said.code == 2
    assert said.err == (
        "nighttrain: there is no /no where, which CANDLES_DIR, NIGHT_CONFIG or ALERTING_ENV names "
        "(.env or the environment)\n"
    )


def test_a_mistake_in_whom_to_tell_stops_neither_alerts_nor_the_night(copy: Copy) -> None:
    said = copy.run("up", STUB_ALERTING="line 3: must be KEY=value")
    assert said.code == 0
    assert "nighttrain: deploy/alerting.env: line 3: must be KEY=value\n" in said.err
    assert "alerts go to the coordinator only; then run: make alerts" in said.err
    assert copy.compose()["ALERTING_ENV"] == "./deploy/alerting.env.example"
    copy.env.touch()
    said = copy.run("alerts", STUB_ALERTING="line 3: must be KEY=value", STUB_RUNNING="0123")
    assert (
        said.code == 2
        and "the earlier settings stay in force" in said.err
        and not copy.called("stack alerts")
    )


def test_a_start_that_fails_is_explained(copy: Copy) -> None:
    said = copy.run("up", STUB_UP_FAILS="dependency failed to start")
    assert (
        said.code == 2
        and "nighttrain: compose run --rm --no-deps -T stack explain --ports coordinator" in said.err
    )
    assert not copy.called("stack start")


@pytest.mark.parametrize(
    "command", [("scale", "2"), ("report",), ("alerts",), ("down",), ("clean-data",), ("up",)]
)
def test_another_copy_of_the_name_is_noticed_by_every_command(
    copy: Copy, tmp_path: Path, command: tuple[str, ...]
) -> None:
    copy.env.write_text("")
    given = {"STUB_RUNNING": "0123456789ab", "YES": "1"}
    said = copy.run(*command, **given)
    assert (said.code, said.err) == (0, "")
    assert copy.called("project=nighttrain ")
    said_no = copy.refused(*command, STUB_FOLDER=f"{tmp_path}\n", **given)
    assert f"the containers named nighttrain belong to the copy in {tmp_path}" in said_no
    assert copy.run(*command, STUB_FOLDER=f"{tmp_path}/gone\n", **given).code == 0
    assert copy.run(*command, STUB_FOLDER=f"{copy.folder}\n", **given).code == 0


SCALED = "compose up --detach --no-recreate --no-deps --scale trainer=3 trainer"


def test_scale_asks_python_and_changes_the_trainers_alone(copy: Copy) -> None:
    copy.env.write_text("")
    assert copy.run("scale", "3", STUB_RUNNING="0123").code == 0
    first, then = (
        copy.calls().index(SCALED),
        copy.calls().index("compose run --rm --no-deps -T stack scale -- 3"),
    )
    assert first < then, "new trainers do not wait for it"
    copy.env.write_text("BT_NIGHT_MEMORY_LIMIT=0.5\n")
    assert copy.run("scale", "3", STUB_RUNNING="0123").code == 0
    assert copy.calls()[-1] == SCALED, "it says how large they are"
    copy.run("scale", "257", STUB_RUNNING="0123")
    assert copy.called("stack scale -- 257"), "what cannot be is refused there"


@pytest.mark.parametrize("command", [("scale", "2"), ("alerts",)])
def test_what_needs_a_running_stack_says_so(copy: Copy, command: tuple[str, ...]) -> None:
    assert "there is no stack yet, or one of an earlier version; run: make up" in copy.refused(*command)
    copy.env.write_text("")
    assert "the stack is not running; run: make up" in copy.refused(*command)


def test_a_report_is_asked_of_the_coordinator_or_read_from_its_volume(copy: Copy) -> None:
    copy.env.write_text("CANDLES_DIR=/gone\n")
    assert copy.run("report", STUB_RUNNING="0123").code == 0
    assert copy.calls()[-1] == "compose exec -T coordinator nighttrain stack report"
    assert copy.run("report").code == 0
    assert copy.calls()[-1] == "compose run --rm --no-deps -T stack report --stopped"
    assert copy.compose("run")["CANDLES_DIR"] == "./data/candles", "candles that are gone are no reason"


def test_models_are_copied_into_a_folder_that_is_made(copy: Copy) -> None:
    assert "make models DIR=" in copy.refused("models")
    copy.env.write_text("")
    said = copy.run("models", "my models")
    target = copy.folder / "my models"
    assert said.code == 0 and target.is_dir() and said.out.endswith(f"in {target}\n")
    assert copy.called(f"-v {target}:/copies stack models --uid {ME[0]} --gid {ME[1]}")


def test_data_are_deleted_only_when_that_was_confirmed(copy: Copy) -> None:
    said = copy.run("clean-data")
    assert said.code == 2 and "nothing was deleted: say make clean-data YES=1" in said.err
    assert copy.called("stack inventory") and not copy.called("down")
    assert copy.run("clean-data", YES="1").code == 0
    assert copy.calls()[-1] == "compose down --volumes"
    assert copy.run("clean-data", YES="1", STUB_BUILT="").code == 0, (
        "without an image there is nothing to look with"
    )


def test_the_night_is_started_over_only_when_that_was_asked_for(copy: Copy) -> None:
    copy.up()
    assert not copy.called("--fresh")
    copy.up(FRESH="1")
    assert copy.called("nighttrain stack start --fresh --ports")


def test_images_that_were_pulled_are_told_by_their_digest_and_the_others_named(copy: Copy) -> None:
    said = copy.run("digests")
    assert (said.code, said.err) == (0, "")
    name = "grafana/grafana:1.2"
    assert said.out.splitlines() == [
        f"# GRAFANA_IMAGE: {name} was not pulled from a registry here (docker pull {name})",
        "PYTHON_IMAGE=python:3.13@sha256:1111",
    ]
