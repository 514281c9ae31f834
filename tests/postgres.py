"""A PostgreSQL server of the tests' own: made, started and removed with a session of pytest."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url, text

VARIABLE = "NIGHTTRAIN_TEST_POSTGRES"
"""URL of a PostgreSQL server in which tests make and drop databases; without it they start their own."""

PROGRAMS = "NIGHTTRAIN_TEST_POSTGRES_PROGRAMS"
"""Folder of the programs (initdb, postgres ...) of the server that tests start; else that of the newest."""

TEMPLATE = "nighttrain_migrated"
"""A database with the present schema, of which tests make copies."""

USER = "nighttrain"


def programs() -> Path | None:
    """Return the folder of the server that is named, or of the newest that is installed; None without one."""
    if named := os.environ.get(PROGRAMS):
        assert Path(named, "initdb").is_file(), f"{PROGRAMS}: there is no initdb in {named}"
        return Path(named)
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if debian:
        return debian[-1].parent
    return Path(found).resolve().parent if found else None


class Server:
    """A server that listens on a socket in a folder of its own.

    Parameters
    ----------
    folder : Path
        Of the server's programs.
    address : str
        Where it listens too, without asking for a password; empty: nowhere.
    network : str
        From where it may be reached there, such as 10.77.0.0/24.
    keeps : bool
        Whether it keeps what it commits over a loss of power, on a disk and not in memory.
    """

    def __init__(self, folder: Path, address: str = "", network: str = "", *, keeps: bool = False) -> None:
        self.programs = folder
        # Not below pytest's folder, which no other user may enter.
        memory = Path("/dev/shm")
        where = memory if os.access(memory, os.W_OK) and not keeps else None
        self.home = Path(tempfile.mkdtemp(prefix="nighttrain-postgres-", dir=where))
        self.data = self.home / "data"
        self.user = _unprivileged()
        if self.user is not None:
            shutil.chown(self.home, self.user)
        self._run("initdb", "-D", self.data, "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8")
        if address:
            with (self.data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {network} trust\n")
        options = {
            "listen_addresses": address,
            "unix_socket_directories": self.home,
            "max_connections": 200,
            # In its folder, so that nothing of it stays in memory when it is stopped at once.
            "dynamic_shared_memory_type": "mmap",
        }
        if not keeps:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        self._given = " ".join(f"-c {name}={value}" for name, value in options.items()).replace("= ", "='' ")
        self.start()

    @property
    def url(self) -> str:
        """The server's address, with the database that every server has."""
        address = URL.create("postgresql+psycopg", USER, database="postgres", query={"host": str(self.home)})
        return address.render_as_string(hide_password=False)

    def start(self) -> None:
        """Start the server, as it was before."""
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.home / "log", "-o", self._given, "start")

    def stop(self, how: str = "fast") -> None:
        """Stop the server; who is connected loses the connection."""
        self._run("pg_ctl", "-D", self.data, "-m", how, "-w", "stop")

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop("immediate")
        shutil.rmtree(self.home)

    def _run(self, program: str, *arguments: object) -> None:
        with (self.home / "said").open("ab") as said:
            done = subprocess.run(
                [self.programs / program, *map(str, arguments)],
                cwd=self.home,
                user=self.user,
                # What is started with a pipe as its output would be waited for as long as the server lives.
                stdout=subprocess.DEVNULL,
                stderr=said,
                stdin=subprocess.DEVNULL,
                timeout=60,
            )
        assert done.returncode == 0, f"{program}: {(self.home / 'said').read_text()}"


def version_of(url: str) -> str:
    """Return the version of a server, such as 15.13."""
    engine = create_engine(url)
    with engine.connect() as connection:
        version = connection.execute(text("SHOW server_version")).scalar_one()
    engine.dispose()
    return str(version).partition(" ")[0]


def execute(url: str, statement: str) -> None:
    """Execute a statement outside of any transaction, as those about databases must be."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def of_database(url: str, name: str) -> str:
    """Return the address of another database of a server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _unprivileged() -> str | None:
    """Return the user that the server runs as: it refuses to be root's."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"
