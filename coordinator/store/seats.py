"""The place of a process among the coordinators of a database, and who may not sit beside whom.

All coordinators of a database share one out folder, at the same path: models, results and reports lie there,
and whoever is asked must have them. A mark in the folder says whether it is the same one.
"""

from __future__ import annotations

import platform
import uuid
from dataclasses import dataclass
from datetime import timedelta

from filelock import FileLock, Timeout
from sqlalchemy import func, select, text

from common.errors import ConfigurationError, StorageError
from common.out_folder import OutFolder
from common.whole_file import write_whole
from coordinator.store.database import Transaction
from coordinator.store.tables import lives

PRESENT = timedelta(seconds=30)
"""A coordinator that has not stopped is presumed to be there for so long after its last heartbeat."""


@dataclass(frozen=True)
class Seat:
    """Where a coordinator sits.

    Attributes
    ----------
    store : str
        The mark of the out folder; empty with SQLite, where nobody else can be there.
    instance : str
        Its name among those that share the folder; empty for one.
    place : str
        The path of the folder.
    """

    store: str = ""
    instance: str = ""
    place: str = ""


SOLE = Seat()
"""That of the only coordinator of a SQLite database."""


def seat_in(out: OutFolder) -> Seat:
    """Return the seat in an out folder, which is marked if it is not yet.

    Raises
    ------
    ConfigurationError
        The mark cannot be read or written.
    """
    try:
        with FileLock(out.store_lock, timeout=10, fallback_to_soft=False):
            if not out.store_mark.exists():
                write_whole(out.store_mark, f"{uuid.uuid4().hex}\n".encode())
            mark = out.store_mark.read_text().strip()
    except (OSError, Timeout, UnicodeDecodeError, StorageError) as error:
        raise ConfigurationError(f"{out.store_mark}: cannot be used: {error}", "repair the folder") from error
    return Seat(mark[:64], out.instance, str(out.root.absolute()))


def others_present(tx: Transaction, seat: Seat) -> list[tuple[str, str, str]]:
    """Return store, instance and place of each other coordinator that is there."""
    if seat == SOLE:
        # The lock of the folder keeps others away. A life may be that of another database, copied here.
        return []
    newest = select(func.max(lives.c.id)).group_by(lives.c.store, lives.c.instance)
    query = select(lives.c.store, lives.c.instance, lives.c.place).where(
        lives.c.id.in_(newest), lives.c.stopped.is_(None), lives.c.seen > tx.now - PRESENT
    )
    found = [(row.store, row.instance, row.place) for row in tx.connection.execute(query)]
    return [one for one in found if one[:2] != (seat.store, seat.instance)]


def refuse_strangers(tx: Transaction, seat: Seat) -> None:
    """Refuse a seat beside a coordinator that keeps its files elsewhere.

    Raises
    ------
    ConfigurationError
        There is one; names where.
    """
    if not tx.is_sole_writer:
        # Two that start at once look one after the other.
        tx.connection.execute(text("SELECT term FROM leadership FOR NO KEY UPDATE"))
    for store, instance, place in others_present(tx, seat):
        if not store:
            # Recorded before folders were marked; the lock of the folder kept others away.
            continue
        name = f"coordinator {instance}".strip()
        path = place.partition(":")[2]
        if store != seat.store:
            problem = f"the database is in use by the {name} at {place}, which is another folder than"
            hint = (
                "give all coordinators of a database one shared out folder, and each a name by --instance; "
                f"if that one was killed, wait {PRESENT.total_seconds():.0f} s"
            )
            raise ConfigurationError(f"{problem} {seat.place}", hint)
        if path != seat.place:
            problem = f"the out folder is {seat.place} here and {path} for the {name}"
            raise ConfigurationError(problem, "mount it at the same path everywhere")


def place_of(seat: Seat) -> str:
    """Return the machine and the path of a seat, for people."""
    return f"{platform.node()}:{seat.place}"
