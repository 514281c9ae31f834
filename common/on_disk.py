"""Files that the disk takes while other work goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from common.errors import StorageError
from common.whole_file import sync


@contextmanager
def on_disk() -> Iterator[Callable[[Path], None]]:
    """Yield what begins to bring a file to the disk; at the end of the block all of them are there.

    Their names are not: `sync` brings these.

    Raises
    ------
    StorageError
        The disk refused a part of a file, which is gone once its pages leave the memory; it is removed. The
        error of what stands within goes first.
    """
    with ThreadPoolExecutor(1, "on_disk") as apart:
        taken = []
        yield lambda path: taken.append(apart.submit(_sync, path))
        for one in taken:
            one.result()


def _sync(path: Path) -> None:
    try:
        sync(path)
    except FileNotFoundError:
        # Who has removed it meanwhile has no use for it on the disk.
        return
    except OSError as error:
        path.unlink(missing_ok=True)
        problem = f"{path}: cannot be written: {error.strerror}"
        raise StorageError(problem, "free some space or repair the folder") from error
