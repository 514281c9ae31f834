"""The files of promoted models in `artifacts/direction`: a .pkl and its .json manifest beside each other.

A change of champions is committed to the database first, and whatever a crash left undone is done at the
next start. Who reads the folder sees for each cell the old pair, the new pair or none, at each instant and
wherever a crash has stopped the writing: both names are links through one pointer, which turns in one step.
The pairs of all models are on disk before the names of any, and those before the first pointer turns: what a
loss of power could mix is synced once for all, and not for each of them.

    BTCUSDT_1h_H1_logreg_optimized.pkl   -> .models/BTCUSDT_1h_H1/model.pkl
    BTCUSDT_1h_H1_logreg_optimized.json  -> .models/BTCUSDT_1h_H1/model.json
    .models/BTCUSDT_1h_H1                -> BTCUSDT_1h_H1.5d41402abc4b2a76
    .models/BTCUSDT_1h_H1.5d41402abc4b2a76/model.pkl, model.json
"""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from common.errors import NotFoundError, StorageError
from common.protocol.jobs import Cell
from common.protocol.reports import Manifest
from common.whole_file import point, sync, write_soon, write_whole
from coordinator.champions.registry import ChampionRow
from coordinator.store.blobs import Artifacts

VERSIONS = ".models"
"""The folder of pairs and pointers, within that of promoted models."""

MANIFEST = "_logreg_optimized.json"
"""What the name of a manifest ends with, behind that of its cell."""

WRITERS = 4
"""So many pairs are brought to the disk at once: each waits for it three times."""

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What a file system without symbolic links says."""


@dataclass
class Published:
    """The cells whose files were written, were removed, or are left as they are, by name.

    Those left have a champion in the database whose manifest is malformed, or are unknown to it: it is new,
    or an older state of it was brought back.
    """

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def publish(
    artifacts: Artifacts, directory: Path, wanted: Iterable[ChampionRow], vacant: Iterable[Cell]
) -> Published:
    """Make the folder of promoted models show the champions that the database names.

    Parameters
    ----------
    artifacts : Artifacts
        Where the .pkl of each champion is kept by its digest.
    directory : Path
        The folder of promoted models; files of other names in it are left alone.
    wanted : iterable of ChampionRow
        The champions.
    vacant : iterable of Cell
        Cells whose former champions must not be shown any longer.

    Raises
    ------
    StorageError
        A file could not be written or removed, or a blob is missing or damaged.
    """
    done = Published()
    known: set[str] = set()
    due: list[tuple[_Place, str, bytes]] = []
    try:
        for cell in vacant:
            known.add(cell.name)
            if _remove(_Place(directory, cell)):
                done.removed.append(cell.name)
        for champion in wanted:
            known.add(champion.cell.name)
            manifest = champion.manifest()
            if manifest is None:
                # It counts as none, and the end of the next run says so; what is shown of it is still whole.
                done.malformed.append(champion.cell.name)
                continue
            place, content = _Place(directory, champion.cell), _written(manifest)
            if place.shows(champion.sha256, content):
                place.drop_others()
                continue
            due.append((place, champion.sha256, content))
        coming, unwritten = _keep(artifacts, due)
        done.written, unshown = _show(directory, coming)
        failed = unwritten or unshown
        shown = (path.name.removesuffix(MANIFEST) for path in directory.glob(f"[!.]*{MANIFEST}"))
        done.unknown = sorted(set(shown) - known)
    except OSError as error:
        reason = error.strerror or str(error)
        where = error.filename or directory
        raise StorageError(
            f"{where}: cannot be changed: {reason}", "free some space or repair the folder"
        ) from error
    if failed is not None:
        raise failed
    return done


def _keep(
    artifacts: Artifacts, due: Sequence[tuple[_Place, str, bytes]]
) -> tuple[list[tuple[_Place, str]], StorageError | None]:
    """Write pairs, each of the model of a digest and a manifest; return their names, and a failure.

    One that is missing must not keep those after it from being shown.
    """
    written: list[tuple[_Place, str]] = []
    failed: StorageError | None = None
    for place, sha256, manifest in due:
        try:
            written.append((place, place.write(artifacts.read(sha256), manifest)))
        except StorageError as error:
            failed = failed or error
    if not written:
        return [], failed

    def synced(place: _Place, name: str) -> StorageError | None:
        try:
            place.sync(name)
        except StorageError as error:
            return error
        return None

    # All at once: what the first of them waits for brings most of the others to the disk.
    with ThreadPoolExecutor(min(WRITERS, len(written)), "pairs") as writers:
        refused = list(writers.map(synced, *zip(*written, strict=True)))
    coming = [pair for pair, error in zip(written, refused, strict=True) if error is None]
    return coming, failed or next((error for error in refused if error is not None), None)


def manifest_bytes(document: str) -> bytes:
    """Return the manifest as it stands beside the .pkl: indented JSON in UTF-8.

    Raises
    ------
    NotFoundError
        It cannot be read, so that it counts as none.
    """
    try:
        return _written(Manifest.model_validate_json(document))
    except ValidationError as error:
        raise NotFoundError("the model's manifest cannot be read", "train the cell again") from error


def _written(manifest: Manifest) -> bytes:
    return (manifest.model_dump_json(indent=2) + "\n").encode()


def manifest_name(cell: Cell) -> str:
    """Return the name of the manifest of a cell's champion."""
    return f"{cell.name}{MANIFEST}"


class _Place:
    """Where the files of one cell are."""

    def __init__(self, directory: Path, cell: Cell) -> None:
        self.cell = cell
        stem = f"{cell.name}_logreg_optimized"
        self.pickle, self.manifest = directory / f"{stem}.pkl", directory / f"{stem}.json"
        self.pointer = directory / VERSIONS / cell.name

    @property
    def names(self) -> tuple[Path, Path]:
        """The two names that users know."""
        return self.pickle, self.manifest

    def shows(self, sha256: str, manifest: bytes) -> bool:
        """Return whether the files are those of this model."""
        if not Artifacts.is_intact(self.pickle, sha256):
            return False
        return self.manifest.is_file() and self.manifest.read_bytes() == manifest

    def keep(self, pickle: bytes, manifest: bytes) -> str:
        """Write a pair where nobody looks yet, bring it to the disk, and return its name."""
        name = self.write(pickle, manifest)
        self.sync(name)
        return name

    def write(self, pickle: bytes, manifest: bytes) -> str:
        """Write a pair where nobody looks yet, to be brought to the disk by `sync`; return its name."""
        digest = hashlib.sha256(hashlib.sha256(pickle).digest() + manifest).hexdigest()[:16]
        folder = self.pointer.with_name(f"{self.pointer.name}.{digest}")
        # One that is there may be shown, for the same pair has the same name: its files are exchanged whole.
        write = write_whole if folder.is_dir() else write_soon
        write(folder / "model.pkl", pickle)
        write(folder / "model.json", manifest)
        return folder.name

    def sync(self, name: str) -> None:
        """Bring a pair that is written to the disk, with its names."""
        folder = self.pointer.with_name(name)
        try:
            for path in (folder / "model.pkl", folder / "model.json", folder):
                sync(path)
        except OSError as error:
            problem = f"{folder}: cannot be written: {error.strerror}"
            raise StorageError(problem, "free some space or repair the folder") from error

    def link(self) -> None:
        """Make both names show what the pointer shows, be that something or nothing; they are not synced."""
        for name in self.names:
            target = f"{VERSIONS}/{self.pointer.name}/model{name.suffix}"
            if not (name.is_symlink() and str(name.readlink()) == target):
                point(name, target, named=False)

    def free_pointer(self) -> None:
        """Remove a folder of the pointer's name: a copy that followed the links left it, and plain files."""
        if self.pointer.is_dir() and not self.pointer.is_symlink():
            shutil.rmtree(self.pointer)

    def drop_others(self) -> None:
        """Remove the pairs that the pointer does not show.

        Not in the turn that moves it: who has just looked up an old pair is to find its files.
        """
        shown = self.pointer.readlink().name if self.pointer.is_symlink() else ""
        for folder in self.pointer.parent.glob(f"{self.pointer.name}.*"):
            if folder.name != shown:
                shutil.rmtree(folder)


def _show(directory: Path, coming: Sequence[tuple[_Place, str]]) -> tuple[list[str], StorageError | None]:
    """Have each place show the pair of a name, which lies there already; return which do, and a failure."""
    failed: StorageError | None = None
    plain, linked = [], []
    for place, version in coming:
        place.free_pointer()
        try:
            present = _present(place)
            if present is not None:
                # Plain files of an earlier version take the new way before they are exchanged.
                point(place.pointer, place.keep(*present))
            place.link()
            linked.append((place, version))
        except StorageError as error:
            failed = failed or error
        except OSError as error:
            try:
                _write_plainly(place, version, error)
                plain.append(place)
            except StorageError as unwritten:
                failed = failed or unwritten
    if linked:
        sync(directory)
        for place, version in linked:
            point(place.pointer, version, named=False)
        sync(directory / VERSIONS)
    return [place.cell.name for place in (*plain, *(place for place, _ in linked))], failed


def _write_plainly(place: _Place, version: str, refused: OSError) -> None:
    """Write the files of a place where there are no links; raises what it was refused for if that is not why.

    The manifest goes last: until it names the new .pkl, loading fails by digest and never mixes two models.
    """
    if refused.errno not in NO_LINKS:
        raise refused
    kept = place.pointer.with_name(version)
    write_whole(place.pickle, (kept / "model.pkl").read_bytes())
    write_whole(place.manifest, (kept / "model.json").read_bytes())


def _present(place: _Place) -> tuple[bytes, bytes] | None:
    """Return the content of plain files, if they belong together."""
    if any(name.is_symlink() or not name.is_file() for name in place.names):
        return None
    pickle, manifest = place.pickle.read_bytes(), place.manifest.read_bytes()
    try:
        named = Manifest.model_validate_json(manifest).pickle_sha256
    except ValidationError:
        return None
    return (pickle, manifest) if hashlib.sha256(pickle).hexdigest() == named else None


def _remove(place: _Place) -> bool:
    """Remove a cell's files and return whether any were there."""
    there = place.pointer.is_symlink() or any(name.is_symlink() or name.exists() for name in place.names)
    place.free_pointer()
    if there:
        # The pointer first: with it both names lose their content at once. A plain .pkl goes before its
        # manifest, which alone is no model.
        for path in (place.pointer, *place.names):
            path.unlink(missing_ok=True)
    else:
        place.drop_others()
    return there
