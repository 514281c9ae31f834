"""Which candles a start takes: a folder, a store, or a sample that is made first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PureWindowsPath

from cli.stack.facts import Facts
from common.errors import ConfigurationError
from common.objects.address import place_of

DEFAULT, SAMPLE = "./data/candles", "./data/sample"


@dataclass(frozen=True)
class Found:
    """Whether there are candles: in the folder that is chosen, and in `data/candles`."""

    chosen: bool
    default: bool


@dataclass(frozen=True)
class Choice:
    """The folder that a start mounts; `written` is what `.env` is to say, None where its line stays."""

    folder: str
    written: str | None
    sample: bool
    words: str = ""


def choose(facts: Facts, found: Found) -> Choice:
    """Return which folder is taken; one that the user chose is never replaced by another.

    Where candles come from a store, no folder is looked into.

    Raises
    ------
    ConfigurationError
        The user's own folder has no candles, or `CANDLES_URL` cannot be followed.
    """
    if url := facts.value("CANDLES_URL"):
        return _of_store(url, facts)
    chosen = _plain(facts.composition.candles)
    places = {_plain(f"{facts.composition.root}/{folder[2:]}"): folder for folder in (DEFAULT, SAMPLE)}
    own = _is_own(facts.composition.dotenv.get("CANDLES_DIR", ""), facts)
    given = "CANDLES_DIR" in facts.given
    folder = places.get(chosen)
    if folder == SAMPLE and not given and found.default:
        words = (
            "there are candles in data/candles now: using them instead of the SYNTHETIC ones in data/sample"
        )
        return Choice(DEFAULT, DEFAULT, False, words)
    if folder is None:
        if not found.chosen:
            raise ConfigurationError(
                f"CANDLES_DIR: there are no candles in {facts.composition.candles}",
                "put them there, or correct it in .env or the environment",
            )
        return Choice(facts.value("CANDLES_DIR"), None, False)
    if found.chosen:
        return Choice(folder, None, False)
    words = f"no candles in {folder}: making SYNTHETIC ones in data/sample"
    return Choice(SAMPLE, None if own else SAMPLE, True, words)


def _of_store(url: str, facts: Facts) -> Choice:
    if _is_own(facts.value("CANDLES_DIR"), facts):
        raise ConfigurationError(
            "CANDLES_URL and CANDLES_DIR are both set: candles come from one place",
            "leave one of them empty in .env or the environment",
        )
    try:
        place = place_of(url)
    except ValueError as error:
        raise ConfigurationError(f"CANDLES_URL: {error}") from None
    if not isinstance(place, str):
        raise ConfigurationError(
            "CANDLES_URL names a folder, and containers read one that CANDLES_DIR names",
            "write s3://BUCKET/PREFIX or gs://BUCKET/PREFIX, or name the folder in CANDLES_DIR",
        )
    if place.startswith("az:"):
        raise ConfigurationError(
            "CANDLES_URL: trainers here read s3:// and gs://; Azure's key would be in their environment",
            "mount the container as a folder and name that in CANDLES_DIR",
        )
    return Choice(DEFAULT, None, False, f"candles come from {place}, to which trainers have a way out")


def _is_own(written: str, facts: Facts) -> bool:
    """Whether a folder is the user's own."""
    root = facts.composition.root
    ours = {
        _plain(place)
        for folder in (DEFAULT, SAMPLE)
        for place in (folder, folder[2:], f"{root}/{folder[2:]}")
    }
    return bool(written) and _plain(written) not in ours


def _plain(path: str) -> str:
    # One spelling of a path, on Windows too.
    return PureWindowsPath(path).as_posix().rstrip("/")
