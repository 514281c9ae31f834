"""The settings in force, and the file that they come from, looked at again and again.

A change is seen once the file has rested for one look, because an editor may empty a file before it fills it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.errors import NighttrainError
from common.settings.changes import Change, differences, in_force
from common.settings.given import Given
from common.settings.night import NightSettings

Stamp = tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """A file with settings, and what reads it; `read` raises NighttrainError for a mistake in it."""

    path: Path
    read: Callable[[Path], Given]


@dataclass(frozen=True)
class Proposal:
    """What a look has found: the settings that are to hold from now on.

    `said` is what is new in the file, `taken` what is new in force; either may be empty.
    """

    settings: NightSettings
    wanted: Given
    said: tuple[Change, ...]
    taken: tuple[Change, ...]


class Configuration:
    """The settings in force.

    Parameters
    ----------
    given : Given
        The settings at the start.
    source : Source or None
        What is looked at again; None: they never change.
    """

    def __init__(self, given: Given, source: Source | None = None) -> None:
        self.settings = given.settings
        self._source = source
        self._wanted = self._latest = given
        self._told: Mapping[str, str] = given.origins
        self._mistake = ""
        self._seen: Stamp | None = _stamp(source.path) if source else None
        self._read: Stamp | None = self._seen

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each setting in force that is no default comes from."""
        waiting = {change.key for change in self.waiting}
        kept = {key: name for key, name in self._wanted.origins.items() if key not in waiting}
        return kept | {key: self._told[key] for key in waiting if key in self._told}

    @property
    def waiting(self) -> tuple[Change, ...]:
        """What the file says and is not in force yet."""
        return differences(self.settings, self._wanted.settings)

    @property
    def waiting_words(self) -> tuple[str, ...]:
        """The same in sentences."""
        return tuple(f"{change.words} {change.taken_up}" for change in self.waiting)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people are to know of the file: a mistake in it, or that nobody here sees it any longer."""
        told = (self._mistake, self._replaced())
        return (*(one for one in told if one), *self._wanted.warnings)

    @property
    def wanted(self) -> Given:
        """What the file says, in force or not."""
        return self._wanted

    def read_again(self) -> None:
        """Have the next look read the file although it has not changed, for what it names may have."""
        self._read = ()

    def look(self, night_is_running: bool) -> Proposal | None:
        """Look at the file, and return what is to change now, or None."""
        self._latest = wanted = self._changed() or self._latest
        settings = in_force(self.settings, wanted.settings, night_is_running)
        said = differences(self._wanted.settings, wanted.settings)
        taken = differences(self.settings, settings)
        if not said and not taken:
            # Origins and warnings alone need no decision.
            self._wanted = wanted
            return None
        return Proposal(settings, wanted, said, taken)

    def accept(self, proposal: Proposal) -> None:
        """Put a proposal in force."""
        self._told = self.origins
        self._wanted, self.settings = proposal.wanted, proposal.settings

    def _changed(self) -> Given | None:
        if self._source is None:
            return None
        stamp = _stamp(self._source.path)
        rested, self._seen = stamp == self._seen, stamp
        if not rested or stamp == self._read:
            return None
        try:
            given = self._source.read(self._source.path)
        except NighttrainError as error:
            self._mistake = f"{error}; the configuration of before stays in force"
            return None
        finally:
            self._read = stamp
        self._mistake = ""
        return given

    def _replaced(self) -> str:
        # Where one file is mounted into a container, its successor of the same name is not.
        if self._seen is None or self._seen[-1] != 0 or self._source is None:
            return ""
        return (
            f"{self._source.path} was replaced by a new file that this container cannot see: make up puts it "
            "in force"
        )


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_nlink
