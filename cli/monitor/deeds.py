"""What can be done to a night from the screen, and of which it is asked first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cli.orders import order
from common.client.client import OperatorClient
from common.protocol.steering import Action, Order, PauseOrder, RetryOrder, Steered

Give = Callable[[OperatorClient, str, bool], Steered]
"""Gives the order, for a reason, or only asks what it would do."""


@dataclass(frozen=True)
class Deed:
    """An order: its question, the word for doing it, and whether it is asked for first."""

    question: str
    word: str
    give: Give
    asks: bool = False


def pause(run: int, give_back: bool) -> Deed:
    """Hand out no more jobs; `give_back` has running ones save their folds and stop too."""

    def give(client: OperatorClient, reason: str, preview: bool) -> Steered:
        return client.steer_run(run, Action.PAUSE, PauseOrder(**order(reason, preview, give_back=give_back)))

    return Deed(f"Pause night {run}?", "Pause", give)


def resume(run: int) -> Deed:
    """Hand out jobs again."""
    return Deed(f"Resume night {run}?", "Resume", _of_run(run, Action.RESUME))


def end(run: int) -> Deed:
    """End the night with what is done."""
    return Deed(f"End night {run} now, with what is done?", "End it", _of_run(run, Action.END), asks=True)


def cancel(run: int) -> Deed:
    """Cancel the night."""
    question = f"Cancel night {run}, and promote nothing of it?"
    return Deed(question, "Cancel it", _of_run(run, Action.CANCEL), asks=True)


def retry_failed(run: int) -> Deed:
    """Try all that failed again."""

    def give(client: OperatorClient, reason: str, preview: bool) -> Steered:
        return client.steer_run(run, Action.RETRY, RetryOrder(**order(reason, preview)))

    return Deed(f"Try all failed jobs of night {run} again?", "Try again", give)


def retry(job: int, name: str) -> Deed:
    """Try a job again."""
    return Deed(f"Try {name} again?", "Try again", _of_job(job, Action.RETRY))


def cancel_job(job: int, name: str) -> Deed:
    """Cancel a job; what it did since its last fold is lost, so it is asked for first."""
    return Deed(f"Cancel {name}?", "Cancel it", _of_job(job, Action.CANCEL_JOB), asks=True)


def run_next(job: int, name: str) -> Deed:
    """Hand a job out before all others."""
    return Deed(f"Hand out {name} next?", "Run it next", _of_job(job, Action.NEXT))


def unpark(run: int, symbol: str) -> Deed:
    """Hand out the jobs of a parked symbol again."""

    def give(client: OperatorClient, reason: str, preview: bool) -> Steered:
        return client.unpark(run, symbol, Order(**order(reason, preview)))

    return Deed(f"Hand out the jobs of {symbol} again?", "Release it", give)


def _of_run(run: int, action: Action) -> Give:
    return lambda client, reason, preview: client.steer_run(run, action, Order(**order(reason, preview)))


def _of_job(job: int, action: Action) -> Give:
    return lambda client, reason, preview: client.steer_job(job, action, Order(**order(reason, preview)))
