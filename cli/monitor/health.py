"""Whether a night needs somebody, for scripts. Decisions only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from cli.monitor.look import Look
from cli.monitor.night import failures, worth_a_look
from cli.screen.columns import shown
from common.protocol.jobs import Cause
from common.protocol.runs import RunState
from common.protocol.status import TrainerState

WARM_UP = timedelta(seconds=30)
"""How long trainers may take to appear in a night that was just begun."""


class State(StrEnum):
    """Whether somebody should look."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    AWAY = "away"


EXIT_CODES = {State.OK: 0, State.AWAY: 1, State.WARNING: 3, State.CRITICAL: 4}
"""2 is a mistake in the options, as everywhere."""


@dataclass(frozen=True)
class Health:
    """How a night is, and the reasons in sentences, the worst first."""

    state: State
    reasons: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """What a command that was asked for it exits with."""
        return EXIT_CODES[self.state]


def health_of(look: Look) -> Health:
    """Return how a night is.

    Critical are alerts of that severity, and a night that nobody works on although it is open. Warnings are
    other alerts, what the coordinator warns of, and cells that failed. A night that is paused, closed by its
    window, or not there at all is as it should be, and candles that were refused are no failure.
    """
    status = look.status
    firing = [alert for alert in status.alerts if alert.firing]
    told = [f"{one.name} fires: {shown(one.summary or one.description)}" for one in firing]
    critical = [words for words, one in zip(told, firing, strict=True) if one.severity == "critical"]
    if _nobody_works(look):
        critical.insert(0, "no trainer is alive, so the night is not progressing")
    warnings = [words for words, one in zip(told, firing, strict=True) if one.severity == "warning"]
    warnings += [one for one in worth_a_look(status) if not one.startswith("no trainer is alive")]
    warnings += [
        f"{len(group.jobs)} job{'s' * (len(group.jobs) > 1)} failed ({group.cause}): {shown(group.message)}"
        for group in failures(look.jobs)
        if group.cause is not Cause.DATA
    ]
    state = State.CRITICAL if critical else State.WARNING if warnings else State.OK
    return Health(state, (*critical, *warnings))


def _nobody_works(look: Look) -> bool:
    run, night = look.status.run, look.status.night
    if run is None or run.state is not RunState.RUNNING or run.paused is not None or not night.open:
        return False
    alive = any(one.state is not TrainerState.LOST for one in look.status.trainers)
    return not alive and look.status.time - run.created > WARM_UP
