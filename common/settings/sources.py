"""Where settings come from: a YAML file, the environment, the command line; mistakes name their source."""

from __future__ import annotations

import copy
import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from common.errors import ConfigurationError
from common.objects.address import without_credentials
from common.quoted import escaped, quoted

SHOWN = 80
"""Characters of a wrong value that are shown."""
LONGEST_WORDS = 300
"""Characters of what is said of it; the words may hold the value too."""


@dataclass(frozen=True)
class Origin:
    """A setting by its dotted key, its value, and the name of the source that it is from."""

    key: str
    value: Any
    source: str


@dataclass(frozen=True)
class Source:
    """Values, nested like the settings, and where they stand."""

    name: str
    values: dict[str, Any]

    def holds(self, location: Sequence[int | str]) -> bool:
        """Whether the value at a location, or the list that it belongs to, stands here."""
        values: Any = self.values
        for key in location:
            if isinstance(key, int):
                return True
            if not isinstance(values, dict) or key not in values:
                return False
            values = values[key]
        return True


def merged(sources: Sequence[Source]) -> dict[str, Any]:
    """Return all values; those of a later source win, key by key."""
    document: dict[str, Any] = {}
    for source in sources:
        _merge(document, source.values)
    return document


def _merge(document: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            _merge(document[key], value)
        else:
            document[key] = copy.deepcopy(value)


def origins(values: Mapping[str, Any], sources: Sequence[Source], otherwise: str) -> list[Origin]:
    """Return each value with the last source that holds it, or `otherwise` where none does.

    Parameters
    ----------
    values : mapping
        All settings, nested; a list and an empty section are one value.
    sources : sequence of Source
        Those that were merged; a later one wins.
    otherwise : str
        Name of what a value is from that stands nowhere.
    """
    return list(_origins(values, sources, otherwise, ()))


def _origins(
    values: Mapping[str, Any], sources: Sequence[Source], otherwise: str, above: tuple[str, ...]
) -> Iterator[Origin]:
    for key, value in values.items():
        place = (*above, key)
        if isinstance(value, dict) and value:
            yield from _origins(value, sources, otherwise, place)
        else:
            source = next((one.name for one in reversed(sources) if one.holds(place)), otherwise)
            yield Origin(".".join(place), value, source)


def nested(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{"dashboard.port": 5001}`` as ``{"dashboard": {"port": 5001}}``."""
    document: dict[str, Any] = {}
    for key, value in dotted.items():
        *parents, last = key.split(".")
        place = document
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return document


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; an empty file is an empty mapping.

    Raises
    ------
    ConfigurationError
        The file cannot be read, is no YAML, no mapping, or names a key twice.
    """
    return parse_yaml(read_text(path), path)


def read_text(path: Path) -> str:
    """Return the text of a configuration.

    Raises
    ------
    ConfigurationError
        The file cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: no such file", "name the configuration with --config FILE"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error


def parse_yaml(text: str, path: Path) -> dict[str, Any]:
    """Return the mapping that the text of a YAML file is.

    Raises
    ------
    ConfigurationError
        As of `read_yaml`.
    """
    try:
        document = _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = quoted(" ".join(str(getattr(error, "problem", error)).split()), LONGEST_WORDS)
        raise ConfigurationError(f"{path}: {place}no valid YAML: {problem}") from error
    except RecursionError:
        raise ConfigurationError(
            f"{path}: no valid YAML: brackets or sections lie too deep in each other"
        ) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigurationError(
            f"{path}: must be a mapping of keys to values, as in deploy/night_training.yaml"
        )
    return {str(key): value for key, value in document.items()}


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, where YAML would silently take the last; names what is no value."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                problem=f"{_shown(node.value)} is no {kind}", problem_mark=node.start_mark
            ) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    problem="a key must be a word", problem_mark=key_node.start_mark
                )
            key = key_node.value
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key} stands twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Environment(EnvSettingsSource):
    """Takes a list as JSON, or as words with commas between them."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        del field_name
        is_list = get_origin(field.annotation) in (tuple, list)
        try:
            decoded = json.loads(value)
        except (ValueError, RecursionError):
            return [word.strip() for word in value.split(",")] if is_list else value
        return [decoded] if is_list and not isinstance(decoded, list) else decoded


def read_environment(model: type[BaseSettings], prefix: str, aliases: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that the environment names; empty variables count as not set.

    Parameters
    ----------
    model : type
        The settings.
    prefix : str
        How the name of each variable of ours begins.
    aliases : mapping
        Dotted keys by the names of variables that are not made from them.

    Raises
    ------
    ConfigurationError
        A variable with the prefix names no setting.
    """
    variables = {name.upper(): value for name, value in os.environ.items() if value}
    document = dict(_Environment(model, env_ignore_empty=True)())
    names = [*aliases, *(prefix + name.upper() for name in model.model_fields)]
    for name in sorted(name for name in variables if name.startswith(prefix)):
        key = aliases.get(name) or name.removeprefix(prefix).lower().replace("__", ".")
        if key.split(".")[0] not in model.model_fields:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else "see deploy/night_training.yaml for what there is"
            raise ConfigurationError(f"environment: {name} is no setting", hint)
        if name in aliases:
            _merge(document, nested({key: variables[name]}))
    return document


_TAGS = ("literal[", "constrained-", "function-")
"""How pydantic marks, within a location, the branch of a union that it tried."""

_RIGHT = {
    "num_workers": "must be auto or a whole number from 1 to 256",
    "max_cache": "must be auto or a number from 0.1 to 1000000",
}

_WORDS = {
    "model_type": "must be a section with keys of its own",
    "tuple_type": "must be a list",
    "path_type": "must be a path in quotes",
    "string_type": "must be text; put it in quotes",
    "missing": "must be given",
}
"""What would be right, by pydantic's type of mistake, where its own words speak of Python."""


def explain(error: ValidationError, sources: Sequence[Source], model: type[BaseModel]) -> str:
    """Return one sentence a mistake: which source, which key, what would be right, and what was got."""
    lines: dict[str, str] = {}
    for mistake in error.errors():
        location = [part for part in mistake["loc"] if not str(part).startswith(_TAGS)]
        key = ".".join(str(part) for part in location)
        missing = mistake["type"] == "missing"
        place = location[:-1] if missing else location
        where = next((source.name for source in reversed(sources) if source.holds(place)), "settings")
        if mistake["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(location[-1]), _keys(model, location[:-1]), n=1)
            lines[key] = f"{where}: {key}: unknown key{f'; did you mean {near[0]}?' if near else ''}"
        else:
            words = mistake["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            right = _RIGHT.get(key) or _WORDS.get(mistake["type"], words)
            got = "" if missing else f"; got {_shown(mistake['input'])}"
            lines[key] = f"{where}: {key}: {_shortened(right, LONGEST_WORDS)}{got}"
    return escaped("; ".join(lines.values()))


def _shown(value: Any) -> str:
    try:
        words = repr(list(value) if isinstance(value, tuple) else value)
        return _shortened(without_credentials(words), SHOWN)
    except (ValueError, RecursionError):
        # Python writes no number of more than 4,300 digits.
        return "what is too large to be shown"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _keys(model: Any, location: Sequence[int | str]) -> list[str]:
    for key in location:
        field = model.model_fields.get(key)
        model = field.annotation if field else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return list(model.model_fields)
