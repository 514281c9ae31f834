"""What the lock names installs without a compiler, on machines that are not the one it was made on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

LOCK = Path(__file__).parents[2] / "uv.lock"
VERSIONS = [(3, 11), (3, 12), (3, 13)]
# Debian 12 and what is newer have glibc 2.36; a wheel for an older one runs there.
PLATFORMS = {
    "Linux on x86-64": [f"manylinux_2_{minor}_x86_64" for minor in range(36, 4, -1)]
    + ["manylinux2014_x86_64", "manylinux1_x86_64"],
    "Linux on arm64": [f"manylinux_2_{minor}_aarch64" for minor in range(36, 16, -1)]
    + ["manylinux2014_aarch64"],
    "macOS on arm64": [
        f"macosx_{major}_{minor}_{cpu}"
        for major, minors in ((14, 1), (13, 1), (12, 1), (11, 1), (10, 16))
        for minor in range(minors)
        for cpu in ("arm64", "universal2")
    ],
}


def _packages() -> list[dict[str, Any]]:
    packages = tomllib.loads(LOCK.read_text())["package"]
    return [package for package in packages if "editable" not in package["source"]]


def _runs(version: tuple[int, int], platforms: list[str]) -> set[Tag]:
    return set(
        chain(
            cpython_tags(version, platforms=platforms),
            compatible_tags(version, f"cp3{version[1]}", platforms),
        )
    )


def _tags(package: dict[str, Any]) -> Iterator[Tag]:
    for wheel in package.get("wheels", []):
        yield from parse_wheel_filename(unquote(wheel["url"].rsplit("/", 1)[1]))[3]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: f"{version[0]}.{version[1]}")
@pytest.mark.parametrize("machine", PLATFORMS)
def test_every_locked_package_has_a_wheel(machine: str, version: tuple[int, int]) -> None:
    runs = _runs(version, PLATFORMS[machine])
    packages = _packages()
    assert len(packages) > 100, "that is not the lock"
    lacking = [
        f"{package['name']} {package['version']}" for package in packages if runs.isdisjoint(_tags(package))
    ]
    assert not lacking
