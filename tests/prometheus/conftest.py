import shutil
import subprocess

import pytest


@pytest.fixture(scope="session")
def promtool():
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")

    def run(*arguments):
        done = subprocess.run(
            [found, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run
