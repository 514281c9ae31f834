from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands.conftest import TOKEN, address, ask, say, steered, work  # noqa: F401


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token-of-the-screen"
    path.write_text(TOKEN)
    path.chmod(0o600)
    return path
