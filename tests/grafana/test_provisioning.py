"""The provisioning tree: a stand-in that refuses what Grafana would refuse reads it; its parts agree."""

import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import yaml

from tests.grafana.committed import BOARDS, ROOT

STAND_IN = ROOT.parent / "shared" / "docker" / "grafana.py"
PROVISIONING = ROOT / "grafana" / "provisioning"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
DEADLINE_SECONDS = 10.0


def answered(url):
    """The answer of a process that may not listen yet."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def sources():
    (file,) = (PROVISIONING / "datasources").iterdir()
    return {
        source["uid"]: source for source in yaml.safe_load(file.read_text(encoding="utf-8"))["datasources"]
    }


@pytest.fixture
def tree(tmp_path):
    """A copy of the tree, which finds its boards where it lies instead of in the container."""
    shutil.copytree(PROVISIONING, tmp_path / "provisioning")
    shutil.copytree(ROOT / "grafana" / "dashboards", tmp_path / "dashboards")
    for file in (tmp_path / "provisioning" / "dashboards").iterdir():
        text = file.read_text(encoding="utf-8")
        file.write_text(
            text.replace("/etc/grafana/dashboards", str(tmp_path / "dashboards")), encoding="utf-8"
        )
    return tmp_path


@pytest.fixture
def start():
    """Start the stand-in on a tree, and return the process with its first line, or its last words."""
    if not STAND_IN.exists():
        pytest.skip(f"no stand-in for Grafana at {STAND_IN}")
    started = []

    def begin(folder, port=0):
        environment = {
            **os.environ,
            "GF_PATHS_PROVISIONING": str(folder / "provisioning"),
            "GF_SERVER_HTTP_PORT": str(port),
        }
        process = subprocess.Popen(
            [sys.executable, str(STAND_IN)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            assert waiting.select(DEADLINE_SECONDS), "the stand-in says nothing"
        line = process.stdout.readline()
        return line or process.communicate(timeout=DEADLINE_SECONDS)[1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_the_tree_loads(start, tree, free_port):
    assert start(tree, free_port) == f"stand-in for Grafana: 2 datasources, {len(BOARDS)} dashboards\n"
    found = answered(f"http://127.0.0.1:{free_port}/api/search")
    assert {board["uid"] for board in found} == {board["uid"] for board in BOARDS.values()}


def test_a_tree_with_a_fault_does_not_load(start, tree):
    (tree / "dashboards" / "copy.json").write_text(json.dumps(BOARDS["night"]), encoding="utf-8")
    assert "two dashboards share a uid" in start(tree)


def test_boards_ask_the_sources_that_are_provisioned():
    for board in BOARDS.values():
        (choice,) = (one for one in board["templating"]["list"] if one["type"] == "datasource")
        assert sources()[choice["current"]["value"]]["name"] == choice["current"]["text"]
    assert sources()["prometheus"]["isDefault"]


def test_sources_are_the_services_of_the_stack():
    images = {name: service.get("image", "") for name, service in COMPOSE["services"].items()}
    for source in sources().values():
        host, port = re.fullmatch(r"http://(\w+):(\d+)", source["url"]).groups()
        assert any(mapping.endswith(f":{port}") for mapping in COMPOSE["services"][host]["ports"])
    version = sources()["prometheus"]["jsonData"]["prometheusVersion"]
    assert images["prometheus"] == f"${{PROMETHEUS_IMAGE:-prom/prometheus:v{version}}}"


def test_no_query_is_finer_than_the_scrape():
    scraped = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert sources()["prometheus"]["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]


def test_boards_lie_in_one_folder_and_come_from_files_alone():
    (file,) = (PROVISIONING / "dashboards").iterdir()
    (provider,) = yaml.safe_load(file.read_text(encoding="utf-8"))["providers"]
    assert provider["folder"] == "Nighttrain"
    assert provider["allowUiUpdates"] is False
    mounts = COMPOSE["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro,z" in mounts
    assert (
        f"./grafana/provisioning:{COMPOSE['services']['grafana']['environment']['GF_PATHS_PROVISIONING']}:ro,z"
        in mounts
    )
