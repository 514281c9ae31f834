"""What watches the process calls: is it up, can it work, and everything for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse

from common.errors import StorageError, UnavailableError
from common.metrics.kept import scrape
from common.protocol.status import Health
from coordinator.api.access import PartsOf, may_read
from coordinator.api.errors import READING, answers
from coordinator.api.openapi import PROBE

_UNREADY = answers(UnavailableError, StorageError)

SCRAPE_HEADER = "x-prometheus-scrape-timeout-seconds"
"""What a scraper sends and a person with a browser does not."""

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
def show_metrics(request: Request, parts: PartsOf) -> Response:
    """Return all metrics, read at this moment; `common/metrics/declarations.py` says what each means.

    As OpenMetrics where that is accepted, else as Prometheus' text; compressed where gzip is accepted.
    A query is ignored.
    """
    if SCRAPE_HEADER in request.headers:
        parts.scrapes.record()
    body, headers = scrape(
        parts.registry, request.headers.get("accept", ""), request.headers.get("accept-encoding", "")
    )
    return Response(body, headers=headers)
