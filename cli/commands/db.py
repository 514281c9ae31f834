"""``nighttrain db``: a night in progress moved from one database to another, and backups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.command import Command, Debug, Group, Json

EXIT_CODES = """\b
exit codes:
  0    done: every row was read back and is equal
  1    a database does not answer or cannot be written, or a row was read back differently
  2    a mistake in options, or it was refused: in use, not empty, no database of Nighttrain
  130  interrupted

A database is an address as of database_url, a SQLite file (*.db) or an out folder. PostgreSQL's password may
stand in ~/.pgpass or PGPASSWORD instead of the address; it is never printed.
"""

COPY_EPILOG = f"""\b
examples:
  nighttrain db copy night postgresql+psycopg://night@db.example.org/nighttrain
  nighttrain db copy postgresql+psycopg://night@db.example.org/nighttrain night
  nighttrain db copy backup.db night               a backup becomes the database of an out folder

Stop the coordinator first, and start it with the new database_url afterwards: the night goes on where it was.
TO must be empty, and stays empty if this is interrupted. FROM stays as it was but for its schema, which is
brought to this version; do not let a coordinator go on with it. The out folder is not copied: models, results
and tokens are in it, so keep it or take it along.

{EXIT_CODES}"""

BACKUP_EPILOG = f"""\b
examples:
  nighttrain db backup night ~/backups/night-1.db        while its coordinator is at work
  nighttrain db backup postgresql+psycopg://night@db.example.org/nighttrain ~/backups/night-1.db
  nighttrain db copy ~/backups/night-1.db night          brings it back, where nighttrain.db is away

{EXIT_CODES}"""

app = typer.Typer(cls=Group, help="Move a night to another database, and back it up.")

From = Annotated[str, typer.Argument(metavar="FROM", help="the database that holds the nights")]


@app.command("copy", cls=Command, epilog=COPY_EPILOG)
def copy_database(
    source: From,
    target: Annotated[str, typer.Argument(metavar="TO", help="the empty database that is to hold them")],
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Copy all that a database holds, a night in progress too, into an empty one, and compare each row."""
    from cli.local.databases import copy, named_database
    from cli.screen.transfer import transfer_bar

    del debug
    origin, goal = named_database(source), named_database(target)
    rows = copy(origin, goal, transfer_bar)
    code = _tell(origin.name, goal.name, rows, as_json)
    if not as_json:
        print(f"start the coordinator over {goal.name} now (database_url), and none over {origin.name}")
    return code


@app.command(cls=Command, epilog=BACKUP_EPILOG)
def backup(
    source: From,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a new SQLite file")],
    as_json: Json = False,
    debug: Debug = False,
) -> int:
    """Write one state of a database into a new SQLite file, while a coordinator uses it or not."""
    from cli.local.databases import back_up, named_database
    from cli.screen.transfer import transfer_bar

    del debug
    origin = named_database(source)
    rows = back_up(origin, file, transfer_bar)
    return _tell(origin.name, str(file), rows, as_json)


def _tell(source: str, target: str, rows: dict[str, int], as_json: bool) -> int:
    from cli.screen.transfer import counts_table

    if as_json:
        print(json.dumps({"from": source, "to": target, "equal": True, "rows": rows}, indent=2))
        return 0
    print(counts_table(rows))
    print(f"{sum(rows.values()):,} rows of {source} are in {target}, read back and equal")
    return 0
