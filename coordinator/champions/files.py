"""The files of promoted models in `artifacts/direction`: a .pkl and its .json manifest beside each other.

A promotion is committed to the database first. Whatever a crash left half done is written again from the
blob at the next start.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from common.protocol.jobs import Cell
from common.protocol.reports import Manifest
from common.whole_file import write_whole
from coordinator.store.blobs import Artifacts


def publish(artifacts: Artifacts, directory: Path, wanted: Iterable[tuple[Cell, str, str]]) -> list[str]:
    """Write the files of champions that are missing or differ from what the database says.

    Parameters
    ----------
    artifacts : Artifacts
        Where the .pkl of each champion is kept by its digest.
    directory : Path
        The folder of promoted models.
    wanted : iterable of (Cell, str, str)
        As `champions` returns them.

    Returns
    -------
    list of str
        Names of the cells whose files were written.

    Raises
    ------
    StorageError
        A file could not be written, or a blob is missing or damaged.
    """
    written = []
    for cell, sha256, document in wanted:
        stem = f"{cell.name}_logreg_optimized"
        pickle, manifest = directory / f"{stem}.pkl", directory / f"{stem}.json"
        content = manifest_bytes(document)
        if artifacts.is_intact(pickle, sha256) and manifest.is_file() and manifest.read_bytes() == content:
            continue
        # The manifest goes last: until it names the new .pkl, loading fails by digest and never mixes two
        # models.
        write_whole(pickle, artifacts.read(sha256))
        write_whole(manifest, content)
        written.append(cell.name)
    return written


def manifest_bytes(document: str) -> bytes:
    """Return the manifest as it stands beside the .pkl: indented JSON in UTF-8."""
    return (Manifest.model_validate_json(document).model_dump_json(indent=2) + "\n").encode()
