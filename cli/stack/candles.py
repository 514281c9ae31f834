"""Which candles a start takes, and whether a sample is made first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PureWindowsPath

from cli.stack.facts import Facts
from common.errors import ConfigurationError

DEFAULT, SAMPLE = "./data/candles", "./data/sample"


@dataclass(frozen=True)
class Found:
    """Whether there are candles: in the folder that is chosen, and in `data/candles`."""

    chosen: bool
    default: bool


@dataclass(frozen=True)
class Choice:
    """The folder of a start; `written` is what `.env` is to say, None where its line stays as it is."""

    folder: str
    written: str | None
    sample: bool
    words: str = ""


def choose(facts: Facts, found: Found) -> Choice:
    """Return which folder is taken; one that the user chose is never replaced by another.

    Raises
    ------
    ConfigurationError
        The user's own folder has no candles.
    """
    chosen = _plain(facts.composition.candles)
    places = {_plain(f"{facts.composition.root}/{folder[2:]}"): folder for folder in (DEFAULT, SAMPLE)}
    own = _own(facts)
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


def _own(facts: Facts) -> bool:
    """Whether `.env` names a folder of the user's own."""
    written = facts.composition.dotenv.get("CANDLES_DIR", "")
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
