"""Which candles a night trains on: those named, those of the configured folder, or else a sample."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from cli.local.interrupt import Interrupt
from cli.local.origin import candles_of
from common.errors import ConfigurationError
from common.objects.address import Place
from common.objects.store import StoreError
from common.out_folder import OutFolder
from common.settings.night import NightSettings

HINT_ALL = "name a folder with --data DIR, or name the symbols and timeframes to train on a sample"
OF_DISKS = ("lost+found",)
"""Folders that disks have of their own and that only root can read."""
HINT = "put candles there, name a folder with --data DIR, or leave --data out to train on a sample"


def candles_for(
    settings: NightSettings,
    given: Place | None,
    out: OutFolder,
    console: Console,
    interrupt: Interrupt,
) -> Place:
    """Return where the candles are; make a sample where none were named and the configured folder has none.

    Raises
    ------
    ConfigurationError
        The folder that was named does not exist, is not a folder, cannot be read, or is empty; or there are
        no candles and the night is of all that there is, or the last one of the out folder had some. The
        store refuses, or has nothing at that address.
    StoreError
        The store is away.
    KeyboardInterrupt
        A signal came while the sample was made.
    """
    found = candles_there(settings, given)
    if found is not None:
        return found
    if settings.all_symbols or settings.all_timeframes:
        raise ConfigurationError(f"no candles in {settings.data.dir}, so all is none", HINT_ALL)
    _assert_no_real_ones(settings, out)
    console.print(
        f"no candles in {settings.data.dir}: training on a SYNTHETIC sample, made in {out.sample}",
        soft_wrap=True,
    )
    sample = settings.data.sample
    make_sample(out.sample, settings.symbols, sample.days, sample.seed, interrupt.check)
    return out.sample


def _assert_no_real_ones(settings: NightSettings, out: OutFolder) -> None:
    """Refuse to put models of a sample among those of real candles, for which --data was forgotten."""
    before = candles_of(out)
    if before is not None:
        raise ConfigurationError(
            f"no candles in {settings.data.dir}, and the last night of {out.root} was on those in {before}",
            f"name them with --data {shlex.quote(before)}, or a folder for nights on a sample with --out DIR",
        )


def candles_again(settings: NightSettings, given: Place | None, before: Place, out: OutFolder) -> Place:
    """Return where the candles of a changed configuration are; a sample that is there stays, none is made.

    Raises
    ------
    ConfigurationError
        There are no candles, or they cannot be read.
    """
    found = candles_there(settings, given)
    if found is not None:
        return found
    if before == out.sample:
        return before
    raise ConfigurationError(f"no candles in {settings.data.dir}", HINT)


def make_sample(
    directory: Path,
    symbols: tuple[str, ...],
    days: int,
    seed: int,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write the sample to `directory`, and report the progress on stderr.

    `check` is called between two symbols, and may raise to stop; symbols that are written by then are not
    made again.
    """
    # Here and not above: a run that has candles would wait a second for the numeric stack, and not use it.
    from trainer.sources.sample import write_sample

    def say(stage: str, done: int, total: int) -> None:
        del stage
        check()
        print(f"making sample candles (synthetic): {done} of {total} symbols", file=sys.stderr, flush=True)

    write_sample(directory, symbols, days, seed, say)


def candles_there(settings: NightSettings, given: Place | None) -> Place | None:
    """Return where the candles of a configuration lie; None where nothing was named and its folder has none.

    Raises
    ------
    ConfigurationError
        What was named has no candles: see `assert_has_files`.
    StoreError
        The store is away.
    """
    place = settings.data.dir if given is None else given
    if given is not None or isinstance(place, str):
        assert_has_files(place)
        return place
    return place if place.is_dir() and has_files(place) else None


def assert_has_files(folder: Place) -> None:
    """Refuse a folder or store that was named and cannot have candles.

    Raises
    ------
    ConfigurationError
        The folder does not exist, is not a folder, cannot be read, or has no files in it; the store refuses,
        or has no objects there.
    StoreError
        The store is away.
    """
    if isinstance(folder, str):
        _assert_has_objects(folder)
        return
    if not folder.exists():
        raise ConfigurationError(f"{folder}: no such folder", HINT)
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: not a folder", HINT)
    if has_files(folder):
        return
    links = [path for path in sorted(folder.iterdir()) if path.is_symlink()]
    if links:
        problem = f"{folder}: has no files in it but {links[0].name}, a link that leads out of it"
        aim = links[0].resolve()
        aim = aim.parent if aim.is_file() else aim
        raise ConfigurationError(problem, f"it is not followed: name the folder with --data {aim}")
    raise ConfigurationError(f"{folder}: has no files in it", HINT)


def _assert_has_objects(url: str) -> None:
    from trainer.sources.folder import files_below

    try:
        found = files_below(url)
    except StoreError as error:
        if error.passing:
            raise
        raise ConfigurationError(error.detail, error.hint) from None
    if not found:
        raise ConfigurationError(
            f"{url}: has no objects below it", "correct the address, or put candles there"
        )


def has_files(folder: Path) -> bool:
    """Return whether a folder or one below it has a file of its own that is not hidden.

    Raises
    ------
    ConfigurationError
        It or a folder below it cannot be read.
    """

    def refuse(error: OSError) -> NoReturn:
        problem = f"{error.filename}: cannot be read: {error.strerror}"
        raise ConfigurationError(problem, f"let this user read it (chmod u+rx), or move it out of {folder}")

    root = folder.resolve()
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in OF_DISKS]
        for name in names:
            path = Path(place, name)
            if path.is_file() and not name.startswith(".") and path.resolve().is_relative_to(root):
                return True
    return False
