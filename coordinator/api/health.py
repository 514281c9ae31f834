"""What watches the process calls: is it up, can it work, and everything for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from common.errors import StorageError, UnavailableError
from common.protocol.status import Health
from coordinator.api.access import PartsOf, may_read
from coordinator.api.errors import READING, answers
from coordinator.api.openapi import PROBE

_UNREADY = answers(UnavailableError, StorageError)

# Of what watches the process no query is refused: probes and scrapers add some of their own (`?verbose`,
# `?name[]=`), and a check that fails by that is an alarm about nothing. Uptime probes ask with HEAD.
router = APIRouter(tags=["health"])


@router.head("/healthz", name=f"{PROBE}healthz", summary="Is the process up? (no body)", responses=answers())
@router.get("/healthz", summary="Is the process up?", responses=answers())
def healthz() -> Health:
    """Answer, which is all that is asked. A query is ignored; HEAD is answered as GET, without the body."""
    return Health(status="ok", detail="up")


@router.head("/readyz", name=f"{PROBE}readyz", summary="Can it do its work? (no body)", responses=_UNREADY)
@router.get("/readyz", summary="Can it do its work?", responses=_UNREADY)
def readyz(parts: PartsOf) -> Health:
    """Check that the database can be written and has the schema of this program.

    A query is ignored; HEAD is answered as GET, without the body.
    """
    return Health(status="ok", detail=f"database at schema {parts.database.check()}")


@router.get(
    "/metrics",
    summary="Everything for Prometheus",
    dependencies=[Depends(may_read)],
    response_class=PlainTextResponse,
    responses=answers(*READING),
)
def show_metrics(parts: PartsOf) -> Response:
    """Return all metrics as text, read at this moment; `common/metrics/declarations.py` says what each means.

    A query is ignored.
    """
    return Response(generate_latest(parts.registry), media_type=CONTENT_TYPE_LATEST)
