"""What trainers and the coordinator say to each other over HTTP; both sides use these models.

All below ``/api``, all with the bearer token, all JSON unless said otherwise:

    POST trainers                    TrainerHello    -> Welcome
    POST claims                      ClaimRequest    -> 200 Grant, or 204 with Nighttrain-Reason, Retry-After
    POST leases/{lease}/renewals     Renewal         -> RenewalAnswer
    PUT  leases/{lease}/checkpoint   Checkpoint      -> 204
    PUT  leases/{lease}/artifact     octet-stream, header Nighttrain-Sha256 -> 204
    POST leases/{lease}/finish       Finish          -> 204
    POST leases/{lease}/failure      Failure         -> FailureAnswer
    POST leases/{lease}/release      Release         -> 204

A lease that is no longer held gets 409 (`StaleLeaseError`) from every path below leases/, and nothing is
changed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from common.jobs import Cause, Frozen, SurveySpec, TrainingSpec
from common.report import Checkpoint, Manifest, SurveyReport, TrainingReport

REASON_HEADER = "Nighttrain-Reason"
SHA256_HEADER = "Nighttrain-Sha256"
MAX_ARTIFACT_BYTES = 16 * 1024 * 1024


class NoWork(StrEnum):
    """Why a claim got nothing."""

    EMPTY = "empty"
    WAITING = "waiting"
    MEMORY_PRESSURE = "memory_pressure"
    NIGHT_CLOSED = "night_closed"
    SYMBOL_PARKED = "symbol_parked"
    TOO_LARGE = "too_large"
    NEEDS_LONE_ROOM = "needs_lone_room"


class LimitKind(StrEnum):
    """Who holds a trainer to its memory limit: the kernel's cgroup, or the agent itself."""

    CGROUP = "cgroup"
    AGENT = "agent"


class TrainerHello(Frozen):
    """A trainer introduces itself; leases of the same name under another boot id are given up at once.

    `name` is unique among live trainers and survives a restart; `boot_id` is fresh for each start. `host`
    groups trainers that share memory.
    """

    name: str
    boot_id: str
    host: str
    limit_kind: LimitKind
    memory_limit_bytes: int
    version: str


class Welcome(Frozen):
    """The coordinator's answer: how long a lease lives and how often to renew it, in seconds."""

    lease_seconds: float
    renew_seconds: float
    lost_leases: int


class HostPressure(Frozen):
    """The state of a trainer's host at a claim; within a cgroup limit these are the host's figures still."""

    memory_total_bytes: int
    memory_available_bytes: int
    cpu_ratio: float


class ClaimRequest(Frozen):
    """A trainer asks for work."""

    boot_id: str
    pressure: HostPressure
    last_symbol: str = ""


class Grant(Frozen):
    """A lease on a job.

    `memory_limit_bytes` is what the child may take (larger than the trainer's own limit when it runs alone on
    the host after an out-of-memory). `deadline_seconds` is when a child counts as hung. `checkpoint` holds
    the folds of earlier attempts. `champion` is the promoted model of the cell, if there is one.
    """

    lease_id: str
    job_id: int
    run_id: int
    attempt: int
    spec: Annotated[SurveySpec | TrainingSpec, Field(discriminator="kind")]
    memory_limit_bytes: int
    deadline_seconds: float
    checkpoint: Checkpoint | None
    champion: Manifest | None


class Progress(Frozen):
    """How far a child is: the stage by name, steps done of how many within the job, and memory in bytes."""

    stage: str
    done: int
    total: int
    memory_bytes: int
    peak_memory_bytes: int


class Renewal(Frozen):
    """The heartbeat of a running job."""

    progress: Progress


class Directive(StrEnum):
    """What a trainer shall do with the job whose lease it renewed."""

    CONTINUE = "continue"
    RELEASE = "release"
    CANCEL = "cancel"


class RenewalAnswer(Frozen):
    """The lease now lives for `expires_in_seconds` more; RELEASE means: checkpoint, then give it back."""

    directive: Directive
    expires_in_seconds: float


class Finish(Frozen):
    """A job's result. `artifact_sha256` names the uploaded .pkl of a training job; a survey has none."""

    result: SurveyReport | TrainingReport
    artifact_sha256: str = ""
    seconds: float
    peak_memory_bytes: int


class Failure(Frozen):
    """An attempt that brought no result.

    `message` is one line; `evidence` holds what proves the cause (counters, signal, last log lines or
    traceback). `memory_limit_bytes` is the room that the child had.
    """

    cause: Literal[Cause.ERROR, Cause.CRASH, Cause.TIMEOUT, Cause.OOM, Cause.DATA]
    message: str
    evidence: str
    seconds: float
    peak_memory_bytes: int
    memory_limit_bytes: int


class FailureAnswer(Frozen):
    """What became of the job: queued for another attempt (after `retry_in_seconds`) or failed."""

    state: str
    retry_in_seconds: float | None


class Release(Frozen):
    """A job given back unharmed, free of charge."""

    cause: Literal[Cause.STOPPED, Cause.NIGHT_CLOSED, Cause.CANCELLED]
    seconds: float
    peak_memory_bytes: int
