"""What trainers call: register, claim, and everything below a lease. Each path is one method of the queue."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response

from common.errors import ConflictError, DigestMismatchError, NotFoundError, StaleLeaseError
from common.protocol.reports import Checkpoint
from common.protocol.trainers import (
    REASON_HEADER,
    SHA256_HEADER,
    ClaimRequest,
    Directive,
    Failure,
    FailureAnswer,
    Finish,
    Grant,
    NoWork,
    Release,
    Renewal,
    RenewalAnswer,
    TrainerHello,
    Welcome,
)
from coordinator.api.access import WRITES, PartsOf, serving
from coordinator.api.documents import DocumentRoute
from coordinator.api.errors import WRITING, answers
from coordinator.assembly import Parts
from coordinator.policy.admission import Refusal
from coordinator.queue.results import Model, made_by

RETRY_AFTER_SECONDS = {
    NoWork.NIGHT_CLOSED: 5,
    NoWork.PAUSED: 2,
    NoWork.MEMORY_PRESSURE: 2,
    NoWork.STORAGE: 2,
    NoWork.OVER_LIMIT: 1,
}
"""When to ask again, by the reason; one second where nothing is said."""

_ON_LEASE = (*WRITING, StaleLeaseError)
_SUPERSEDED = ConflictError(
    "another process has registered as trainer trainer-1 after this one",
    "end this process, or give each trainer a name of its own",
)

_UNKNOWN = NotFoundError(
    "no trainer has registered with boot id 0c6f1f6e2a7d4c0f", "register first: POST /api/trainers"
)
_NO_JOB = {
    "description": "No job now.",
    "headers": {
        REASON_HEADER: {"description": "Why.", "schema": {"enum": [reason.value for reason in NoWork]}},
        "Retry-After": {
            "description": "Seconds until it is worth asking again.",
            "schema": {"type": "integer"},
        },
    },
}
_TAKEN = {**_NO_JOB, "description": "It is taken; where a job was asked for and none is there, why."}
_BYTES = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class TrainerRoute(DocumentRoute):
    """A path of trainers. Writes that come too late are counted by what they would have written."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handler = super().get_route_handler()

        async def counted(request: Request) -> Response:
            try:
                return await handler(request)
            except StaleLeaseError:
                # The last part of the path says what it was.
                serving(request).measures.refused_stale(request.url.path.rpartition("/")[2])
                raise

        return counted


router = APIRouter(prefix="/api", tags=["trainers"], dependencies=WRITES, route_class=TrainerRoute)
Lease = Annotated[
    str, Path(description="The lease's id, from the grant.", examples=["5f3c0c6f9d8e4b0fa1b2c3d4e5f60718"])
]
Sha256 = Annotated[
    str,
    Header(
        alias=SHA256_HEADER,
        description="SHA-256 of the body, in hexadecimal.",
        examples=["eabfaea5737907c508df24d451802fe07880e131a4bf1e1880346a87f968cb2d"],
    ),
]


@router.post("/trainers", summary="Register a trainer process", responses=answers(*WRITING, _SUPERSEDED))
def register(hello: TrainerHello, parts: PartsOf) -> Welcome:
    """Introduce a trainer; leases that an earlier process of its name still holds are taken back at once."""
    return parts.queue.register(hello)


@router.post(
    "/claims",
    summary="Ask for a job",
    response_model=Grant,
    responses=answers(*WRITING, _SUPERSEDED, _UNKNOWN) | {204: _NO_JOB},
)
def claim(claimed: ClaimRequest, parts: PartsOf) -> Any:
    """Get a lease on the best job that fits, or 204 with the reason why there is none.

    If a trainer that holds a lease asks again, it gets the same grant: its first answer was lost.
    """
    return answer(parts.queue.claim(claimed), parts)


def answer(decision: Grant | Refusal, parts: Parts) -> Response:
    """Return the answer to a claim."""
    if isinstance(decision, Grant):
        # What the coordinator has put together itself need not be checked against its model again.
        return Response(decision.model_dump_json(by_alias=True), media_type="application/json")
    parts.measures.refused_claim(decision.reason)
    retry = RETRY_AFTER_SECONDS.get(decision.reason, 1)
    return Response(status_code=204, headers={REASON_HEADER: decision.reason, "Retry-After": str(retry)})


@router.post("/leases/{lease}/renewals", summary="Keep a lease alive", responses=answers(*_ON_LEASE))
def renew(lease: Lease, renewal: Renewal, parts: PartsOf) -> RenewalAnswer:
    """Say how far the job is; the answer says whether to go on, to give it back, or to drop it."""
    renewed = parts.queue.renew(lease, renewal)
    count_renewal(renewed, parts)
    return renewed


def count_renewal(renewed: RenewalAnswer, parts: Parts) -> None:
    """Count a renewal, unless there was nothing to renew any more."""
    if renewed.directive is not Directive.CANCEL:
        parts.measures.renewals.inc()


@router.put(
    "/leases/{lease}/checkpoint",
    summary="Save finished folds",
    status_code=204,
    responses=answers(*_ON_LEASE),
)
def save_checkpoint(lease: Lease, checkpoint: Checkpoint, parts: PartsOf) -> None:
    """Keep the finished folds for the next attempt at the job."""
    parts.queue.save_checkpoint(lease, checkpoint)
    parts.measures.checkpoint_writes.inc()


async def octets(request: Request) -> bytes:
    """Return the body as it is; its size was limited before."""
    return await request.body()


@router.put(
    "/leases/{lease}/artifact",
    summary="Upload a model",
    status_code=204,
    responses=answers(*_ON_LEASE, DigestMismatchError),
    openapi_extra=_BYTES,
)
def upload_artifact(
    lease: Lease, content: Annotated[bytes, Depends(octets)], sha256: Sha256, parts: PartsOf
) -> None:
    """Store the .pkl of a training job under its digest; it is never unpickled here."""
    parts.queue.assert_held(lease)
    parts.artifacts.store(content, sha256)
    parts.queue.attach_artifact(lease, sha256, len(content))


@router.post(
    "/leases/{lease}/finish",
    summary="Hand in a result",
    response_model=Grant,
    responses=answers(*_ON_LEASE, DigestMismatchError) | {204: _TAKEN},
)
def finish(lease: Lease, finished: Finish, parts: PartsOf) -> Any:
    """End a job with its result, and with `next_claim` get the next job at once, as by a claim.

    The .pkl of a training job that was not uploaded is made from its manifest.
    """
    decision = parts.queue.finish(lease, finished, model_of(finished, parts))
    return taken(decision, parts)


def model_of(finished: Finish, parts: Parts) -> Model | None:
    """Return the model that the manifest of a result makes, None where there is none."""
    content = made_by(finished)
    if not content:
        return None
    keep = partial(parts.artifacts.keep, content, finished.artifact_sha256)
    return Model(finished.artifact_sha256, len(content), keep)


def taken(decision: Grant | Refusal | None, parts: Parts) -> Response:
    """Return the answer to a result."""
    if not isinstance(decision, Grant):
        # With a job that was just handed out the run has not ended.
        parts.housekeeping.wake()
    return Response(status_code=204) if decision is None else answer(decision, parts)


@router.post("/leases/{lease}/failure", summary="Say why an attempt failed", responses=answers(*_ON_LEASE))
def fail(lease: Lease, failure: Failure, parts: PartsOf) -> FailureAnswer:
    """End an attempt without a result; the answer says what happens to the job next."""
    failed = parts.queue.fail(lease, failure)
    parts.housekeeping.wake()
    return failed


@router.post(
    "/leases/{lease}/release", summary="Give a job back", status_code=204, responses=answers(*_ON_LEASE)
)
def release(lease: Lease, released: Release, parts: PartsOf) -> None:
    """Give a job back unharmed and free of charge."""
    parts.queue.release(lease, released)
    parts.housekeeping.wake()
