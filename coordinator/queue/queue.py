"""The queue: each change of a job's state by a trainer, one transaction each, fenced by the lease.

A request under a lease that is closed raises a `StaleLeaseError` and changes nothing. The exception is the
very request that closed it: its first answer was lost on the way, so it is answered again as before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from random import Random

from sqlalchemy import bindparam, update

from common.errors import ConflictError, InvalidRequestError, NighttrainError, NotFoundError
from common.protocol.faults import checkpoint_fault
from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause, JobKind, JobState, TrainingSpec
from common.protocol.reports import Checkpoint
from common.protocol.trainers import (
    ClaimRequest,
    Directive,
    Failure,
    FailureAnswer,
    Finish,
    Grant,
    Release,
    Renewal,
    RenewalAnswer,
    TrainerHello,
    Welcome,
)
from common.settings.night import NightSettings
from coordinator.policy.admission import Refusal, gibibytes
from coordinator.policy.disk import MAX_PAUSE_SECONDS
from coordinator.policy.window import night_at
from coordinator.queue import checkpoints, claims, leases, results, roomless, surveys
from coordinator.queue.attempts import defer, fail_attempt, give_back
from coordinator.queue.leases import (
    Loss,
    attempt_of,
    held,
    job_of,
    stale,
    trainer_of,
    wanted_back,
)
from coordinator.queue.pauses import lift_pause
from coordinator.queue.transitions import Ending
from coordinator.store.database import Change, Database, Transaction
from coordinator.store.documents import spec_of
from coordinator.store.prepared import Prepared
from coordinator.store.rows import OPEN_ATTEMPTS, AttemptRow, JobRow, TrainerRow
from coordinator.store.tables import attempts

logger = logging.getLogger(__name__)

_PRESENT = Prepared(OPEN_ATTEMPTS.where(attempts.c.boot_id == bindparam("boot")))
_ATTEMPT = Prepared(update(attempts).where(attempts.c.id == bindparam("this")))

RENEWALS_A_LEASE = 3.0
EVIDENCE_CHARACTERS = 20_000


class Queue:
    """The jobs of the running night as trainers see them.

    Parameters
    ----------
    database : Database
        Where everything is kept; this object holds no state.
    settings : NightSettings
        Budgets, leases, breaker, window and memory threshold.
    random : Random
        Source of the backoff's jitter.
    """

    def __init__(self, database: Database, settings: NightSettings, random: Random) -> None:
        self.database = database
        self.settings = settings
        self.random = random

    def register(self, hello: TrainerHello) -> Welcome:
        """Welcome a trainer; leases of an earlier process of its name are taken back at once, as crashes.

        Raises
        ------
        ConflictError
            A later process has registered under this name already.
        """
        with self.database.write() as tx:
            losses = leases.register(tx, hello, self.settings, self.random)
        room = gibibytes(hello.memory_limit_bytes)
        logger.info("trainer %s on %s registered (%s by %s)", hello.name, hello.host, room, hello.limit_kind)
        _log(losses)
        seconds = self.settings.lease.seconds
        return Welcome(
            lease_seconds=seconds, renew_seconds=seconds / RENEWALS_A_LEASE, lost_leases=len(losses)
        )

    def claim(self, request: ClaimRequest) -> Grant | Refusal:
        """Hand out the best job for a trainer, or say why it gets none.

        A trainer that already holds a lease gets the same grant again: it runs one job at a time, so the
        first answer was lost.

        Raises
        ------
        NotFoundError
            The trainer has not registered with this database.
        ConflictError
            A later process has registered under its name.
        """
        return self.database.change(self.claiming(request))

    def claiming(self, request: ClaimRequest) -> Change[Grant | Refusal]:
        """Return the change that `claim` makes."""

        def change(tx: Transaction) -> Callable[[], Grant | Refusal]:
            trainer = trainer_of(tx, request.boot_id)
            decision = self._claim(tx, trainer, request)

            def say() -> Grant | Refusal:
                _log_decision(trainer, decision)
                return decision

            return say

        return change

    def renew(self, lease_id: str, renewal: Renewal) -> RenewalAnswer:
        """Keep a lease alive and record the progress; after a cancellation the answer is CANCEL.

        Raises
        ------
        StaleLeaseError
            The lease is no longer held.
        """
        return self.database.change(self.renewing(lease_id, renewal))

    def renewing(self, lease_id: str, renewal: Renewal) -> Change[RenewalAnswer]:
        """Return the change that `renew` makes."""

        def change(tx: Transaction) -> Callable[[], RenewalAnswer]:
            answer = self._renewed(tx, lease_id, renewal)
            return lambda: answer

        return change

    def save_checkpoint(self, lease_id: str, checkpoint: Checkpoint) -> None:
        """Keep the finished folds of a job, for whoever tries it next.

        Raises
        ------
        StaleLeaseError
            The lease is no longer held.
        InvalidRequestError
            The job is a survey, which has no folds, or they are not of its specification.
        """
        with self.database.write() as tx:
            _, job = held(tx, lease_id)
            if job.kind is not JobKind.TRAINING:
                raise InvalidRequestError(f"the {job.name} has no folds to save")
            assert job.spec is not None
            spec = spec_of(job.spec)
            assert isinstance(spec, TrainingSpec)
            if fault := checkpoint_fault(checkpoint, spec):
                raise InvalidRequestError(f"the checkpoint of {job.name} is malformed: {fault}")
            checkpoints.save_checkpoint(tx, job.id, checkpoint)

    def assert_held(self, lease_id: str) -> None:
        """Check a lease before something large is stored in its name.

        Raises
        ------
        StaleLeaseError
            The lease is no longer held.
        """
        with self.database.read() as tx:
            held(tx, lease_id)

    def attach_artifact(self, lease_id: str, sha256: str, size: int) -> None:
        """Record that the bytes of a job's model are stored.

        Raises
        ------
        StaleLeaseError
            The lease is no longer held.
        """
        with self.database.write() as tx:
            attempt, _ = held(tx, lease_id)
            results.attach(tx, attempt, results.Model(sha256, size))

    def finish(
        self, lease_id: str, finish: Finish, model: results.Model | None = None
    ) -> Grant | Refusal | None:
        """Take a job's result, and hand out the next job where that is asked for.

        Parameters
        ----------
        lease_id : str
            The job's lease.
        finish : Finish
            The result.
        model : Model or None
            The .pkl if it can be made here, for which one that was uploaded before is taken; None if it
            cannot, or there is none.

        Returns
        -------
        Grant, Refusal or None
            What a claim gives; None if none is made, or the trainer may make none: its own claim says why.

        Raises
        ------
        StaleLeaseError
            The lease is no longer held.
        InvalidRequestError
            The result is not of this job.
        DigestMismatchError
            The artifact was not uploaded under this lease, or is not the one that the manifest names.
        """
        return self.database.change(self.finishing(lease_id, finish, model))

    def finishing(
        self, lease_id: str, finish: Finish, model: results.Model | None = None
    ) -> Change[Grant | Refusal | None]:
        """Return the change that `finish` makes."""

        def change(tx: Transaction) -> Callable[[], Grant | Refusal | None]:
            # A claim locks the trainers of a host before all else.
            trainer = _claimant(tx, finish.next_claim)
            attempt = attempt_of(tx, lease_id)
            if attempt.ended is not None and attempt.outcome is not Outcome.SUCCEEDED:
                raise stale(attempt)
            done, surveyed = None, surveys.Surveyed()
            if attempt.ended is None:
                done = job_of(tx, attempt)
                surveyed = results.accept(tx, done, attempt, finish, model)
            decision = None
            if trainer is not None and finish.next_claim is not None and trainer.boot_id == attempt.boot_id:
                # The lease that was just ended was the only one of the trainer.
                decision = self._next(tx, trainer, finish.next_claim, is_free=done is not None)

            def say() -> Grant | Refusal | None:
                if done is not None:
                    _log_result(done, attempt, finish.seconds, surveyed)
                # Of a result that is told again too: whoever took it may have died before it was stored.
                if model is not None and (done is not None or model.sha256 == attempt.artifact_sha256):
                    model.keep()
                if trainer is not None and decision is not None:
                    _log_decision(trainer, decision)
                return decision

            return say

        return change

    def fail(self, lease_id: str, failure: Failure) -> FailureAnswer:
        """End an attempt that failed, and return what becomes of its job.

        Raises
        ------
        StaleLeaseError
            The lease is no longer held.
        """
        with self.database.write() as tx:
            attempt = attempt_of(tx, lease_id)
            if attempt.outcome is Outcome.FAILED and attempt.cause == failure.cause:
                wait = attempt.retry_in_seconds
                state = JobState.FAILED if wait is None else JobState.QUEUED
                return FailureAnswer(state=state, retry_in_seconds=wait)
            if attempt.ended is not None:
                raise stale(attempt)
            job = job_of(tx, attempt)
            ending = Ending(
                Outcome.FAILED,
                cause=Cause(failure.cause),
                message=failure.message,
                evidence=failure.evidence[-EVIDENCE_CHARACTERS:],
                seconds=failure.seconds,
                peak_memory_bytes=failure.peak_memory_bytes,
                room_bytes=failure.memory_limit_bytes,
            )
            if ending.cause is Cause.STORAGE:
                verdict = defer(tx, job, attempt, ending)
            else:
                verdict = fail_attempt(tx, job, attempt, ending, self.settings, self.random)
        _log([(job, attempt, verdict)], f"{failure.cause}: {failure.message}")
        return FailureAnswer(state=verdict.state, retry_in_seconds=verdict.retry_in_seconds)

    def release(self, lease_id: str, release: Release) -> None:
        """Put a job back in the queue, free of charge.

        Raises
        ------
        StaleLeaseError
            The lease is no longer held.
        """
        with self.database.write() as tx:
            attempt = attempt_of(tx, lease_id)
            if attempt.outcome in (Outcome.RELEASED, Outcome.CANCELLED):
                return
            if attempt.ended is not None:
                raise stale(attempt)
            job = job_of(tx, attempt)
            ending = Ending(
                Outcome.RELEASED,
                cause=Cause(release.cause),
                message=wanted_back(tx, attempt),
                seconds=release.seconds,
                peak_memory_bytes=release.peak_memory_bytes,
            )
            give_back(tx, job, attempt, ending)
        logger.info("%s: given back by %s (%s)", job.name, attempt.trainer, release.cause)

    def expire(self) -> int:
        """Take back leases that were not renewed in time, and return how many."""
        with self.database.write() as tx:
            losses = leases.expire(tx, self.settings, self.random)
        _log(losses)
        return len(losses)

    def extend(self) -> int:
        """Extend every lease by a full term, because the coordinator was away; return how many."""
        with self.database.write() as tx:
            count = leases.extend(tx, self.settings)
        if count:
            logger.info("%d leases continue after the coordinator was away", count)
        return count

    def fail_roomless(self) -> int:
        """Fail jobs that ran out of memory and that no live trainer can take; return how many."""
        with self.database.write() as tx:
            failed = roomless.fail_roomless(tx, self.settings)
        for job, words in failed:
            logger.warning("%s: failed: %s", job.name, words)
        return len(failed)

    def _renewed(self, tx: Transaction, lease_id: str, renewal: Renewal) -> RenewalAnswer:
        attempt = attempt_of(tx, lease_id)
        if attempt.outcome is Outcome.CANCELLED:
            return RenewalAnswer(directive=Directive.CANCEL, expires_in_seconds=0.0)
        if attempt.ended is not None:
            raise stale(attempt)
        self._renew(tx, attempt, renewal.progress.model_dump_json())
        if renewal.pressure is not None:
            claims.record_pressure(tx, attempt.boot_id, renewal.pressure)
        stays = night_at(self.settings.window, tx.now).open and not wanted_back(tx, attempt)
        return RenewalAnswer(
            directive=Directive.CONTINUE if stays else Directive.RELEASE,
            expires_in_seconds=self.settings.lease.seconds,
        )

    def _claim(
        self, tx: Transaction, trainer: TrainerRow, request: ClaimRequest, is_free: bool = False
    ) -> Grant | Refusal:
        present = None if is_free else _PRESENT.on(tx.connection, {"boot": trainer.boot_id}).first()
        if present is not None:
            attempt = AttemptRow.of(present)
            self._renew(tx, attempt)
            return claims.grant(tx, attempt, job_of(tx, attempt))
        trainer = claims.record_heartbeat(tx, trainer, request)
        decision = claims.decide(tx, trainer, request.last_symbol, self.settings)
        claims.record_reason(tx, trainer, decision)
        return decision

    def _next(
        self, tx: Transaction, trainer: TrainerRow, request: ClaimRequest, is_free: bool
    ) -> Grant | Refusal | None:
        """Claim after a result, which a claim that fails leaves as it is."""
        try:
            with tx.part():
                return self._claim(tx, trainer, request, is_free)
        except NighttrainError as error:
            logger.error("%s gets no next job with the answer to its last: %s", trainer.name, error)
            return None

    def _renew(self, tx: Transaction, attempt: AttemptRow, progress: str | None = None) -> None:
        _ATTEMPT.on(
            tx.connection,
            {
                "this": attempt.id,
                "renewed": tx.now,
                "expires": tx.now + timedelta(seconds=self.settings.lease.seconds),
                "progress": progress or attempt.progress,
            },
        )
        if (tx.now - attempt.started).total_seconds() > MAX_PAUSE_SECONDS:
            lift_pause(tx, attempt.boot_id)


def _claimant(tx: Transaction, request: ClaimRequest | None) -> TrainerRow | None:
    """Return the trainer that asks for its next job; None if none asks, or it may not."""
    try:
        return trainer_of(tx, request.boot_id) if request is not None else None
    except (NotFoundError, ConflictError):
        return None


def _log_result(job: JobRow, attempt: AttemptRow, seconds: float, surveyed: surveys.Surveyed) -> None:
    logger.info("%s: done by %s in %.1f s", job.name, attempt.trainer, seconds)
    for cell in surveyed.refused:
        logger.warning("%s: refused by the survey", cell.name)
    for cell in surveyed.reused:
        logger.info("%s: reused: nothing has changed since it was trained last", cell.name)
    for cell, why in surveyed.again:
        logger.info("%s: to be trained again: %s", cell.name, why)


def _log_decision(trainer: TrainerRow, decision: Grant | Refusal) -> None:
    if isinstance(decision, Refusal):
        logger.debug("%s gets no job: %s", trainer.name, decision.words)
    else:
        name = decision.spec.symbol if decision.spec.kind is JobKind.SURVEY else decision.spec.cell.name
        logger.info("%s %s: attempt %d by %s", decision.spec.kind, name, decision.attempt, trainer.name)


def _log(losses: list[Loss], why: str = "the lease was lost") -> None:
    for job, attempt, verdict in losses:
        where = f"attempt {attempt.number} on {attempt.trainer}"
        if verdict.state is JobState.FAILED:
            logger.warning("%s: failed in %s: %s", job.name, where, why)
        else:
            wait = verdict.retry_in_seconds or 0.0
            logger.warning("%s: %s ended, the next may begin in %.1f s: %s", job.name, where, wait, why)
