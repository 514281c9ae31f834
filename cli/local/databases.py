"""Databases of nights that a command names: a night in progress moved from one to another, and backups."""

from __future__ import annotations

import logging
import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect

from common.errors import ConfigurationError, ConflictError, StorageError, UnavailableError
from common.out_folder import DATABASE_NAME, OutFolder, held, held_by_coordinator
from common.whole_file import take_name
from coordinator.store.address import masked, sqlite_file
from coordinator.store.database import Database, revision_of, revisions, sqlite_url
from coordinator.store.occupancy import alone, refuse_open_file, refuse_users, snapshot
from coordinator.store.tables import runs
from coordinator.store.transfer import Told, count_rows, refuse_content, refuse_nights, transfer

Bar = Callable[[int], AbstractContextManager[Told]]
"""Shows how far so many steps are."""


@dataclass(frozen=True)
class NamedDatabase:
    """A database.

    Attributes
    ----------
    name : str
        What it is called for people: without a password.
    url : str
        Its address.
    file : Path or None
        The file of a SQLite database.
    """

    name: str
    url: str
    file: Path | None = None

    @property
    def out(self) -> Path | None:
        """The out folder whose database it is, if it is one's."""
        return self.file.parent if self.file is not None and self.file.name == DATABASE_NAME else None

    @property
    def identity(self) -> str:
        """What is the same for two names of one database, as far as names tell."""
        return self.url if self.file is None else str(self.file.resolve())


def named_database(word: str) -> NamedDatabase:
    """Return the database of an address as of `database_url`, of a SQLite file or of an out folder.

    Raises
    ------
    ConfigurationError
        It is a file of another name, or an address of something in memory.
    """
    if "://" in word:
        file = sqlite_file(word)
        if file is None and word.startswith("sqlite"):
            raise ConfigurationError(
                f"{masked(word)} is in memory, and holds nothing", "write sqlite:////path/file.db"
            )
        return NamedDatabase(masked(word), word, file)
    if word.startswith(("postgresql:", "postgres:")) or re.search(r"\b(?:host|password|dbname)=", word):
        # Neither a folder, nor to be shown: a password may stand in it.
        raise ConfigurationError(
            "an address of PostgreSQL has another form", "write postgresql+psycopg://USER@HOST/DATABASE"
        )
    path = Path(word)
    if path.suffix != ".db":
        if path.exists() and not path.is_dir():
            hint = "the name of a SQLite file ends with .db; another database is named by its address"
            raise ConfigurationError(f"{path} is a file, and no out folder", hint)
        path = OutFolder(path).database
    return NamedDatabase(str(path), sqlite_url(path), path)


def copy(source: NamedDatabase, target: NamedDatabase, bar: Bar) -> dict[str, int]:
    """Bring all that one database holds into another one, and return how many rows were compared by table.

    Raises
    ------
    ConfigurationError
        One of them cannot be opened, or is not ours.
    ConflictError
        A coordinator uses one of them, the target holds something, or the source nothing.
    """
    if source.identity == target.identity:
        raise ConflictError(f"{source.name} cannot be copied to itself", "name another database")
    _refuse_absent(source)
    with ExitStack() as stack:
        for named in (source, target):
            if named.out is not None:
                stack.enter_context(held(named.out))
                stack.enter_context(held_by_coordinator(named.out))
            if named.file is not None:
                refuse_open_file(named.file)
        origin = stack.enter_context(_opened(source))
        with _answering(source):
            _refuse_strange(origin, source)
        goal = stack.enter_context(_opened(target))
        # Before either's schema is brought to this version.
        with _answering(target):
            _refuse_foreign(goal, target)
        for database, named in ((origin, source), (goal, target)):
            with _answering(named):
                refuse_users(database, named.name)
        origin.upgrade()
        goal.upgrade()
        into = stack.enter_context(alone(goal, target.name, writes=True))
        refuse_content(into, target.name)
        night = stack.enter_context(alone(origin, source.name, writes=False))
        rows = count_rows(night)
        if not rows["runs"]:
            raise ConflictError(f"{source.name} holds no night", "there is nothing to copy")
        with bar(2 * sum(rows.values())) as told:
            return transfer(night, into, told)


def back_up(source: NamedDatabase, file: Path, bar: Bar) -> dict[str, int]:
    """Write one state of a database into a new SQLite file, whole or not at all, whoever writes meanwhile.

    Raises
    ------
    ConfigurationError
        The database cannot be opened, is not ours or has another schema than this program's.
    ConflictError
        The file is there already.
    StorageError
        It cannot be written.
    """
    if file.exists():
        raise ConflictError(f"{file} is there already", "name a new file")
    _refuse_absent(source)
    with _opened(source) as database, snapshot(database) as night:
        present = revision_of(night)
        if present is None:
            raise _strange(source)
        if present != revisions()[-1]:
            problem = f"{source.name} has schema {present}, and this program's is {revisions()[-1]}"
            raise ConfigurationError(problem, "make the backup with the version that uses it")
        rows = count_rows(night)
        with _unfinished(file) as unfinished, bar(2 * sum(rows.values())) as told:
            with closing_database(sqlite_url(unfinished)) as made:
                made.upgrade()
                with made.engine.execution_options(writes=True).begin() as into:
                    compared = transfer(night, into, told)
            # One file, without a log beside it.
            with closing(sqlite3.connect(unfinished)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE")
    return compared


@contextmanager
def closing_database(url: str) -> Iterator[Database]:
    """Open a database, and close it at the end."""
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _opened(named: NamedDatabase) -> Iterator[Database]:
    if named.file is not None:
        try:
            named.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(named.file.parent, error) from error
    # What the driver says of a statement that was interrupted is of no use beside our own line.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    with closing_database(named.url) as database:
        yield database


@contextmanager
def _answering(named: NamedDatabase) -> Iterator[None]:
    """Say of a database that does not answer which one it is."""
    try:
        yield
    except UnavailableError as error:
        raise UnavailableError(f"{named.name}: {error.detail}", error.hint) from error


@contextmanager
def _unfinished(file: Path) -> Iterator[Path]:
    """Name a file beside another one that takes its place at the end, or is removed."""
    path = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}.unfinished")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield path
        take_name(path, file)
    except FileExistsError as error:
        raise ConflictError(f"{file} is there already", "name a new file") from error
    except OSError as error:
        raise _unwritable(file, error) from error
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + end).unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: cannot be written: {error.strerror or error}", "name another place")


def _refuse_absent(named: NamedDatabase) -> None:
    if named.file is not None and not named.file.exists():
        raise ConfigurationError(
            f"there is no database {named.name}", "name an out folder, a SQLite file or an address"
        )


def _refuse_strange(database: Database, named: NamedDatabase) -> None:
    with snapshot(database) as connection:
        if revision_of(connection) is None:
            raise _strange(named)


def _refuse_foreign(database: Database, named: NamedDatabase) -> None:
    """Refuse a target that holds what is not ours, or nights of any version."""
    with snapshot(database) as connection:
        names = inspect(connection).get_table_names()
        if names and revision_of(connection) is None:
            problem = f"{named.name} holds tables that are not Nighttrain's, such as {min(names)}"
            raise ConfigurationError(problem, "name an empty database")
        if runs.name in names:
            refuse_nights(connection, named.name)


def _strange(named: NamedDatabase) -> ConfigurationError:
    return ConfigurationError(f"{named.name} is no database of Nighttrain", "name the one that holds nights")
