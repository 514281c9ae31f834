"""The web application: every path, errors as problems, the middleware, and the OpenAPI document."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from threading import Lock
from typing import Any

from pydantic.warnings import UnsupportedFieldAttributeWarning

from common.frozen import deferred
from common.lean_import import without
from coordinator.assembly import Parts
from coordinator.version import program_version

with deferred():
    # Its models are those of OpenAPI's document, which few nights are asked for.
    from fastapi import FastAPI
    from fastapi.concurrency import run_in_threadpool

with without("pydantic.v1"):
    # FastAPI asks of each parameter of a route whether it is a model of those days.
    from coordinator.api import (
        alerts,
        champions,
        docs,
        errors,
        health,
        openapi,
        operators,
        steering,
        trainers,
    )
    from coordinator.api.middleware import Guard, Latency
    from coordinator.api.shortcut import Shortcut
    from coordinator.web import problems
    from coordinator.web.headers import PageHeaders


def make_app(parts: Parts) -> FastAPI:
    """Return the application over the coordinator's parts; its housekeeping runs while it is served."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(parts.housekeeping.start)
        if parts.uploads is not None:
            parts.uploads.start()
        yield
        await run_in_threadpool(parts.housekeeping.stop)
        await run_in_threadpool(parts.artifacts.settle)
        if parts.uploads is not None:
            await run_in_threadpool(parts.uploads.stop)

    # FastAPI silences this where it makes what validates a parameter; it is built when it is first used.
    warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)
    app = FastAPI(
        title="Nighttrain coordinator",
        version=program_version(),
        summary="Hands out the jobs of a night of training, and keeps what they bring.",
        lifespan=lifespan,
        # A path with an extra slash is another path; after a redirect a body would have to be sent twice.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.parts = parts
    # Each that is added stands before those that were.
    app.add_middleware(Shortcut, parts=parts)
    app.add_middleware(
        Guard,
        doorkeeper=parts.doorkeeper,
        loopback=parts.loopback,
        trusted_hosts=parts.trusted_hosts,
        proxies=parts.proxies,
    )
    app.add_middleware(Latency, measures=parts.measures)
    errors.install(app)
    # A request is compared with one route after the other, and most are those of trainers.
    for router in (
        trainers.router,
        operators.changing,
        operators.reading,
        operators.listing,
        champions.reading,
        champions.comparing,
        steering.changing,
        steering.listing,
        alerts.router,
        health.router,
        docs.router,
    ):
        app.include_router(router)
    # Whoever runs the application puts in its place what knows that the process is about to end.
    app.state.stopping = lambda: False

    including = Lock()

    @cache
    def pages() -> None:
        # A tenth of what a start takes, and a night at which nobody looks has no use for them.
        with without("pydantic.v1"):
            from coordinator.web import site
        site.include(app)

    def include_pages() -> None:
        with including:
            pages()

    def describe() -> dict[str, Any]:
        include_pages()
        return openapi.describe(app)

    problems.install(app)
    app.add_middleware(PageHeaders, include=include_pages)
    app.openapi = describe  # type: ignore[method-assign]  # as FastAPI advises
    return app
