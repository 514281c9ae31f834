"""What a night has left in its out folder: shown while the containers are stopped, and copied out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from cli.local.nights_measured import unfinished
from cli.screen.plain_table import lines
from cli.stack.owner import User
from common.errors import NotFoundError, StorageError
from common.out_folder import OutFolder
from common.protocol.results import Results

STOPPED = "the containers are stopped (make up starts them)"


def last_night(out: OutFolder) -> Iterator[str]:
    """Yield the table of the last night that has ended, and how far one is that has not.

    Raises
    ------
    NotFoundError
        No night has left anything.
    """
    going = unfinished(out)
    if going:
        yield f"{going}; make up continues it"
    path = max(out.logs.glob("batch_train_results_*.json"), default=None)
    if path is None:
        if not going:
            raise NotFoundError("no night has been trained in the containers yet", "run: make up")
        return
    try:
        results = Results.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise NotFoundError(
            f"{path.name} cannot be read: {str(error).splitlines()[0]}", "run: make up"
        ) from error
    yield from lines(results)


def copy(out: OutFolder, target: Path, owner: User | None) -> Iterator[str]:
    """Copy the promoted models, each with its manifest, and what the nights came to; yield what was copied.

    Parameters
    ----------
    out : OutFolder
        The out folder of the containers.
    target : Path
        Where to; files of the same names are replaced, others stay.
    owner : User or None
        To whom the copies are given.

    Raises
    ------
    NotFoundError
        There is nothing to copy.
    StorageError
        A file could not be written.
    """
    models = sorted(
        path for path in out.models.glob("*") if path.suffix in (".pkl", ".json") and path.exists()
    )
    nights = sorted(
        path for path in out.logs.glob("batch_train_*") if path.suffix in (".json", ".html", ".log")
    )
    if not models and not nights:
        raise NotFoundError("no night has been trained in the containers yet", "run: make up")
    try:
        for name, paths in (("models", models), ("results", nights)):
            folder = target / name
            folder.mkdir(exist_ok=True)
            for path in paths:
                # By its content: a model is a link that turns to its successor.
                shutil.copyfile(path, folder / path.name)
                _give(folder / path.name, owner)
            _give(folder, owner)
    except OSError as error:
        raise StorageError(
            f"{error.filename}: {error.strerror}", "name another folder: make models DIR=..."
        ) from error
    pickles = sum(path.suffix == ".pkl" for path in models)
    yield f"{pickles} models with their manifests -> models"
    yield f"{len(nights)} files of results and logs -> results"


def _give(path: Path, owner: User | None) -> None:
    if owner is not None:
        os.chown(path, owner.uid, owner.gid)
