"""What the shell says, and which of two values is in force."""

import pytest

from cli.stack.facts import read_facts
from common.errors import ConfigurationError
from tests.cli.stack.conftest import said


def facts(dotenv=None, given=None, **info):
    return read_facts(said("/home/me/nighttrain", dotenv or {}, given or {}, **info), dotenv or {})


def test_the_machine_and_the_places_are_read():
    read = facts(candles="/mnt/candles")
    assert (read.engine.cores, read.engine.memory_mib) == (8, 16384)
    assert not (read.engine.rootless or read.engine.desktop or read.engine.selinux or read.engine.remapped)
    assert (read.composition.root, read.composition.candles) == ("/home/me/nighttrain", "/mnt/candles")
    assert read.composition.config == "/home/me/nighttrain/deploy/night_training.yaml"


def test_what_an_engine_is_is_told_by_its_security_options():
    options = ["name=seccomp,profile=builtin", "name=rootless", "name=selinux", "name=cgroupns"]
    engine = facts(SecurityOptions=options, MemoryLimit=False, CpuCfsQuota=False).engine
    assert engine.rootless and engine.selinux and not engine.remapped
    assert not engine.limits_memory and not engine.limits_cpu
    assert facts(OperatingSystem="Docker Desktop", SecurityOptions=None).engine.desktop
    assert facts(SecurityOptions=["name=userns"]).engine.remapped


def test_the_environment_wins_over_env_and_an_empty_value_counts_as_not_set():
    read = facts(
        {"TRAINERS": "3", "GRAFANA_PORT": "3100", "BT_NIGHT_N_SPLITS": ""},
        {"TRAINERS": "4", "GRAFANA_PORT": ""},
    )
    assert (read.value("TRAINERS"), read.value("GRAFANA_PORT"), read.value("NONE", "x")) == ("4", "3100", "x")
    assert read.night == {}


@pytest.mark.parametrize(
    ("dotenv", "given", "asks"),
    [
        ({}, {}, False),
        ({"BT_NIGHT_WORKERS": "2"}, {}, True),
        ({"BT_NIGHT_WORKERS": "2", "TRAINERS": "1"}, {}, True),
        ({"BT_NIGHT_WORKERS": "2"}, {"TRAINERS": "2"}, False),
        ({"BT_NIGHT_WORKERS": "2"}, {"TRAINERS": "3", "BT_NIGHT_WORKERS": "2"}, True),
        ({}, {"TRAINERS": "3"}, False),
    ],
)
def test_an_older_name_decides_unless_it_is_from_env_and_the_newer_from_the_environment(dotenv, given, asks):
    assert facts(dotenv, given).asks("BT_NIGHT_WORKERS") is asks


def test_values_with_equals_signs_and_windows_line_ends_are_read_whole():
    text = "\ufeff" + said("/c", {}, {}).replace("\n", "\r\n") + "CANDLES_DIR=/a=b\r\n\r\n"
    assert read_facts(text, {}).given == {"CANDLES_DIR": "/a=b"}


@pytest.mark.parametrize("text", ["", "{}", "{} {}", "no json"])
def test_what_docker_did_not_say_is_one_line(text):
    with pytest.raises(ConfigurationError, match="what docker says is not understood"):
        read_facts(text, {})
