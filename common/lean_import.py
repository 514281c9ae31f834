"""What keeps the start of a process short: imports without collections, and without what is not needed.

And what keeps collections from those who make many objects, and hardly a cycle of them.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

YOUNG_OBJECTS = 20_000


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


def collect_seldom() -> None:
    """Look for cycles of garbage after `YOUNG_OBJECTS` new objects, where Python 3.11 does after 700.

    A document that comes is hundreds of objects, which make no cycles: to look through them each time was
    two fifths of the time in which a result was read.
    """
    gc.set_threshold(YOUNG_OBJECTS)


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Have modules taken for missing until the block ends; those that are imported already stay.

    It serves libraries that try an import and do without it where it fails. Whoever needs one of the modules
    imports it afterwards as ever.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        # The import system raises ModuleNotFoundError for a name that stands for None.
        sys.modules[name] = None  # type: ignore[assignment]  # as the language has it
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def empty(package: ModuleType, *names: str) -> Iterator[None]:
    """Have modules within a package that it imports on demand be empty until the block ends.

    It serves libraries that take over all names of a package, and so have it import what nobody asks for.
    Those that are imported already stay; whoever needs one afterwards gets it as ever.
    """
    hidden = {name: ModuleType(f"{package.__name__}.{name}") for name in names if name not in vars(package)}
    vars(package).update(hidden)
    try:
        yield
    finally:
        for name, module in hidden.items():
            if vars(package)[name] is module:
                delattr(package, name)
