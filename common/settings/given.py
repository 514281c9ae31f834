"""The configuration as a launcher hands it to its coordinator: finished settings in a file, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from common.errors import ConfigurationError
from common.quoted import quoted
from common.settings.night import NightSettings, load_with_origins
from common.settings.sources import LONGEST_WORDS
from common.whole_file import write_whole


@dataclass(frozen=True)
class Given:
    """Settings, where each that is no default comes from, and what people are to know of them."""

    settings: NightSettings
    origins: Mapping[str, str] = field(default_factory=dict)
    """By dotted key: a file, `environment` or `command line`."""
    warnings: tuple[str, ...] = ()
    """Sentences such as that the file is broken and the settings are those of before."""


def from_yaml(path: Path) -> Given:
    """Read a configuration, and the environment, which overrides it.

    Raises
    ------
    ConfigurationError
        As of `load`.
    """
    settings, origins = load_with_origins(path)
    return Given(settings, {one.key: one.source for one in origins})


def write_given(path: Path, given: Given) -> None:
    """Write the file whole or not at all, for its owner alone: `database_url` may hold a password.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    document = given.settings.model_dump(mode="json")
    document |= {"origins": dict(given.origins), "warnings": list(given.warnings)}
    write_whole(path, (json.dumps(document, indent=2) + "\n").encode(), 0o600)


def read_given(path: Path) -> Given:
    """Read what `write_given` wrote; an earlier version told no warnings.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or holds no settings.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        told = document.pop("origins", {})
        warnings = tuple(str(one) for one in document.pop("warnings", ()))
        origins = {str(key): str(name) for key, name in told.items()}
        return Given(NightSettings(**document), origins, warnings)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        mistake = error.errors()[0] if isinstance(error, ValidationError) else None
        words = f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}" if mistake else str(error)
        raise ConfigurationError(f"{path} holds no settings: {quoted(words, LONGEST_WORDS)}") from error
