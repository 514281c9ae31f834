"""What a failure of the database means, by its own codes: the rest of the coordinator knows our errors.

SQLite names each of its result codes, PostgreSQL has SQLSTATE; neither's text is looked at but to be shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from common.errors import NighttrainError, StorageError, UnavailableError
from common.quoted import escaped

NO_ROOM_SQLITE = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM")
"""Primary result codes of a file that cannot be written (https://sqlite.org/rescode.html)."""

NO_ROOM_SQLSTATE = frozenset({"53100", "25006", "58030"})
"""disk_full, read_only_sql_transaction and io_error (PostgreSQL's appendix A)."""


DAMAGED_SQLITE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
"""Of a file whose pages contradict each other, and of one that is no database."""

DAMAGED_SQLSTATE = frozenset({"XX001", "XX002"})
"""data_corrupted and index_corrupted."""

PASSING_SQLSTATE = ("08", "25P03", "40", "53300", "57P")
"""Of a connection that failed, waited too long in a transaction or was ended, of transactions that were in
each other's way, of too many connections, and of a server that starts or stops."""

REPAIR = (
    "stop the coordinator, then see 'A damaged database' in the runbook; models and reports are not in it"
)


class UnstorableError(Exception):
    """A value that no column can hold: a number of too many bits, or half a character.

    It is no error of ours yet: whether the request brought the value, or our own code, its handler knows.
    """


class DamagedValueError(Exception):
    """A value that no program of ours has written in this form."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise what goes wrong in the database as our own errors; everything else passes.

    Raises
    ------
    StorageError
        The database's files cannot be written, or are damaged.
    UnavailableError
        It does not answer, or is busy; the same may succeed later.
    UnstorableError
        A value cannot be stored.
    """
    try:
        yield
    except (DataError, OverflowError, UnicodeEncodeError) as error:
        if not _is_unstorable(error):
            raise
        # Of a statement that failed, its text and its other values are not for whoever sent one of them.
        raise UnstorableError(reason_of(error)[:200]) from error
    except (UnicodeDecodeError, DamagedValueError) as error:
        raise StorageError(f"the database is damaged: {reason_of(error)}", REPAIR) from error
    except PoolTimeoutError as error:
        problem = "the database does not answer: all connections to it are in use"
        raise UnavailableError(problem, "the same request may succeed later") from error
    except DBAPIError as error:
        known = _known(error)
        if known is None:
            raise
        raise known from error


def reason_of(error: Exception) -> str:
    """Return the database's own words in one line, without the statement."""
    return escaped(" ".join(str(error.orig if isinstance(error, DBAPIError) else error).split()))


def is_damage(error: Exception) -> bool:
    """Return whether an error says that what is stored is damaged."""
    if isinstance(error, UnicodeDecodeError):
        # Of a text in it, or of the words in which SQLite speaks of a damaged schema.
        return True
    name, state = _codes(error)
    return name.startswith(DAMAGED_SQLITE) or state in DAMAGED_SQLSTATE


def _codes(error: Exception) -> tuple[str, str]:
    """Return SQLite's name of the result and SQLSTATE, each empty where there is none."""
    raised = error.orig if isinstance(error, DBAPIError) else None
    return getattr(raised, "sqlite_errorname", None) or "", getattr(raised, "sqlstate", None) or ""


def _known(error: DBAPIError) -> NighttrainError | None:
    name, state = _codes(error)
    if is_damage(error):
        return StorageError(f"the database is damaged: {reason_of(error)}", REPAIR)
    if name.startswith(NO_ROOM_SQLITE) or state in NO_ROOM_SQLSTATE:
        problem = f"the database cannot be written: {reason_of(error)}"
        return StorageError(problem, "free some space; nothing stored is lost")
    is_lost = isinstance(error, OperationalError) or error.connection_invalidated
    if is_lost or state.startswith(PASSING_SQLSTATE):
        problem = f"the database does not answer: {reason_of(error)}"
        return UnavailableError(problem, "the same request may succeed later")
    return None


def _is_unstorable(error: Exception) -> bool:
    if isinstance(error, OverflowError):
        return "SQLite INTEGER" in str(error)
    return isinstance(error, DataError) or getattr(error, "reason", "") == "surrogates not allowed"
