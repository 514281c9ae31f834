"""Drawing the boards: what is said where it cannot be done, and that the parts are of our release."""

import json
import shutil

import pytest
import yaml

from tests.grafana.committed import ROOT
from tests.grafana.pictures import NEEDED, RENDERER, main


@pytest.mark.parametrize("missing", NEEDED)
def test_what_is_missing_is_said_and_nothing_is_begun(monkeypatch, capsys, tmp_path, missing):
    found = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name: None if name == missing else found(name) or f"/bin/{name}"
    )
    assert main(["--out", str(tmp_path / "pictures"), "--night", str(tmp_path / "night")]) == 0
    assert capsys.readouterr().out.startswith(
        f"SKIPPED: no board is drawn, for these are missing: {missing} ("
    )
    assert list(tmp_path.iterdir()) == []


def test_the_parts_are_of_the_release_that_runs():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    release = compose["services"]["grafana"]["image"].rpartition(":")[2].removesuffix("}")
    for folder in (RENDERER, ROOT / "tests" / "grafana" / "colours"):
        wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
        parts = {version for name, version in wanted.items() if name.startswith("@grafana/")}
        # The newest that are published together may lag behind by a patch.
        assert {part.rpartition(".")[0] for part in parts} == {release.rpartition(".")[0]}
