"""What is asked for of a configuration, as new values by dotted key. Decisions only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cli.local.fit import Choice
from common.errors import ConfigurationError
from common.settings.night import NightSettings, canonical_symbol

THRESHOLDS = ("promote_if.min_auc", "promote_if.max_brier", "promote_if.min_acc")


@dataclass(frozen=True)
class Change:
    """One value that becomes another one, and why, where that was not said by whoever asked."""

    key: str
    before: Any
    after: Any
    why: str = ""


@dataclass(frozen=True)
class Asked:
    """What the command line asks for; None or empty is nothing."""

    add_symbols: tuple[str, ...] = ()
    remove_symbols: tuple[str, ...] = ()
    timeframes: tuple[str, ...] | None = None
    horizons: tuple[int, ...] | None = None
    thresholds: tuple[float, ...] | None = None


def changes(asked: Asked, choices: tuple[Choice, ...], settings: NightSettings) -> list[Change]:
    """Return what differs from the present settings, in the order in which it was asked for.

    Raises
    ------
    ConfigurationError
        It cannot be done: a symbol to be removed is not there, or the symbols are ``all``.
    """
    wanted: list[tuple[str, Any, str]] = []
    if asked.add_symbols or asked.remove_symbols:
        wanted.append(("symbols", _symbols(asked, settings), ""))
    if asked.timeframes is not None:
        wanted.append(("timeframes", list(asked.timeframes), ""))
    if asked.horizons is not None:
        wanted.append(("horizons", list(asked.horizons), ""))
    if asked.thresholds is not None:
        if len(asked.thresholds) != len(THRESHOLDS):
            problem = f"--set-thresholds takes three numbers; got {len(asked.thresholds)}"
            raise ConfigurationError(problem, "AUC, Brier score and accuracy, such as 0.52 0.26 0.50")
        wanted += [(key, value, "") for key, value in zip(THRESHOLDS, asked.thresholds, strict=True)]
    wanted += [(choice.key, choice.value, choice.why) for choice in choices]
    present = settings.model_dump(mode="json")
    found = [Change(key, _at(present, key), after, why) for key, after, why in wanted]
    return [change for change in found if change.before != change.after]


def _symbols(asked: Asked, settings: NightSettings) -> list[str]:
    if settings.all_symbols:
        problem = "symbols is all, so every symbol of the folder is trained already"
        raise ConfigurationError(problem, "name the symbols in the file to add or remove some")
    symbols = list(settings.symbols)
    for symbol in map(canonical_symbol, asked.remove_symbols):
        if symbol not in symbols:
            raise ConfigurationError(f"symbols: {symbol} is not there", f"there are {', '.join(symbols)}")
        symbols.remove(symbol)
    return symbols + [
        symbol for symbol in dict.fromkeys(map(canonical_symbol, asked.add_symbols)) if symbol not in symbols
    ]


def _at(document: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        document = document[part]
    return document
