"""The bill of materials names what the lock installs."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_package_that_is_installed_is_named_with_its_digests(tmp_path: Path) -> None:
    made = tmp_path / "sbom.json"
    subprocess.run(["make", "sbom", f"SBOM={made}"], cwd=ROOT, check=True, capture_output=True, timeout=120)
    document = json.loads(made.read_text(encoding="utf-8"))
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "nighttrain")
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    versions = {(package["name"], package["version"]) for package in packages}
    components = {(one["name"], one["version"]) for one in document["components"]}
    assert components < versions
    names = {name for name, _ in components}
    assert {"fastapi", "sqlalchemy", "numpy", "pyarrow", "typer", "psycopg"} <= names
    # What only tests need is installed nowhere else.
    assert not names & {"pytest", "playwright", "ruff", "nighttrain"}
    for one in document["components"]:
        files = [file for file in one["externalReferences"] if file["type"] == "distribution"]
        assert files and all(file["hashes"] for file in files), one["name"]
