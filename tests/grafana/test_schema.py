"""The boards type-check against Grafana's own types, of the very release in docker-compose.yml."""

import json
import shutil
import subprocess

import pytest
import yaml

from tests.grafana.committed import BOARDS, ROOT
from tests.grafana.npm import installed

SCHEMA = ROOT / "tests" / "grafana" / "schema"


@pytest.fixture(scope="module")
def packages(request):
    return installed(request.config.cache, SCHEMA, "the boards are not checked against @grafana/schema")


@pytest.fixture
def compile_boards(packages, tmp_path):
    """Compile boards, given as JSON texts by name; returns the exit code and what the compiler said."""

    def run(texts):
        (tmp_path / "node_modules").symlink_to(packages / "node_modules")
        for name in ("boards.ts", "tsconfig.json"):
            shutil.copy(SCHEMA / name, tmp_path)
        for name, text in texts.items():
            source = f"import type {{ Board }} from './boards';\nexport const board: Board = {text};\n"
            (tmp_path / f"{name}.ts").write_text(source, encoding="utf-8")
        compiler = packages / "node_modules" / "typescript" / "bin" / "tsc"
        done = subprocess.run(["node", compiler, "-p", tmp_path], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    return run


def test_the_package_is_of_the_release_that_runs():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    wanted = json.loads((SCHEMA / "package.json").read_text(encoding="utf-8"))["dependencies"]
    image = f"grafana/grafana:{wanted['@grafana/schema']}"
    assert compose["services"]["grafana"]["image"] == f"${{GRAFANA_IMAGE:-{image}}}"


def test_the_boards_are_of_grafanas_types(compile_boards):
    code, said = compile_boards({name: json.dumps(board) for name, board in BOARDS.items()})
    assert code == 0, said


FAULTS = {
    "an option's value": ('"colorMode": "value"', '"colorMode": "valu"'),
    "an option's name": ('"graphMode":', '"graphMod":'),
    "a missing option": ('"graphMode": "none", ', ""),
    "an enumerated number": ('"refresh": 2', '"refresh": 9'),
    "how a graph is drawn": ('"drawStyle": "line"', '"drawStyle": "lines"'),
    "a drawing's name": ('"spanNulls": false', '"spanNull": false'),
    "a unit's type": ('"unit": "percentunit"', '"unit": 3'),
    "a cell's kind in an override": ('"type": "color-background"', '"type": "colour-background"'),
    "an override's property": ('"id": "custom.minWidth"', '"id": "custom.minWidht"'),
    "a link": ('"includeVars": true', '"includeVar": true'),
    "an annotation": ('"refId": "Anno"', '"ref": "Anno"'),
    "a mapping": ('"match": "null+nan"', '"match": "nul"'),
    "a kind of panel": ('"type": "stat"', '"type": "stats"'),
}


def test_a_fault_of_any_kind_is_found(compile_boards):
    whole = json.dumps(BOARDS["night"])
    broken = {}
    for number, (right, wrong) in enumerate(FAULTS.values()):
        assert right in whole
        broken[f"fault{number}"] = whole.replace(right, wrong, 1)
    code, said = compile_boards(broken)
    assert code != 0
    found = {line.split(".ts")[0] for line in said.splitlines() if "error TS" in line}
    missed = [
        fault
        for number, fault in enumerate(FAULTS)
        if not any(f"fault{number}" == place.rpartition("/")[2] for place in found)
    ]
    assert not missed
