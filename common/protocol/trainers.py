"""What trainers and the coordinator say to each other over HTTP; both sides use these models.

All below ``/api``, all with the bearer token, all JSON unless said otherwise:

    POST trainers                    TrainerHello    -> Welcome
    POST claims                      ClaimRequest    -> 200 Grant, or 204 with Nighttrain-Reason, Retry-After
    POST leases/{lease}/renewals     Renewal         -> RenewalAnswer
    PUT  leases/{lease}/checkpoint   Checkpoint      -> 204
    PUT  leases/{lease}/artifact     octet-stream, header Nighttrain-Sha256 -> 204
    POST leases/{lease}/finish       Finish          -> 204, or as for claims where it asks for the next job
    POST leases/{lease}/failure      Failure         -> FailureAnswer
    POST leases/{lease}/release      Release         -> 204

A lease that is no longer held gets 409 (`StaleLeaseError`) from every path below leases/, and nothing is
changed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from common.bounds import (
    Amount,
    Bytes,
    Count,
    Digest,
    Evidence,
    Identity,
    Line,
    Name,
    Ratio,
    Seconds,
    ShortLine,
    Version,
)
from common.frozen import Frozen
from common.protocol.jobs import Cause, SurveySpec, TrainingSpec
from common.protocol.reports import Checkpoint, Manifest, SurveyReport, TrainingReport

REASON_HEADER = "Nighttrain-Reason"
SHA256_HEADER = "Nighttrain-Sha256"
MAX_ARTIFACT_BYTES = 16 * 1024 * 1024


class NoWork(StrEnum):
    """Why a claim got nothing."""

    EMPTY = "empty"
    WAITING = "waiting"
    MEMORY_PRESSURE = "memory_pressure"
    NIGHT_CLOSED = "night_closed"
    PAUSED = "paused"
    SYMBOL_PARKED = "symbol_parked"
    TOO_LARGE = "too_large"
    NEEDS_LONE_ROOM = "needs_lone_room"
    STORAGE = "storage"
    OVER_LIMIT = "over_limit"


class LimitKind(StrEnum):
    """Who holds a trainer to its memory limit: the kernel's cgroup, or the agent itself."""

    CGROUP = "cgroup"
    AGENT = "agent"


class TrainerHello(Frozen):
    """A trainer introduces itself; leases of the same name under another boot id are given up at once."""

    name: Name
    """Unique among live trainers; it survives a restart of the process."""
    boot_id: Identity
    """Fresh for each start of a trainer process."""
    host: Name
    """The machine, as an opaque word; trainers that name the same one share its memory."""
    limit_kind: LimitKind
    """Who holds the trainer to its memory limit."""
    memory_limit_bytes: Bytes
    """What a job of this trainer may take, in bytes."""
    version: Version
    """Version of the trainer's program."""


class Welcome(Frozen):
    """The coordinator's answer to a trainer that has introduced itself."""

    lease_seconds: float
    """How long a lease lives without a renewal, in seconds."""
    renew_seconds: float
    """How often to renew a lease, in seconds."""
    lost_leases: int
    """How many leases of an earlier process of this name were taken back."""


class HostLoad(Frozen):
    """What holds up a trainer's host and its job; shares are of the time since its last report."""

    cpus: Count
    """Processors of the host."""
    cores: Amount
    """Cores that the trainer may use, by affinity and quota."""
    cpu_pressure: Amount | None = None
    """Share of the last 10 s in which some program waited for a processor; null where none is counted."""
    memory_pressure: Amount | None = None
    """Share of the last 10 s in which some program waited for memory; null where the kernel counts none."""
    load_average: Amount | None = None
    """Programs that ran or waited for a processor, on average over a minute; null where unknown."""
    throttled_ratio: Amount = 0.0
    """Share of the periods of its CPU quota in which it was held back."""
    run_ratio: Amount | None = None
    """Share of the time for which its job was on a processor; null while it had none."""
    wait_ratio: Amount | None = None
    """Share of the time for which its job waited for a processor; null while it had none."""


class HostPressure(Frozen):
    """The state of a trainer's host at a claim or a renewal: the host's figures within a cgroup limit too."""

    memory_total_bytes: Bytes
    """The host's memory, in bytes."""
    memory_available_bytes: Bytes
    """How much of it can be had without swapping, in bytes."""
    cpu_ratio: Ratio
    """Share of the host's CPU time in use, 0 to 1."""
    load: HostLoad | None = None
    """What holds it up; null from a trainer that does not measure it, which the limit of its host does not
    hold."""


class DiskState(Frozen):
    """The disk where a trainer's jobs write, as it was found at a claim."""

    folder: Line
    """The folder of the caches, as the trainer names it."""
    free_bytes: Bytes | None
    """How much more can be written there, in bytes; null if the file system does not say."""
    problem: Line = ""
    """Why a small file could not be written there just now, in the words of the operating system; empty if
    it could."""


class ClaimRequest(Frozen):
    """A trainer asks for work."""

    boot_id: Identity
    """The trainer's, as registered."""
    pressure: HostPressure
    """The state of its host."""
    disk: DiskState | None = None
    """The disk where its jobs write; null from a trainer that does not measure it, which counts as one that
    can write."""
    last_symbol: ShortLine = ""
    """Symbol of its last job, whose caches are warm; empty if it had none."""


class Grant(Frozen):
    """A lease on a job."""

    lease_id: str
    """Names the lease in each write below `/api/leases/`."""
    job_id: int
    """The job's id."""
    run_id: int
    """Id of the run that the job belongs to."""
    attempt: int
    """Which attempt at the job this is, counted from 1."""
    spec: Annotated[SurveySpec | TrainingSpec, Field(discriminator="kind")]
    """What to do."""
    memory_limit_bytes: int
    """What the child may take, in bytes: more than the trainer's own limit where it runs alone on
    the host after an out-of-memory."""
    deadline_seconds: float
    """After how many seconds the child counts as hung."""
    checkpoint: Checkpoint | None
    """The folds that earlier attempts finished; null if there are none."""
    champion: Manifest | None
    """The promoted model of the cell; null if there is none."""


class Progress(Frozen):
    """How far a child is."""

    stage: ShortLine
    """What the child is doing, such as `folds`."""
    done: Count
    """Steps of the job that are done."""
    total: Count
    """Steps of the whole job."""
    memory_bytes: Bytes
    """Memory that the child takes now, in bytes."""
    peak_memory_bytes: Bytes
    """The most memory that it took so far, in bytes."""


class Renewal(Frozen):
    """The heartbeat of a running job."""

    progress: Progress
    """How far the job is."""
    pressure: HostPressure | None = None
    """The state of the trainer's host; null from a trainer that says it at claims only."""


class Directive(StrEnum):
    """What a trainer shall do with the job whose lease it renewed."""

    CONTINUE = "continue"
    RELEASE = "release"
    CANCEL = "cancel"


class RenewalAnswer(Frozen):
    """What the coordinator says to a renewal."""

    directive: Directive
    """Whether to go on, to save a checkpoint and give the job back, or to drop it."""
    expires_in_seconds: float
    """How long the lease lives from now, in seconds."""


class Finish(Frozen):
    """A job's result."""

    # One after the other: to find the better fit, Pydantic would read both, in four times the time.
    result: Annotated[TrainingReport | SurveyReport, Field(union_mode="left_to_right")]
    """What the job brought back: a training's report, or a survey's."""
    artifact_sha256: Digest = ""
    """SHA-256 of the .pkl of a training job, in hexadecimal; a survey has none. The coordinator makes one
    that was not uploaded from the manifest."""
    seconds: Seconds
    """How long the attempt took, in seconds."""
    peak_memory_bytes: Bytes
    """The most memory that the child took, in bytes."""
    next_claim: ClaimRequest | None = None
    """What the trainer would ask for its next job, to have the answer at once; null if it does not yet."""


class Failure(Frozen):
    """An attempt that brought no result."""

    cause: Literal[Cause.ERROR, Cause.CRASH, Cause.TIMEOUT, Cause.OOM, Cause.DATA, Cause.STORAGE]
    """Why there is no result."""
    message: Line
    """What happened, in one line."""
    evidence: Evidence
    """What proves the cause: counters, signal, last log lines or traceback."""
    seconds: Seconds
    """How long the attempt took, in seconds."""
    peak_memory_bytes: Bytes
    """The most memory that the child took, in bytes."""
    memory_limit_bytes: Bytes
    """The room that the child had, in bytes."""


class FailureAnswer(Frozen):
    """What became of a job whose attempt failed."""

    state: str
    """`queued` for another attempt, or `failed`."""
    retry_in_seconds: float | None
    """When the next attempt may begin, in seconds from now; null if there is none."""


class Release(Frozen):
    """A job given back unharmed, free of charge."""

    cause: Literal[Cause.STOPPED, Cause.NIGHT_CLOSED, Cause.CANCELLED]
    """Why the job is given back."""
    seconds: Seconds
    """How long the attempt took, in seconds."""
    peak_memory_bytes: Bytes
    """The most memory that the child took, in bytes."""
