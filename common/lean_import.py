"""What keeps the start of a process short: imports without collections, and without what is not needed."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage until the block ends: imports make much that stays, and next to nothing that goes.

    Later collections leave what was made within alone.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Have modules taken for missing until the block ends; those that are imported already stay.

    It serves libraries that try an import and do without it where it fails. Whoever needs one of the modules
    imports it afterwards as ever.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        # The import system raises ModuleNotFoundError for a name that stands for None.
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
