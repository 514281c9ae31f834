"""The database: engine, transactions with a frozen clock, and the upgrade of the schema at the start.

SQLite and PostgreSQL run the same statements. SQLite lives in a write-ahead log with synchronous=FULL, so
that what was answered to a trainer survives a loss of power; a write takes the lock at its first statement
(BEGIN IMMEDIATE), and the threads of this process queue for it here rather than in SQLite's polling. Those
that queue share a commit (`coordinator.store.group_commit`).
"""

from __future__ import annotations

import copy
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from common.errors import ConfigurationError, StorageError, UnavailableError
from common.lean_import import without
from common.quoted import escaped
from coordinator.store.address import masked
from coordinator.store.errors import REPAIR, is_damage, reason_of, translated
from coordinator.store.group_commit import GroupCommit
from coordinator.store.prepared import Prepared
from coordinator.store.schema import statements
from coordinator.store.tables import describe_for_postgresql

BUSY_SECONDS = 15.0
"""How long a statement waits for another process (a backup, a shell) that holds SQLite's lock."""

LOG_PAGES = 8000
"""To how many pages of 4 KiB SQLite's log grows before they are brought into the database. Whoever commits
then waits for it, and a page is brought there once, however often it was changed since.
"""

IDLE_SECONDS = 60.0
"""How long PostgreSQL lets a transaction wait for its process, which may be stopped and hold rows."""

CONTACT: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's parameters by which a server that is cut off is found out in seconds and not in hours."""

UPGRADE_LOCK = 4_711_016
"""The key of the advisory lock under which one of several coordinators upgrades the schema."""

MIGRATIONS = Path(__file__).parent / "migrations" / "versions"
"""The files that bring a schema to the next version, which their names begin with."""

_BEGIN = Prepared(text("BEGIN"))
_SAVEPOINT = Prepared(text("SAVEPOINT part"))
_ROLLBACK = Prepared(text("ROLLBACK TO SAVEPOINT part"))
_RELEASE = Prepared(text("RELEASE SAVEPOINT part"))

T = TypeVar("T")
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Transaction:
    """A connection within a transaction and its frozen time."""

    connection: Connection
    now: datetime

    @property
    def is_sole_writer(self) -> bool:
        """Whether nobody else writes meanwhile, so that no row needs to be locked."""
        return self.connection.dialect.name == "sqlite"

    @contextmanager
    def part(self) -> Iterator[None]:
        """Take back what is written within, and nothing else, if an exception leaves it."""
        # SQLAlchemy's own savepoints take four times as long.
        _SAVEPOINT.on(self.connection)
        try:
            yield
        except BaseException:
            # A database that takes all of the transaction back, or is lost, has no savepoint any more.
            with suppress(SQLAlchemyError):
                _ROLLBACK.on(self.connection)
                _RELEASE.on(self.connection)
            raise
        _RELEASE.on(self.connection)


Change = Callable[[Transaction], Callable[[], T]]
"""What changes something within a transaction, and returns what says so when that is durable."""


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a change said, or why nothing of it is kept."""

    value: T | None = None
    error: BaseException | None = None


class Database:
    """Opens transactions.

    Parameters
    ----------
    url : str
        SQLAlchemy URL of a SQLite file or of PostgreSQL (psycopg).
    clock : callable
        Returns the present aware time; it is asked once a transaction.

    Attributes
    ----------
    took : callable
        Called with each transaction when it has ended: ``read`` or ``write``, and how many seconds it took.
    engine : Engine
        For what `read` and `write` do not do. They use one without listeners, which SQLAlchemy looks for at
        every statement, and begin SQLite's transactions themselves.
    session : str
        What PostgreSQL calls the connections of this process.

    Raises
    ------
    ConfigurationError
        The URL is none, its driver is not installed, or the database cannot be opened.
    """

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        self.clock = clock
        self.session = f"nighttrain-{uuid.uuid4().hex}"
        self._plain = _engine(url, self.session)
        self.is_sqlite = self._plain.dialect.name == "sqlite"
        self.engine = self._plain.execution_options()
        if self.is_sqlite:
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writes = self.engine.execution_options(writes=True)
        self._group = GroupCommit(self._plain) if self.is_sqlite else None
        self.took: Callable[[str, float], None] = lambda *_: None
        self._fence: Callable[[Transaction], None] = lambda _: None

    def fenced(self, fence: Callable[[Transaction], None]) -> Self:
        """Return the same database for who may write only as long as `fence` raises nothing.

        It is called at the beginning of each transaction that writes, within it.
        """
        guarded = copy.copy(self)
        guarded._fence = fence
        guarded.took = lambda mode, seconds: self.took(mode, seconds)
        return guarded

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that sees one state of the database and changes nothing.

        Here as in `write` what goes wrong in the database is raised as our own errors (`store.errors`).
        """
        began = time.perf_counter()
        try:
            with translated(), self._plain.connect() as connection:
                if self.is_sqlite:
                    _BEGIN.on(connection)
                yield Transaction(connection, self.clock())
        finally:
            self.took("read", time.perf_counter() - began)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Change something for good: it is durable at the end, or taken back by an exception.

        On SQLite writers that wait for one another are committed together; each sees what those before it
        have written, and none returns before all of it is durable.
        """
        shared = self._group.member() if self._group is not None else self._writes.begin()
        began: float | None = None
        try:
            with translated(), shared as connection:
                # The wait for the writers before it is none of its own time, the wait for the commit is.
                began = time.perf_counter()
                transaction = Transaction(connection, self.clock())
                self._fence(transaction)
                yield transaction
        finally:
            if began is not None:
                self.took("write", time.perf_counter() - began)

    def change(self, change: Change[T]) -> T:
        """Make a change, and return what it says once it is durable."""
        with self.write() as tx:
            say = change(tx)
        return say()

    def change_each(self, changes: Iterable[Change[Any]]) -> list[Outcome[Any]]:
        """Make changes one after the other; on SQLite they are committed together.

        Each is a transaction of its own by what it sees, and by what is taken back if it fails. They are
        asked for one by one, so that those that come meanwhile are made too.
        """
        if self._group is None:
            return [_outcome(partial(self.change, change)) for change in changes]
        began: list[float] = []

        def body(change: Change[Any]) -> Callable[[Connection], Callable[[], Any]]:
            def write(connection: Connection) -> Callable[[], Any]:
                began.append(time.perf_counter())
                transaction = Transaction(connection, self.clock())
                self._fence(transaction)
                return change(transaction)

            return write

        said = self._group.each(map(body, changes))
        ended = time.perf_counter()
        for moment in began:
            self.took("write", ended - moment)
        return [_outcome(partial(_said, say)) for say in said]

    def upgrade(self) -> None:
        """Bring the schema to the version of this program.

        Raises
        ------
        ConfigurationError
            The database cannot be opened or written, is damaged, or a newer program has made its schema.
        """
        shown = masked(self.engine.url.render_as_string(hide_password=False))
        known = revisions()
        try:
            with self._alone(), self._writes.begin() as connection:
                self._refuse_damage(connection, shown)
                if not self.is_sqlite:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
                present = revision_of(connection)
                if present is not None and present not in known:
                    problem = f"the database {shown} was made by a newer Nighttrain (schema {present})"
                    raise ConfigurationError(problem, "update this one, or name another out folder")
                if self.is_sqlite and not inspect(connection).get_table_names():
                    for statement in statements():
                        connection.exec_driver_sql(statement)
                    present = revision_of(connection)
                if present != known[-1]:
                    migrate(connection)
        except (SQLAlchemyError, UnicodeDecodeError) as error:
            problem = f"the database {shown} cannot be used: {reason_of(error)}"
            hint = REPAIR if is_damage(error) else "check database_url and the out folder"
            raise ConfigurationError(problem, hint) from error

    def _refuse_damage(self, connection: Connection, shown: str) -> None:
        if not self.is_sqlite:
            return
        # What is damaged may answer for hours, and wrongly, before SQLite comes upon it by itself.
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            words = escaped(" ".join(str(found).split()))
            raise ConfigurationError(f"the database {shown} is damaged: {words}", REPAIR)

    def _alone(self) -> AbstractContextManager[None]:
        return self._group.alone() if self._group is not None else nullcontext()

    def check(self) -> str:
        """Return the version of the schema after a trial write.

        Raises
        ------
        UnavailableError
            The database cannot be written or is not at the version of this program.
        """
        head = revisions()[-1]
        try:
            with self.write() as transaction:
                present = revision_of(transaction.connection)
                transaction.connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
        except (StorageError, UnavailableError) as error:
            reason = reason_of(error.__cause__) if isinstance(error.__cause__, DBAPIError) else str(error)
            raise UnavailableError(f"the database cannot be written: {reason}") from error
        if present != head:
            raise UnavailableError(f"the database has schema {present}, this program needs {head}")
        return str(present)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _outcome(make: Callable[[], T]) -> Outcome[T]:
    try:
        return Outcome(make())
    except Exception as error:
        return Outcome(error=error)


def _said(say: Callable[[], T] | BaseException) -> T:
    if isinstance(say, BaseException):
        with translated():
            raise say
    return say()


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file."""
    return f"sqlite:///{path}"


def _engine(url: str, session: str) -> Engine:
    try:
        parsed = make_url(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        arguments: dict[str, Any] = {"timeout": BUSY_SECONDS} if sqlite else {}
        if parsed.get_backend_name() == "postgresql":
            arguments = {name: value for name, value in CONTACT.items() if name not in parsed.query}
            arguments["application_name"] = session
        engine = create_engine(
            parsed,
            connect_args=arguments,
            pool_size=10,
            max_overflow=40,
            # Whose memory has what was written last: SQLite empties that of the others.
            pool_use_lifo=sqlite,
            pool_pre_ping=not sqlite,
        )
    except ModuleNotFoundError as error:
        problem = f"database_url: its driver {error.name} is not installed"
        hint = (
            "for PostgreSQL write postgresql+psycopg://user:password@host/name and install the extra postgres"
        )
        raise ConfigurationError(problem, hint) from None
    except (ArgumentError, NoSuchModuleError) as error:
        problem = f"database_url: cannot be used: {' '.join(str(error).split())}"
        hint = (
            "leave it empty, or write sqlite:////path/file.db or postgresql+psycopg://user:password@host/name"
        )
        raise ConfigurationError(problem, hint) from None
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
    else:
        describe_for_postgresql()
        event.listen(engine, "connect", _prepare_postgres)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    del record
    # The driver shall open no transaction of its own; _begin_sqlite does.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"wal_autocheckpoint={LOG_PAGES}",
        f"busy_timeout={int(BUSY_SECONDS * 1000)}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgres(connection: Any, record: Any) -> None:
    del record
    connection.execute(f"SET idle_in_transaction_session_timeout = {int(IDLE_SECONDS * 1000)}")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def revisions() -> list[str]:
    """Return the versions of the schema that this program knows, in order."""
    return sorted(path.name[1:5] for path in MIGRATIONS.glob("v[0-9][0-9][0-9][0-9]_*.py"))


def revision_of(connection: Connection) -> str | None:
    """Return the version of the schema of a database, None where there is none of ours."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    present: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return present


def migrate(connection: Connection) -> None:
    """Run the migrations that a database lacks, one after another, in the transaction that is open."""
    # Only a database that is not at this program's version pays for the import; and Alembic's templates, of
    # which nothing is made here, would take longer to learn how source is coloured than all migrations.
    with without("mako.ext.pygmentplugin"):
        from alembic import command
        from alembic.config import Config
    config = Config()
    config.set_main_option("script_location", "coordinator.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
