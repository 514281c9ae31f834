"""What the page takes from others, as a list that can be checked, and the command that renews it from npm.

``python -m coordinator.web.vendor`` fetches each file of ``static/vendor.json`` in its exact version by npm
and writes it to ``static``; ``python -m coordinator.web.vendor htmx.org@4.0.2`` takes another version
first. What it fetched is in the list with its checksum, so that a review sees what changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from common.errors import ConfigurationError, NighttrainError, UnavailableError
from common.frozen import Frozen
from common.whole_file import write_whole

STATIC = Path(__file__).with_name("static")
LIST = STATIC / "vendor.json"
PATIENCE_SECONDS = 120


class Vendored(Frozen):
    """One file that others wrote."""

    package: str
    """Its package on npm."""
    version: str
    """The exact version of the package."""
    licence: str
    """The licence that the package names."""
    source: str
    """Where the file lies in the package."""
    file: str
    """Its name below `static`."""
    sha256: str
    """Its checksum, in hexadecimal."""


def vendored() -> tuple[Vendored, ...]:
    """Return the list."""
    return tuple(Vendored.model_validate(one) for one in json.loads(LIST.read_bytes()))


def renew(versions: dict[str, str]) -> tuple[Vendored, ...]:
    """Fetch every file anew and write files and list.

    Parameters
    ----------
    versions : dict of str to str
        Versions to take instead of those of the list, by package.

    Raises
    ------
    ConfigurationError
        npm is not installed, or a package is not on the list.
    UnavailableError
        A package could not be fetched, or lacks the file.
    """
    before = vendored()
    unknown = sorted(set(versions) - {one.package for one in before})
    if unknown:
        raise ConfigurationError(f"{unknown[0]} is not in {LIST}", "write its files there first")
    wanted = sorted({(one.package, versions.get(one.package, one.version)) for one in before})
    renewed: list[Vendored] = []
    with tempfile.TemporaryDirectory() as folder:
        for package, version in wanted:
            archive = _fetched(package, version, Path(folder))
            renewed += [_taken(one, version, archive) for one in before if one.package == package]
    listed = sorted(renewed, key=lambda one: one.file)
    write_whole(LIST, (json.dumps([one.model_dump() for one in listed], indent=2) + "\n").encode())
    return tuple(listed)


def _fetched(package: str, version: str, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigurationError("npm is not installed", "install it (Debian: apt install npm)")
    command = [npm, "pack", f"{package}@{version}", "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    archive = folder / (done.stdout.split() or [""])[-1]
    if done.returncode or not archive.is_file():
        words = " ".join(done.stderr.split()) or "npm said nothing"
        raise UnavailableError(
            f"{package}@{version} could not be fetched: {words}", "check version and network"
        )
    return archive


def _taken(one: Vendored, version: str, archive: Path) -> Vendored:
    with tarfile.open(archive) as packed:
        try:
            content = _read(packed, one.source)
            licence = json.loads(_read(packed, "package.json")).get("license", "")
        except KeyError as error:
            problem = f"{one.package}@{version} has no file {one.source}"
            raise UnavailableError(problem, f"look where it is, and correct source in {LIST}") from error
    write_whole(STATIC / one.file, content)
    digest = hashlib.sha256(content).hexdigest()
    return one.model_copy(update={"version": version, "licence": licence, "sha256": digest})


def _read(packed: tarfile.TarFile, name: str) -> bytes:
    file = packed.extractfile(f"package/{name}")
    assert file is not None
    return file.read()


def main(arguments: Sequence[str] | None = None) -> int:
    """Renew what is vendored, and return the exit code: 0, or that of the error."""
    asked = sys.argv[1:] if arguments is None else arguments
    try:
        versions = dict(_pinned(one) for one in asked)
        for one in renew(versions):
            print(f"{one.file}: {one.package} {one.version}, {one.licence}, {one.sha256[:12]}")  # noqa: T201
    except NighttrainError as error:
        print(f"vendor: {error}", file=sys.stderr)  # noqa: T201
        return error.kind.exit_code
    return 0


def _pinned(argument: str) -> tuple[str, str]:
    package, at, version = argument.rpartition("@")
    if not at or not package or not version:
        raise ConfigurationError(f"{argument!r} names no exact version", "write it as htmx.org@4.0.1")
    return package, version


if __name__ == "__main__":
    sys.exit(main())
