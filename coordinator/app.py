"""The web application: both APIs, errors as problems, the guard, and the OpenAPI document."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.openapi.utils import get_openapi

from coordinator import alert_api, operator_api, problems, trainer_api
from coordinator.guard import Guard
from coordinator.latency import Latency
from coordinator.parts import Parts, program_version

TAGS = [
    {
        "name": "operators",
        "description": "Begin, watch and cancel nights. On loopback and trusted networks anybody may read.",
    },
    {"name": "trainers", "description": "Register, claim jobs and hand in results, fenced by leases."},
    {"name": "alerts", "description": "What Prometheus found and Alertmanager told."},
    {"name": "health", "description": "For whatever watches the process."},
]


def make_app(parts: Parts) -> FastAPI:
    """Return the application over the coordinator's parts; its housekeeping runs while it is served."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(parts.housekeeping.start)
        yield
        await run_in_threadpool(parts.housekeeping.stop)

    app = FastAPI(
        title="Nighttrain coordinator",
        version=program_version(),
        summary="Hands out the jobs of a night of training, and keeps what they bring.",
        openapi_tags=TAGS,
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.parts = parts
    app.add_middleware(Guard, loopback=parts.loopback, trusted_hosts=parts.trusted_hosts)
    app.add_middleware(Latency, measures=parts.measures)
    problems.install(app)
    operators = (operator_api.changing, operator_api.reading, operator_api.health)
    for router in (*operators, alert_api.router, trainer_api.router):
        app.include_router(router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            tags=app.openapi_tags,
            routes=app.routes,
        )
        document["components"]["schemas"]["Problem"] = problems.Problem.model_json_schema()
        app.openapi_schema = document
    return app.openapi_schema
