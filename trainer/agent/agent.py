"""The agent of a trainer: claims jobs, has a child do each, keeps its lease, and reports how it went.

It knows the network and no mathematics; nothing that it imports imports numpy. The main thread watches the
child and the wish to stop; the thread of the lease speaks with the coordinator meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from common.client.connection import Backoff, retry
from common.client.trainers import Nothing, TrainerClient
from common.errors import NighttrainError, NotFoundError
from common.host import ControlGroup
from common.objects.address import Place
from common.protocol.jobs import Cause, SurveySpec
from common.protocol.trainers import (
    ClaimRequest,
    Directive,
    Failure,
    Finish,
    Grant,
    Release,
    TrainerHello,
    Welcome,
)
from trainer.agent.children import REST_SECONDS, RestingChild
from trainer.agent.disk import DiskTrial
from trainer.agent.lease import HeldLease, Report, Success
from trainer.agent.load import LoadMeter
from trainer.agent.stop_request import StopRequest
from trainer.agent.unsent import Unsent
from trainer.agent.vitals import LOST, SUCCEEDED, Phase, Vitals
from trainer.process.channel import AttemptFailure, Result, Task
from trainer.process.child import Child, End
from trainer.process.exit_cause import Killed, Limits, gib
from trainer.process.fork_server import TRAINING, WORKER, ForkServer

LOG = logging.getLogger(__name__)

CHILD_GRACE_SECONDS = 7.0
"""How long after a request to stop the child may take to its next checkpoint."""

STOP_SECONDS = 9.0
"""When, after a request to stop, the agent leaves whether or not the coordinator has answered."""

AWAY_SECONDS = 30.0
"""How often a log line says that the coordinator is still away."""

MAX_IDLE_SECONDS = 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class Workplace:
    """Where jobs are done: candles, cache and its bound, the control group, what a child runs and needs."""

    data_dir: Place
    cache_dir: Path
    group: ControlGroup
    cache_limit_bytes: int | None = None
    target: str = f"{WORKER}:perform"
    training: str = TRAINING


class Agent:
    """A trainer's loop, from registration to the request to stop.

    Parameters
    ----------
    client : TrainerClient
        The coordinator.
    hello : TrainerHello
        Who this trainer is.
    server : ForkServer
        Makes children; started, and perhaps still importing.
    place : Workplace
        Where jobs are done.
    stop : StopRequest
        Ends the loop.
    vitals : Vitals
        Keeps what the agent does for whoever asks.
    """

    def __init__(
        self,
        client: TrainerClient,
        hello: TrainerHello,
        server: ForkServer,
        place: Workplace,
        stop: StopRequest,
        vitals: Vitals,
    ) -> None:
        self._client, self._hello, self._server, self._place, self._stop = client, hello, server, place, stop
        self._vitals = vitals
        self._unsent = Unsent(place.cache_dir)
        self._disk = DiskTrial(place.cache_dir)
        self._load = LoadMeter(place.group)
        self._resting = RestingChild()
        self._last_symbol = ""
        self._said_away_at: float | None = None
        self._said_idle = ""
        self._said_disk = ""

    def run(self) -> None:
        """Work until it is asked to stop.

        Raises
        ------
        NighttrainError
            The coordinator refuses this trainer (wrong token, another version), or the training code
            cannot be imported.
        """
        # Before the registration, which takes the leases of an earlier process of this name for lost.
        self._ask(lambda: self._unsent.hand_in(self._client, self._vitals.beat))
        welcome = self._register()
        offered: Grant | Nothing | None = None
        while welcome is not None and not self._stop.is_made:
            self._server.reap()
            if not self._warm_up():
                break
            if offered is None:
                self._resting.send_away()
            try:
                claimed = offered or self._ask(lambda: self._client.claim(self._claim_request()))
            except NotFoundError:
                LOG.warning("the coordinator does not know this trainer; registering again")
                welcome = self._register()
                continue
            offered = None
            if isinstance(claimed, Grant):
                self._said_idle = ""
                offered = self._work(claimed, welcome)
            elif claimed is not None:
                self._resting.send_away()
                self._idle(claimed)
        if isinstance(offered, Grant):
            self._give_back(offered)

    def _register(self) -> Welcome | None:
        welcome = self._ask(lambda: self._client.register(self._hello))
        if welcome is not None:
            LOG.info("registered as %s at %s", self._hello.name, self._client.url)
            if welcome.lost_leases:
                LOG.info("%d lease(s) of an earlier process were given up", welcome.lost_leases)
        return welcome

    def _give_back(self, grant: Grant) -> None:
        """Give back a job that came with the answer to the last one, while this trainer was asked to stop."""
        # What cannot be said now the coordinator finds out by itself: the lease expires.
        with suppress(NighttrainError):
            self._client.release(
                grant.lease_id, Release(cause=Cause.STOPPED, seconds=0.0, peak_memory_bytes=0)
            )

    def _next_claim(self) -> ClaimRequest | None:
        return None if self._stop.is_made else self._claim_request()

    def _claim_request(self) -> ClaimRequest:
        disk = self._disk.state()
        if disk.problem != self._said_disk:
            self._said_disk = disk.problem
            if disk.problem:
                LOG.warning("%s cannot be written: %s", disk.folder, disk.problem)
            else:
                LOG.info("%s can be written again", disk.folder)
        return ClaimRequest(
            boot_id=self._hello.boot_id,
            pressure=self._load.pressure(),
            disk=disk,
            last_symbol=self._last_symbol,
        )

    def _ask(self, call: Callable[[], T]) -> T | None:
        self._vitals.beat()
        answer = retry(call, self._stop.wait, Backoff(), self._say_away)
        if answer is not None:
            self._vitals.phase = Phase.IDLE
            if self._said_away_at is not None:
                LOG.info("the coordinator can be reached again")
                self._said_away_at = None
        return answer

    def _say_away(self, error: NighttrainError) -> None:
        self._vitals.phase = Phase.CONNECTING
        self._vitals.beat()
        now = time.monotonic()
        if self._said_away_at is None or now - self._said_away_at >= AWAY_SECONDS:
            self._said_away_at = now
            LOG.warning("%s; waiting for it", error)

    def _warm_up(self) -> bool:
        """Wait until the fork server can fork; a job must not pay for its imports."""
        self._server.start()
        while not self._stop.is_made:
            self._vitals.beat()
            self._server.listen()
            if self._server.is_ready:
                return True
            if not self._server.is_alive:
                LOG.warning("the fork server died; starting it again")
                self._stop.wait(1.0)
                self._server.start()
            self._stop.wait(0.02)
        return False

    def _idle(self, nothing: Nothing) -> None:
        if nothing.reason != self._said_idle:
            self._said_idle = nothing.reason
            LOG.info("no job: %s", nothing.reason)
        self._stop.wait(min(MAX_IDLE_SECONDS, max(0.05, nothing.retry_after_seconds)))

    def _work(self, grant: Grant, welcome: Welcome) -> Grant | Nothing | None:
        """Do a job, and return what was offered with the answer to its result."""
        what, self._last_symbol = _name(grant)
        LOG.info("job %d: %s, attempt %d", grant.job_id, what, grant.attempt)
        self._vitals.begin(grant)
        lease = HeldLease(self._client, grant, welcome.renew_seconds, self._load.pressure, self._next_claim)
        task = Task(
            spec=grant.spec,
            data_dir=self._place.data_dir,
            cache_dir=self._place.cache_dir,
            cache_limit_bytes=self._place.cache_limit_bytes,
            checkpoint=grant.checkpoint,
            champion=grant.champion,
        )
        limits = Limits(grant.memory_limit_bytes, grant.deadline_seconds)
        needs = "" if isinstance(grant.spec, SurveySpec) else self._place.training
        child = self._resting.take(task, limits) or Child(
            self._server, self._place.target, task, limits, self._place.group, needs
        )
        try:
            end = self._watch(child, lease)
            peak = gib(child.progress.peak_memory_bytes)
            if isinstance(end, Result):
                self._vitals.worked_through(end.report)
                self._resting.keep(child, grant)
            LOG.info("job %d: %s after %.1f s, peak %s", grant.job_id, _word(end), child.seconds, peak)
            if not lease.is_over:
                lease.conclude(self._report(end, child, lease.directive, limits))
                self._vitals.conclude()
            while not lease.wait(0.1):
                self._vitals.beat()
                self._resting.send_away(REST_SECONDS)
                if self._stop.age_seconds > STOP_SECONDS:
                    self._leave_note(lease, grant.lease_id)
                    break
        finally:
            if not child.rests:
                child.kill()
            lease.abandon()
            self._vitals.memory_kills += child.killed is Killed.MEMORY
            self._vitals.end(_outcome(lease.accepted))
        if lease.fatal is not None:
            raise lease.fatal
        return lease.offered

    def _leave_note(self, lease: HeldLease, lease_id: str) -> None:
        unsent = lease.unsent
        if unsent is not None:
            self._unsent.keep(lease_id, *unsent)

    def _watch(self, child: Child, lease: HeldLease) -> End:
        asked = False
        while True:
            end = child.poll(() if self._stop.is_made else (self._stop.fileno(),))
            lease.progress = self._vitals.progress = child.progress
            self._load.watch(child.pid)
            self._vitals.looked_up(child.take_lookups())
            self._vitals.counted(child.take_counts())
            self._vitals.beat()
            checkpoint = child.take_checkpoint()
            if checkpoint is not None:
                lease.save(checkpoint)
            if end is not None:
                return end
            over = self._stop.age_seconds > CHILD_GRACE_SECONDS
            if lease.is_over or lease.directive is Directive.CANCEL or over:
                child.kill()
            elif not asked and (self._stop.is_made or lease.directive is Directive.RELEASE):
                LOG.info("giving the job back after its next checkpoint")
                child.ask_to_stop()
                asked = True

    def _report(
        self, end: End, child: Child, directive: Directive, limits: Limits
    ) -> Success | Failure | Release:
        seconds, peak = child.seconds, child.progress.peak_memory_bytes
        if isinstance(end, Result):
            return Success(Finish(result=end.report, seconds=seconds, peak_memory_bytes=peak), end.artifact)
        if isinstance(end, AttemptFailure):
            return Failure(
                cause=end.cause,
                message=end.message,
                evidence=end.evidence,
                seconds=seconds,
                peak_memory_bytes=peak,
                memory_limit_bytes=limits.memory_bytes,
            )
        cause: Literal[Cause.STOPPED, Cause.NIGHT_CLOSED, Cause.CANCELLED] = Cause.STOPPED
        if directive is Directive.CANCEL:
            cause = Cause.CANCELLED
        elif directive is Directive.RELEASE and not self._stop.is_made:
            cause = Cause.NIGHT_CLOSED
        return Release(cause=cause, seconds=seconds, peak_memory_bytes=peak)


def _name(grant: Grant) -> tuple[str, str]:
    if isinstance(grant.spec, SurveySpec):
        return f"survey of {grant.spec.symbol}", grant.spec.symbol
    return grant.spec.cell.name, grant.spec.cell.symbol


def _outcome(accepted: Report | None) -> str:
    if accepted is None:
        return LOST
    return SUCCEEDED if isinstance(accepted, Success) else accepted.cause


def _word(end: End) -> str:
    if isinstance(end, Result):
        return "done"
    if isinstance(end, AttemptFailure):
        return f"failed ({end.cause}: {end.message})"
    return "given up"
