"""The configuration's file, edited in place: comments and order stay; written whole or not at all."""

from __future__ import annotations

import difflib
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from common.errors import ConfigurationError, ConflictError
from common.settings.night import NightSettings, settings_of
from common.settings.sources import Source, parse_yaml, read_text
from common.whole_file import whole_file

DOCUMENTED = (
    Path(__file__).parents[2] / "deploy" / "night_training.yaml",
    Path("/etc/nighttrain/night_training.yaml"),
)
"""Where the configuration stands in which every key is explained: in a checkout, in a container."""

LOCK_SECONDS = 10.0
UNBROKEN = 1_000_000
"""Width at which no line is broken anew."""

Edit = Callable[[NightSettings], Mapping[str, Any]]
"""What of the present settings becomes what: values by dotted key. It may refuse."""


@dataclass(frozen=True)
class Edited:
    """What an edit of the file changed; `before` is None where there was no file."""

    path: Path
    before: str | None
    after: str
    settings: NightSettings

    @property
    def changed(self) -> bool:
        """Whether the file is another one now."""
        return self.before != self.after

    def difference(self) -> list[str]:
        """Return the lines that were changed, as a unified difference."""
        before = (self.before or "").splitlines()
        name = str(self.path)
        return list(difflib.unified_diff(before, self.after.splitlines(), name, name, lineterm="", n=1))


def edit(path: Path, create: bool, change: Edit, write: bool = True) -> Edited:
    """Edit a configuration, or make it first.

    Parameters
    ----------
    path : Path
        The file; a link stays one, and what it shows is edited.
    create : bool
        Whether it is made, with every key explained, where there is none.
    change : callable
        Gets the settings of the file alone, without the environment, and returns the new values.
    write : bool
        Otherwise only what would be is returned.

    Raises
    ------
    ConfigurationError
        The file is missing or invalid, or would be; it is as it was.
    ConflictError
        Another process has been editing it for a while.
    StorageError
        It cannot be written; it is as it was.
    """
    target = path.resolve()
    try:
        if not write:
            return _edited(path, target, create, change)
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock"), timeout=LOCK_SECONDS):
            edited = _edited(path, target, create, change)
            if edited.changed:
                _write(target, edited.after)
            return edited
    except Timeout:
        raise ConflictError(f"{path}: another process is editing it", "try again when it is done") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be edited: {error.strerror or error}") from error


def _edited(path: Path, target: Path, create: bool, change: Edit) -> Edited:
    before = None if create and not target.exists() else read_text(target)
    text = _documented() if before is None else before
    values = change(_settings(text, path))
    after = edited_text(text, values, path) if values else text
    return Edited(path, before, after, _settings(after, path))


def _settings(text: str, path: Path) -> NightSettings:
    return settings_of([Source(str(path), parse_yaml(text, path))])


def _documented() -> str:
    for path in DOCUMENTED:
        if path.is_file():
            return read_text(path)
    return _dumped(CommentedMap(NightSettings().model_dump(mode="json")))


def _write(target: Path, text: str) -> None:
    mode = target.stat().st_mode & 0o777 if target.exists() else None
    with whole_file(target) as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(text.encode("utf-8"))


def edited_text(text: str, values: Mapping[str, Any], path: Path) -> str:
    """Return the text with other values by dotted key; every line that no value stands in is as it was.

    Raises
    ------
    ConfigurationError
        The place of a value is no section.
    """
    document = _yaml().load(text)
    if document is None:
        document = CommentedMap()
    plain = _dumped(document)
    for key, value in values.items():
        *sections, last = key.split(".")
        place = document
        for section in sections:
            if place.get(section) is None:
                place[section] = CommentedMap()
                place[section].fa.set_flow_style()
            place = place[section]
            if not isinstance(place, CommentedMap):
                raise ConfigurationError(f"{path}: {section}: must be a section with keys of its own")
        place[last] = _listed(place.get(last), value) if isinstance(value, list) else value
    return _grafted(text, plain, _dumped(document))


def _listed(present: Any, value: list[Any]) -> CommentedSeq:
    if not isinstance(present, CommentedSeq):
        fresh = CommentedSeq(value)
        fresh.fa.set_flow_style()
        return fresh
    kept = [one for one in present if one in value]
    if value[: len(kept)] != kept:
        present[:] = value
        return present
    # Item by item, so that the comments of those that stay do too.
    for place in reversed(range(len(present))):
        if present[place] not in value:
            del present[place]
    present.extend(value[len(kept) :])
    return present


def _grafted(text: str, plain: str, edited: str) -> str:
    """Put the changed lines into the text as it was written, which a YAML library writes in its own way."""
    ending = "\r\n" if "\r\n" in text else "\n"
    own, written, new = text.splitlines(), plain.splitlines(), edited.splitlines()
    if len(own) != len(written):
        return ending.join(new) + ending
    lines: list[str] = []
    for what, start, end, new_start, new_end in difflib.SequenceMatcher(None, written, new).get_opcodes():
        lines += own[start:end] if what == "equal" else new[new_start:new_end]
    return ending.join(lines) + ending


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = UNBROKEN
    yaml.preserve_quotes = True
    return yaml


def _dumped(document: CommentedMap) -> str:
    stream = io.StringIO()
    _yaml().dump(document, stream)
    return stream.getvalue()
