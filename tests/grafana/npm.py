"""Packages of npm for tests, locked, and installed once in pytest's cache."""

import hashlib
import shutil
import subprocess

import pytest

UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ECONNRESET")


def installed(cache, folder, purpose):
    """The folder with the packages that the lock in `folder` names; skips where they cannot be had.

    Parameters
    ----------
    cache : pytest.Cache
        Where they are kept.
    folder : Path
        With package.json and package-lock.json.
    purpose : str
        What is not done without them.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip(f"node or npm is missing: {purpose}")
    lock = folder / "package-lock.json"
    key = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    place = cache.mkdir(f"grafana-{folder.name}-{key}")
    if not (place / "installed").exists():
        shutil.copy(folder / "package.json", place)
        shutil.copy(lock, place)
        install = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        if any(sign in install.stderr for sign in UNREACHABLE):
            pytest.skip(f"the registry of npm is out of reach: {install.stderr.splitlines()[-1]}")
        assert install.returncode == 0, install.stderr
        (place / "installed").touch()
    return place
