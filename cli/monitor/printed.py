"""The night printed, once or at each interval: as lines, as JSON, as its health, as its alerts."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cli.local.interrupt import interruptible
from cli.monitor.health import Health, State, health_of
from cli.monitor.lines import Told, alert_line, detailed
from cli.monitor.look import Look, Source
from cli.monitor.night import span
from common.errors import NighttrainError, UnavailableError
from common.protocol.runs import RunState

RESTART_SECONDS = 8.0
"""A coordinator that is started again has its address back within so long."""


@dataclass(frozen=True)
class Wanted:
    """What is printed; without anything it is a line on how far the night is, and what is new."""

    detailed: bool = False
    health: bool = False
    alerts: bool = False
    as_json: bool = False


def print_once(source: Source, wanted: Wanted) -> int:
    """Look once, print what is wanted, and return the exit code.

    Raises
    ------
    NighttrainError
        The coordinator does not answer, and its health was not asked for.
    """
    try:
        look = source.look()
    except UnavailableError as error:
        if not wanted.health:
            raise
        _print_away(source, wanted, error, None)
        return Health(State.AWAY, ()).exit_code
    _print(look, wanted, Told(), indent=2)
    return health_of(look).exit_code if wanted.health else 0


def print_on(source: Source, wanted: Wanted, seconds: float, for_ever: bool) -> int:
    """Look at each interval and print what is wanted, until the night or its coordinator ends, and return 0.

    Parameters
    ----------
    source : Source
        Asks the coordinator.
    wanted : Wanted
        What is printed.
    seconds : float
        Between two looks.
    for_ever : bool
        Whether to go on when the night is over; only a signal ends it then.

    Raises
    ------
    NighttrainError
        The coordinator refuses; or does not answer at the very first look, unless it goes on for ever.
    KeyboardInterrupt
        A signal came.
    """
    told, heard = Told(), None
    stop = threading.Event()
    with interruptible() as interrupt:
        interrupt.then = stop.set
        while True:
            try:
                look = source.look()
            except UnavailableError as error:
                if heard is None and not for_ever:
                    raise
                _print_away(source, wanted, error, heard)
                if not for_ever and source.has_ended and time.monotonic() - (heard or 0.0) > RESTART_SECONDS:
                    return 0
            else:
                heard = time.monotonic()
                _print(look, wanted, told, indent=None)
                if not for_ever and _is_over(look):
                    return 0
            stop.wait(seconds)
            interrupt.check()


def _is_over(look: Look) -> bool:
    run = look.status.run
    return run is None or run.state is RunState.CANCELLED or bool(run.results_path)


def _print(look: Look, wanted: Wanted, told: Told, indent: int | None) -> None:
    if wanted.as_json:
        print(json.dumps(_document(look, wanted), indent=indent), flush=True)
        return
    if wanted.detailed or not (wanted.health or wanted.alerts):
        lines = detailed(look) if wanted.detailed else told.lines(look)
        for line in lines:
            print(line)
    if wanted.health:
        health = health_of(look)
        print("\n  ".join((str(health.state), *health.reasons)))
    if wanted.alerts:
        firing = [alert_line(one) for one in look.status.alerts if one.firing]
        print("\n".join(firing or ["no alert fires"]))
    print(end="", flush=True)


def _document(look: Look, wanted: Wanted) -> dict[str, Any]:
    document: dict[str, Any] = {
        "url": look.url,
        "answers": True,
        "health": asdict(health_of(look)),
        "status": look.status.model_dump(mode="json", by_alias=True),
    }
    if wanted.detailed:
        document["jobs"] = [job.model_dump(mode="json", by_alias=True) for job in look.jobs]
    return document


def _print_away(source: Source, wanted: Wanted, error: NighttrainError, heard: float | None) -> None:
    age = None if heard is None else time.monotonic() - heard
    if wanted.as_json:
        health = asdict(Health(State.AWAY, (str(error),)))
        away = {"url": source.client.url, "answers": False, "heard_seconds_ago": age, "health": health}
        print(json.dumps(away), flush=True)
        return
    since = "not heard yet" if age is None else f"last heard {span(age)} ago"
    now = datetime.now().astimezone()
    word = f"{State.AWAY}: " if wanted.health else f"{now:%H:%M:%S} "
    print(f"{word}the coordinator is away, {since}: {error.detail}", flush=True)
