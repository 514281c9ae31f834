"""What a night on this machine is of: the configuration, with its candles found and `all` spelled out."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.local.candles_at_hand import candles_again, candles_for
from cli.local.fit import too_many
from cli.local.folder_contents import assert_mostly_there, assert_named, whole_folder
from cli.local.interrupt import Interrupt
from cli.local.machine import this_machine, trainer_count
from common.errors import ConfigurationError
from common.objects.address import Place
from common.out_folder import OutFolder
from common.settings.given import Given
from common.settings.night import DEFAULT, NightSettings, load_with_origins

DEFAULT_CONFIG = Path("deploy/night_training.yaml")


@dataclass(frozen=True)
class Order:
    """What the command line asks for.

    Parameters
    ----------
    config : Path or None
        The configuration; None takes that of the repository, or the defaults where there is none.
    data : Path, str or None
        Folder with candles, or the address of a store; None takes that of the configuration, or a sample
        where it has none.
    out : Path
        Where everything is written.
    settings : dict
        Values that win over those of the configuration, by dotted key.
    debug : bool
        Write debug messages to the logs.
    """

    config: Path | None
    data: Place | None
    out: Path
    settings: dict[str, Any]
    debug: bool

    @property
    def file(self) -> Path | None:
        """The file with the configuration, or None where there is none."""
        return self.config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)

    def spelled(self, command: str) -> str:
        """Return another command for the same folder and configuration, as it would be typed."""
        words = ["nighttrain", command, "--out", str(self.out)]
        for option, path in (("--config", self.config), ("--data", self.data)):
            words += [option, str(path)] if path is not None else []
        return shlex.join(words)


def configured(order: Order) -> Given:
    """Read the configuration.

    Raises
    ------
    ConfigurationError
        It has a mistake, training is switched off, or what trains was not compiled.
    """
    from trainer.compiled.library import opened

    opened()
    settings, origins = load_with_origins(order.file, order.settings)
    if not settings.training:
        by_environment = os.environ.get("BT_NIGHT_TRAINING")
        hint = "unset BT_NIGHT_TRAINING" if by_environment else f"set training: true in {order.file}"
        raise ConfigurationError("training is false: night training is switched off", hint)
    return Given(settings, {one.key: one.source for one in origins})


def assert_room(settings: NightSettings, console: Console) -> None:
    """Refuse more trainers than this machine could ever hold, and warn of more than fit well.

    Raises
    ------
    ConfigurationError
        It could not hold them.
    """
    impossible, many = too_many(trainer_count(settings), settings, this_machine())
    if impossible:
        raise ConfigurationError(many, "ask for fewer with --trainers, or for auto")
    if many and settings.num_workers != "auto":
        console.print(f"warning: {many}", soft_wrap=True)


def prepared(order: Order, given: Given, out: OutFolder, console: Console, interrupt: Interrupt) -> Given:
    """Find the candles, or make a sample; `data.dir` of what is returned is where they are.

    Raises
    ------
    ConfigurationError
        There are none, or they do not fit the grid.
    KeyboardInterrupt
        A signal came while the sample was made.
    """
    data = candles_for(given.settings, order.data, out, console, interrupt)
    settings, said = _of_folder(order, given.settings, data, out)
    if said:
        console.print(said, soft_wrap=True)
    return _placed(order, given, settings, data)


def prepared_to_stay(
    order: Order, given: Given, out: OutFolder, console: Console, interrupt: Interrupt
) -> Given:
    """As `prepared`, for who shows nights until one is asked for: candles that do not fit are a warning.

    Raises
    ------
    ConfigurationError
        There are no candles, or the grid is all that they hold, and that cannot be told.
    KeyboardInterrupt
        A signal came while the sample was made.
    """
    data, settings = candles_for(given.settings, order.data, out, console, interrupt), given.settings
    try:
        settings, said = _of_folder(order, settings, data, out)
    except ConfigurationError as error:
        if settings.all_symbols or settings.all_timeframes:
            raise
        said = f"warning: {error}"
    if said:
        console.print(said, soft_wrap=True)
    return _placed(order, given, settings, data)


def prepared_again(order: Order, before: Place, out: OutFolder) -> Given:
    """Read the configuration once more, while the night goes on with the candles in `before`.

    Raises
    ------
    ConfigurationError
        It has a mistake, or its candles have one.
    """
    settings, origins = load_with_origins(order.file, order.settings)
    data = candles_again(settings, order.data, before, out)
    whole, _ = _of_folder(order, settings, data, out)
    return _placed(order, Given(settings, {one.key: one.source for one in origins}), whole, data)


def _placed(order: Order, given: Given, settings: NightSettings, data: Place) -> Given:
    asked = given.settings
    settings = settings.model_copy(update={"data": settings.data.model_copy(update={"dir": data})})
    origins = dict(given.origins)
    if order.data is not None:
        origins["data.dir"] = "command line"
    elif data != asked.data.dir:
        origins["data.dir"] = f"sample: {asked.data.dir} has no candles"
    for key in ("symbols", "timeframes"):
        if getattr(settings, key) != getattr(asked, key):
            origins[key] = f"{origins.get(key, DEFAULT)}: all of {data}"
    return replace(given, settings=settings, origins=origins)


def _of_folder(
    order: Order, settings: NightSettings, data: Place, out: OutFolder
) -> tuple[NightSettings, str]:
    if data == out.sample:
        return settings, ""
    if settings.all_symbols or settings.all_timeframes:
        return whole_folder(settings, data)
    if "symbols" in order.settings:
        assert_named(settings.symbols, data)
    else:
        assert_mostly_there(settings, data)
    return settings, ""
