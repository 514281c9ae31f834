"""The part of the coordinator's HTTP interface that is for trainers, as functions.

Each is one line of the table in `common.protocol.trainers`, and raises what `common.client.connection` says.
What operators ask for is not imported here: its models would be a tenth of a trainer's start.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.client.caller import Caller
from common.client.connection import Answer
from common.errors import ConfigurationError
from common.protocol.reports import Checkpoint
from common.protocol.trainers import (
    REASON_HEADER,
    SHA256_HEADER,
    ClaimRequest,
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

RETRY_AFTER_SECONDS = 2.0
"""How long to wait before the next claim where the answer does not say."""


@dataclass(frozen=True)
class Nothing:
    """No job was handed out, why, and when to ask again."""

    reason: NoWork
    retry_after_seconds: float


class TrainerClient(Caller):
    """What a trainer says to its coordinator; every write on a lease may raise `StaleLeaseError`.

    Parameters
    ----------
    url : str
        Where the coordinator listens.
    token : Path
        The file with the bearer token.
    """

    def register(self, hello: TrainerHello) -> Welcome:
        """Introduce a trainer process; leases of an earlier process of its name are given up."""
        return self._connection.send("POST", "/api/trainers", hello).read(Welcome)

    def claim(self, request: ClaimRequest) -> Grant | Nothing:
        """Ask for a job."""
        return _offered(self._connection.send("POST", "/api/claims", request))

    def renew(self, lease_id: str, renewal: Renewal) -> RenewalAnswer:
        """Say that a job is alive and how far it is; the answer says what to do with it."""
        return self._connection.send("POST", f"/api/leases/{lease_id}/renewals", renewal).read(RenewalAnswer)

    def save_checkpoint(self, lease_id: str, checkpoint: Checkpoint) -> None:
        """Keep the finished folds of a job for its next attempt."""
        self._connection.send("PUT", f"/api/leases/{lease_id}/checkpoint", checkpoint)

    def upload_artifact(self, lease_id: str, content: bytes, sha256: str) -> None:
        """Hand in the .pkl of a training job; its digest is checked on arrival."""
        headers = {"Content-Type": "application/octet-stream", SHA256_HEADER: sha256}
        self._connection.send("PUT", f"/api/leases/{lease_id}/artifact", content=content, headers=headers)

    def finish(self, lease_id: str, finish: Finish) -> Grant | Nothing | None:
        """Hand in a job's result; the lease ends. What is said to its `next_claim` is returned."""
        answer = self._connection.send("POST", f"/api/leases/{lease_id}/finish", finish)
        if answer.status == 204 and REASON_HEADER not in answer.headers:
            return None
        return _offered(answer)

    def fail(self, lease_id: str, failure: Failure) -> FailureAnswer:
        """Say why an attempt brought no result; the lease ends."""
        return self._connection.send("POST", f"/api/leases/{lease_id}/failure", failure).read(FailureAnswer)

    def release(self, lease_id: str, release: Release) -> None:
        """Give a job back unharmed; the lease ends."""
        self._connection.send("POST", f"/api/leases/{lease_id}/release", release)


def _offered(answer: Answer) -> Grant | Nothing:
    if answer.status != 204:
        return answer.read(Grant)
    try:
        reason = NoWork(answer.headers.get(REASON_HEADER, NoWork.EMPTY))
        seconds = float(answer.headers.get("Retry-After", RETRY_AFTER_SECONDS))
    except ValueError as error:
        raise ConfigurationError(f"{answer.said} with headers of another language: {error}") from error
    return Nothing(reason, seconds)
