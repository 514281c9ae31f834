"""A held lease: the thread that speaks with the coordinator about one job, while the agent watches the child.

All that concerns the lease goes through this one thread, so that checkpoints arrive in order and the report
comes last. While the coordinator is away it keeps the latest checkpoint and the report, and tries again
with backoff; when it is back, the first thing said is a renewal, which tells whether the lease still
stands.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from common.client.connection import RETRIED, Backoff
from common.client.trainers import Nothing, TrainerClient
from common.errors import (
    ConfigurationError,
    DigestMismatchError,
    InternalError,
    InvalidRequestError,
    NighttrainError,
    StaleLeaseError,
    UnauthorizedError,
)
from common.protocol.jobs import Cause
from common.protocol.reports import Checkpoint
from common.protocol.trainers import (
    ClaimRequest,
    Directive,
    Failure,
    Finish,
    Grant,
    HostPressure,
    Progress,
    Release,
    Renewal,
)

LOG = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 1.0
"""Checkpoints are sent at most so often, the first so long after the grant.

Each costs a request and a sync of the coordinator's disk, more than the folds of a small cell. One that waits
goes with the report of an attempt that ends without a result, so only the death of the agent itself loses it:
together with the fold at work, folds of no more than these seconds.
"""

FAILURES = 5
"""How often something is said again after an error of the coordinator itself, before it counts as refused."""


@dataclass(frozen=True)
class Success:
    """A result with its artifact; a survey's is empty."""

    finish: Finish
    artifact: bytes


Report = Success | Failure | Release


def send_report(
    client: TrainerClient, lease_id: str, report: Report, next_claim: ClaimRequest | None = None
) -> Grant | Nothing | None:
    """Send the one report of a lease, and return what is said to the claim that may come with a result.

    Raises
    ------
    NighttrainError
        The coordinator is away or does not take it.
    """
    if isinstance(report, Success):
        return _send_result(client, lease_id, report, next_claim)
    if isinstance(report, Failure):
        answer = client.fail(lease_id, report)
        LOG.info("the job is %s now", answer.state)
    else:
        client.release(lease_id, report)
    return None


def _send_result(
    client: TrainerClient, lease_id: str, result: Success, next_claim: ClaimRequest | None
) -> Grant | Nothing | None:
    sha256 = hashlib.sha256(result.artifact).hexdigest() if result.artifact else ""
    finish = result.finish.model_copy(update={"artifact_sha256": sha256})
    try:
        return client.finish(lease_id, finish.model_copy(update={"next_claim": next_claim}))
    except (InvalidRequestError, DigestMismatchError):
        if not sha256 and next_claim is None:
            raise
        # A coordinator of an earlier version makes no .pkl from a manifest, and is asked for nothing here.
        if sha256:
            client.upload_artifact(lease_id, result.artifact, sha256)
        return client.finish(lease_id, finish)


class HeldLease:
    """Renews a lease, sends checkpoints, and at the end one report.

    Parameters
    ----------
    client : TrainerClient
        The coordinator.
    grant : Grant
        Names the lease.
    renew_seconds : float
        How often to renew it.
    pressure : callable
        Returns the state of the host; called by the lease's own thread.
    next_claim : callable
        Returns what to ask for the next job together with a result, None to ask for none; called likewise.
    checkpoint_seconds : float
        How long a checkpoint may wait for a later one that takes its place.

    Attributes
    ----------
    offered : Grant, Nothing or None
        What was said to that, once the report is accepted.
    """

    def __init__(
        self,
        client: TrainerClient,
        grant: Grant,
        renew_seconds: float,
        pressure: Callable[[], HostPressure | None] = lambda: None,
        next_claim: Callable[[], ClaimRequest | None] = lambda: None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        self._next_claim = next_claim
        self.offered: Grant | Nothing | None = None
        self._client, self._grant, self._renew_seconds = client, grant, renew_seconds
        self._pressure = pressure
        self._renew_at = time.monotonic() + renew_seconds
        self._checkpoint_seconds = checkpoint_seconds
        self._save_at = time.monotonic() + checkpoint_seconds
        self._news = threading.Event()
        self._lock = threading.Lock()
        self._checkpoint: Checkpoint | None = None
        self._report: Report | None = None
        self._abandoned = False
        self._backoff = Backoff()
        self.progress = Progress(stage="", done=0, total=0, memory_bytes=0, peak_memory_bytes=0)
        self.directive = Directive.CONTINUE
        self.is_lost = False
        self.accepted: Report | None = None
        self.fatal: NighttrainError | None = None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be said: reported, lost, abandoned, or `fatal`."""
        return not self._thread.is_alive()

    def save(self, checkpoint: Checkpoint) -> None:
        """Send a checkpoint when its time has come; an earlier one that was not sent yet gives way to it."""
        with self._lock:
            # Where one waits already the thread knows when it is due.
            is_news = self._checkpoint is None
            self._checkpoint = checkpoint
        if is_news:
            self._news.set()

    def conclude(self, report: Report) -> None:
        """Send the report, after a checkpoint that was not sent yet; the thread ends when it is accepted."""
        with self._lock:
            self._report = report
            if isinstance(report, Success):
                self._checkpoint = None
        self._news.set()

    @property
    def unsent(self) -> tuple[Checkpoint | None, Report] | None:
        """What was concluded and not answered: the last checkpoint, if it was not sent, and the report."""
        with self._lock:
            if self._report is None or self.accepted is not None or self.is_lost or self.fatal is not None:
                return None
            return self._checkpoint, self._report

    def abandon(self) -> None:
        """Say no more."""
        self._abandoned = True
        self._news.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end so long at most; return whether it came."""
        self._thread.join(max(0.0, seconds))
        return self.is_over

    def _run(self) -> None:
        while not self._abandoned and not (self.is_lost or self.fatal):
            self._news.clear()
            with self._lock:
                checkpoint, report = self._checkpoint, self._report
            if self.directive is Directive.CANCEL:
                # It would be refused, since the job is no longer this trainer's, and taken for a lost lease.
                checkpoint = None
            now = time.monotonic()
            if now >= self._renew_at:
                self._say(self._renew, self._renewal_refused)
            elif checkpoint is not None and (report is not None or now >= self._save_at):
                self._say(partial(self._send_checkpoint, checkpoint), partial(self._drop, checkpoint))
            elif report is not None:
                self._say(partial(self._send_report, report), partial(self._report_refused, report))
            else:
                until = self._renew_at if checkpoint is None else min(self._renew_at, self._save_at)
                self._news.wait(until - now)

    def _say(self, send: Callable[[], None], refused: Callable[[NighttrainError], None]) -> None:
        try:
            send()
        except StaleLeaseError:
            LOG.warning("lease %s is lost; its job is dropped", self._grant.lease_id)
            self.is_lost = True
        except (UnauthorizedError, ConfigurationError) as error:
            self.fatal = error
        except RETRIED as error:
            if self._backoff.failures == 0:
                LOG.warning("%s; the job continues, and its reports are kept", error)
            self._renew_at = 0.0
            self._news.wait(self._backoff.wait())
        except NighttrainError as error:
            if isinstance(error, InternalError) and self._backoff.failures < FAILURES:
                LOG.warning("the coordinator failed: %s", error)
                self._news.wait(self._backoff.wait())
            else:
                refused(error)
                self._backoff.reset()
        else:
            if self._backoff.failures:
                LOG.info("the coordinator is back, and the lease stands")
            self._backoff.reset()

    def _renew(self) -> None:
        renewal = Renewal(progress=self.progress, pressure=self._pressure())
        answer = self._client.renew(self._grant.lease_id, renewal)
        if answer.directive is not self.directive:
            LOG.info("the coordinator says: %s", answer.directive)
        self.directive = answer.directive
        self._renew_at = time.monotonic() + self._renew_seconds

    def _renewal_refused(self, error: NighttrainError) -> None:
        LOG.error("a renewal was refused: %s", error)
        self._renew_at = time.monotonic() + self._renew_seconds

    def _send_checkpoint(self, checkpoint: Checkpoint) -> None:
        self._client.save_checkpoint(self._grant.lease_id, checkpoint)
        self._save_at = time.monotonic() + self._checkpoint_seconds
        self._drop(checkpoint)

    def _drop(self, checkpoint: Checkpoint, error: NighttrainError | None = None) -> None:
        if error is not None:
            LOG.error("a checkpoint was refused and is dropped: %s", error)
        with self._lock:
            if self._checkpoint is checkpoint:
                self._checkpoint = None

    def _send_report(self, report: Report) -> None:
        # A coordinator that failed is not asked for two things at once again.
        wanted = self._next_claim() if self._backoff.failures == 0 else None
        self.offered = send_report(self._client, self._grant.lease_id, report, wanted)
        self.accepted = report
        self._abandoned = True

    def _report_refused(self, report: Report, error: NighttrainError) -> None:
        """Report a refused result as a failure; never say for ever what will not be taken."""
        LOG.error("the %s of the job was refused: %s", type(report).__name__.lower(), error)
        if not isinstance(report, Success):
            self._abandoned = True
            return
        self._report = Failure(
            cause=Cause.ERROR,
            message=f"the coordinator refused the result: {error}",
            evidence=f"{type(error).__name__}: {error}",
            seconds=report.finish.seconds,
            peak_memory_bytes=report.finish.peak_memory_bytes,
            memory_limit_bytes=self._grant.memory_limit_bytes,
        )
