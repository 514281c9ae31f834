"""``nighttrain db``: a real night moved between databases in its middle, and brought back from backups."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from cli.app import main
from coordinator.store.database import Database, sqlite_url
from tests.cli.conftest import GRID, ROOT, Outcome
from tests.cli.nights import Night, begun, essence, going, held, kill_family, only_results_of
from tests.cli.terminal import in_terminal, plain
from tests.coordinator.conftest import new_database, postgres  # noqa: F401
from tests.coordinator.half_night import content, in_progress
from tests.coordinator.process import Process
from tests.coordinator.specimens import Clock, settings
from tests.coordinator.specimens import Night as Half
from tests.coordinator.store.test_database import upgrade
from tests.small_disk import Disk

Call = Callable[..., Outcome]


@pytest.fixture
def server_url(postgres: str) -> Iterator[str]:  # noqa: F811
    """URL of an empty PostgreSQL database."""
    with new_database(postgres, "template1") as url:
        yield url


def killed_after(cells: int, out: Path, candles: Path, **env: str) -> None:
    """Go on with the night until so many of its eight cells are done, and kill all that belongs to it."""
    words = ("run", "--data", candles, "--out", out, "--trainers", 1, *GRID)
    with begun(*words, **env) as night, held(night.pid, out, cells):
        kill_family(night.pid)


def test_a_night_goes_on_in_postgresql_and_ends_in_sqlite_like_an_undisturbed_one(
    nighttrain: Call, undisturbed: Night, candles: Path, tmp_path: Path, server_url: str
) -> None:
    out = tmp_path / "out"
    killed_after(1, out, candles)
    there = nighttrain("db", "copy", out, server_url, "--json")
    assert there.code == 0, there.err
    rows = json.loads(there.out)["rows"]
    assert rows["runs"] == 1 and rows["jobs"] == 10 and rows["attempts"] >= 3
    killed_after(3, out, candles, BT_NIGHT_DATABASE_URL=server_url)
    refused = nighttrain("db", "copy", server_url, out)
    assert (refused.code, refused.out) == (2, "")
    assert f"{out / 'nighttrain.db'} holds 1 night already" in refused.err
    for path in out.glob("nighttrain.db*"):
        path.rename(tmp_path / f"before-{path.name}")
    back = nighttrain("db", "copy", server_url, out)
    assert back.code == 0, back.err
    assert "read back and equal" in back.out
    with going(out, candles) as night:
        said, _ = night.communicate(timeout=120)
    assert night.returncode == 0, said
    assert essence(only_results_of(out)) == essence(undisturbed[0])


@pytest.fixture
def half(database_url: str, clock: Clock, tmp_path: Path) -> Path:
    """The SQLite file of a night in its middle, in an out folder."""
    database = Database(database_url, clock)
    in_progress(Half(database, settings(), tmp_path))
    database.close()
    return tmp_path / "nighttrain.db"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: object) -> tuple[int, str, str]:
        code = main(["db", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


Said = Callable[..., tuple[int, str, str]]


def test_a_copy_says_how_many_rows_of_each_table_are_equal(half: Path, call: Said, tmp_path: Path) -> None:
    code, out, err = call("copy", half, tmp_path / "new")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "  runs                      2" in lines
    total = sum(int(line.split()[1]) for line in lines[:-2])
    new = tmp_path / "new" / "nighttrain.db"
    assert lines[-2:] == [
        f"{total} rows of {half} are in {new}, read back and equal",
        f"start the coordinator over {new} now (database_url), and none over {half}",
    ]


def test_a_bar_is_shown_on_a_terminal_alone(half: Path, tmp_path: Path) -> None:
    told = in_terminal("db", "copy", half, tmp_path / "new")
    assert told.code == 0
    assert "copied and compared" in plain(told.out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("copy", "{out}", "{out}/nighttrain.db"), "cannot be copied to itself"),
        (("copy", "{out}/nothing", "{out}/new.db"), "there is no database {out}/nothing/nighttrain.db"),
        (("copy", "{out}/strange.db", "{out}/new.db"), "{out}/strange.db is no database of Nighttrain"),
        (("copy", "{out}/empty.db", "{out}/new.db"), "{out}/empty.db holds no night"),
        (("copy", "sqlite://", "{out}/new.db"), "is in memory, and holds nothing"),
        (("copy", "{out}/notes.txt", "{out}/new.db"), "{out}/notes.txt is a file, and no out folder"),
        (("copy", "{out}", "{out}/other.db"), "{out}/other.db holds 2 nights already"),
        (("copy", "{out}", "mysql://u:geheim@h/x"), "database_url: "),
        (("copy", "{out}/newer.db", "{out}/new.db"), "was made by a newer Nighttrain (schema 9999)"),
        (("backup", "{out}/strange.db", "{out}/new.db"), "{out}/strange.db is no database of Nighttrain"),
        (("backup", "{out}", "{out}/other.db"), "{out}/other.db is there already"),
        (("backup", "{out}/nothing.db", "{out}/new.db"), "there is no database {out}/nothing.db"),
    ],
)
def test_what_cannot_be_copied_is_refused_in_one_line(
    half: Path, call: Said, migrated: Path, words: tuple[str, ...], said: str
) -> None:
    out = half.parent
    (out / "notes.txt").write_text("notes")
    sqlite3.connect(out / "strange.db").execute("CREATE TABLE notes (text)").connection.close()
    shutil.copy(migrated, out / "empty.db")
    shutil.copy(half, out / "other.db")
    shutil.copy(half, out / "newer.db")
    with closing(sqlite3.connect(out / "newer.db")) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    code, printed, err = call(*(word.format(out=out) for word in words))
    assert (code, printed) == (2, "")
    assert said.format(out=out) in err and err.count("\n") == 1 and "geheim" not in err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://night:geheim@127.0.0.1:1/nighttrain",
        "postgresql+psycopg://127.0.0.1:1/nighttrain?user=night&password=geheim",
    ],
)
def test_a_password_is_never_printed(half: Path, call: Said, url: str) -> None:
    for words in (("copy", half, url), ("copy", url, half), ("backup", url, "x.db", "--debug")):
        code, out, err = call(*words)
        assert code in (1, 2)
        assert "geheim" not in out + err
        assert "refused" in err
        assert ("***" in err) is (words[0] == "copy"), "which one it is"


@pytest.mark.parametrize("word", ["postgresql:/night:geheim@db/nighttrain", "host=db password=geheim"])
def test_what_is_meant_as_an_address_is_not_taken_for_a_folder(half: Path, call: Said, word: str) -> None:
    for words in (("copy", half, word), ("copy", word, half)):
        code, out, err = call(*words)
        assert (code, out) == (2, "")
        assert "postgresql+psycopg://" in err and "geheim" not in err


def test_a_database_of_another_program_is_refused_and_left_as_it_was(half: Path, call: Said) -> None:
    with closing(sqlite3.connect(half.parent / "other.db")) as other, other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    code, out, err = call("copy", half, half.parent / "other.db")
    assert (code, out) == (2, "")
    assert "other.db holds tables that are not Nighttrain's, such as recipes (name an empty database)" in err
    with closing(sqlite3.connect(half.parent / "other.db")) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_nights_of_an_earlier_schema_are_refused_before_it_is_changed(half: Path, call: Said) -> None:
    shutil.copy(half, half.parent / "taken.db")
    with closing(sqlite3.connect(half.parent / "taken.db")) as taken, taken:
        taken.execute("UPDATE alembic_version SET version_num = '0015'")
    code, out, err = call("copy", half, half.parent / "taken.db")
    assert (code, out) == (2, "") and "holds 2 nights already" in err
    with closing(sqlite3.connect(half.parent / "taken.db")) as taken:
        assert taken.execute("SELECT version_num FROM alembic_version").fetchall() == [("0015",)]


def test_a_folder_whose_coordinator_is_at_work_is_refused(call: Said, tmp_path: Path) -> None:
    coordinator = Process(tmp_path / "out")
    try:
        url = coordinator.ready().url
        for words in (("copy", tmp_path / "out", "new.db"), ("copy", "x.db", tmp_path / "out")):
            code, out, err = call(*words)
            assert (code, out) == (2, "")
        assert "there is no database x.db" in err
        code, out, err = call("copy", tmp_path / "out", tmp_path / "new.db")
        assert (code, out) == (2, "")
        assert f"is in use by process {coordinator.process.pid} at {url} (stop that one first)" in err
        # Under another name too.
        (tmp_path / "link.db").symlink_to(tmp_path / "out" / "nighttrain.db")
        code, out, err = call("copy", tmp_path / "link.db", tmp_path / "new.db")
        assert (code, out) == (2, "")
        assert f"{tmp_path}/link.db is in use by another process" in err
    finally:
        coordinator.kill()
    assert not (tmp_path / "new.db").exists()


def test_a_database_of_an_earlier_version_is_brought_to_this_one_first(
    call: Said, clock: Clock, tmp_path: Path
) -> None:
    older = Database(sqlite_url(tmp_path / "older.db"), clock)
    upgrade(older, "0013")
    with older.write() as tx:
        values = "'done', '{}', 0, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', ''"
        into = "INSERT INTO runs (state, config, synthetic, created, finished, results_path)"
        tx.connection.execute(text(f"{into} VALUES ({values})"))
    older.close()
    code, out, err = call("backup", tmp_path / "older.db", tmp_path / "backup.db")
    assert (code, out) == (2, "") and "older.db has schema 0013" in err
    assert not list(tmp_path.glob(".*"))
    code, out, err = call("copy", tmp_path / "older.db", tmp_path / "new.db", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["rows"]["runs"] == 1


def test_a_backup_is_one_whole_file_or_none(
    half: Path, call: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = tmp_path / "backups" / "night.db"

    @contextmanager
    def interrupted(_: int) -> Iterator[None]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("cli.screen.transfer.transfer_bar", interrupted)
    assert call("backup", half, backup)[0] == 130
    assert not list(backup.parent.iterdir())
    monkeypatch.undo()
    assert call("backup", half, backup)[0] == 0
    assert [path.name for path in backup.parent.iterdir()] == ["night.db"]
    with closing(sqlite3.connect(backup)) as made:
        assert made.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert made.execute("SELECT count(*) FROM runs").fetchone() == (2,)


def test_a_backup_of_either_kind_and_of_sqlites_own_shell_is_brought_back(
    half: Path,
    call: Said,
    clock: Clock,
    tmp_path: Path,
    server_url: str,
) -> None:
    if shutil.which("sqlite3") is None:
        pytest.skip("sqlite3 is not installed (Debian: apt install sqlite3)")
    assert 'sqlite3 night/nighttrain.db ".backup night-1.db"' in (ROOT / "deploy" / "runbook.md").read_text()
    by_shell, by_us, back = (tmp_path / name for name in ("shell.db", "ours.db", "back.db"))
    subprocess.run(["sqlite3", half, f".backup {by_shell}"], check=True, timeout=60)
    for words in (("copy", by_shell, server_url), ("backup", server_url, by_us), ("copy", by_us, back)):
        assert call(*words)[0] == 0
    found = []
    for path in (half, back):
        database = Database(sqlite_url(path), clock)
        found.append({name: len(rows) for name, rows in content(database).items()})
        database.close()
    assert found[0] == found[1] and found[0]["runs"] == 2


def test_a_disk_without_room_is_told_in_one_line_and_leaves_the_target_empty(
    half: Path, call: Said, small_disk: Disk
) -> None:
    there = small_disk.folder / "there.db"
    with closing(sqlite3.connect(half)) as night, night:
        night.execute("UPDATE reports SET document = hex(zeroblob(4000000))")
    code, out, err = call("copy", half, there)
    assert (code, out) == (1, "")
    assert err.startswith("nighttrain: the database cannot be written: ") and err.count("\n") == 1
    with closing(sqlite3.connect(there)) as left:
        assert left.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    for path in small_disk.folder.glob("there.db*"):
        path.unlink()
    code, out, err = call("backup", half, small_disk.folder / "backup.db")
    assert (code, out) == (1, "")
    assert err.startswith("nighttrain: the database cannot be written: ") and err.count("\n") == 1
    assert not list(small_disk.folder.iterdir())
