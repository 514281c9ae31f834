"""What counts as another program, so that a result of it is not reused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trainer.program import digest_of, program_digest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program of a few sources, and beside it a folder of installed packages."""
    for name, text in {
        "common/errors.py": "ERROR = 1\n",
        "trainer/pipeline.py": "FOLDS = 5\n",
        "trainer/compiled/passes.c": "int one;\n",
        "coordinator/app.py": "PORT = 5000\n",
    }.items():
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "site-packages" / "numpy-2.3.4.dist-info").mkdir(parents=True)
    return tmp_path


def digest(program: Path, processor: str = "x86_64 fused") -> str:
    places = [str(program / place) for place in ("site-packages", "dist-packages", "")]
    return digest_of(program / "root", places, processor)


@pytest.mark.parametrize("name", ["common/errors.py", "trainer/pipeline.py", "trainer/compiled/passes.c"])
def test_a_changed_source_is_another_program(program: Path, name: str) -> None:
    before = digest(program)
    with (program / "root" / name).open("a") as file:
        file.write("\n")
    assert digest(program) != before


def test_a_source_that_is_moved_added_or_removed_is_another_program(program: Path) -> None:
    seen = {digest(program)}
    trainer = program / "root" / "trainer"
    (trainer / "pipeline.py").rename(trainer / "line.py")
    seen.add(digest(program))
    (trainer / "empty.py").touch()
    seen.add(digest(program))
    (trainer / "line.py").unlink()
    seen.add(digest(program))
    assert len(seen) == 4


def test_another_version_of_a_package_is_another_program(program: Path) -> None:
    before = digest(program)
    installed = program / "site-packages"
    (installed / "numpy-2.3.4.dist-info").rename(installed / "numpy-2.3.5.dist-info")
    assert digest(program) != before


def test_another_kind_of_processor_is_another_program(program: Path) -> None:
    assert digest(program, "x86_64 plain") != digest(program)


def test_what_an_editor_keeps_beside_a_source_counts_for_nothing(program: Path) -> None:
    before = digest(program)
    trainer = program / "root" / "trainer"
    (trainer / ".#pipeline.py").symlink_to("me@here.1234")
    assert digest(program) == before
    (trainer / "gone.py").symlink_to("nowhere.py")
    assert digest(program) == before


def test_what_changes_no_result_is_the_same_program(program: Path) -> None:
    before = digest(program)
    compiled = program / "root" / "trainer" / "__pycache__" / "pipeline.cpython-311.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"compiled")
    (program / "root" / "coordinator" / "app.py").write_text("PORT = 5001\n")
    (program / "site-packages" / "numpy").mkdir()
    assert digest(program) == before


def test_a_program_that_lies_elsewhere_is_the_same(program: Path) -> None:
    before = digest(program)
    moved = program.rename(program.with_name("elsewhere"))
    assert digest(moved) == before


def test_every_process_says_the_same_of_one_program_wherever_it_is_started(tmp_path: Path) -> None:
    (tmp_path / "other-1.0.dist-info").mkdir()
    asked = "from trainer.program import program_digest; print(program_digest())"
    command = [sys.executable, "-c", asked]
    said = [
        subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
        for folder in (ROOT, tmp_path)
    ]
    assert said == [program_digest()] * 2
