"""The page: all its screens, its files and its errors, put into the application."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import APIRoute

from coordinator.web import (
    assets,
    candles,
    failures,
    job,
    links,
    models,
    night,
    nights,
    problems,
    runbook,
    settings,
    sign_in,
    steering,
    timeline,
    trainers,
)
from coordinator.web.headers import PageHeaders
from coordinator.web.live import Live

SCREENS = (
    night.router,
    failures.router,
    trainers.router,
    job.router,
    timeline.router,
    models.router,
    candles.router,
    nights.router,
    settings.router,
    runbook.router,
)
"""The routers of the screens."""


def install(app: FastAPI) -> None:
    """Serve the page from an application that serves the interface and answers its errors."""
    # Whoever runs the application puts in its place what knows that the process is about to end.
    app.state.stopping = lambda: False
    app.state.live = Live(lambda: app.state.stopping())
    for router in (assets.router, sign_in.router, *SCREENS, links.router, steering.router):
        app.include_router(router)
    app.state.screens = frozenset(
        route.path for router in SCREENS for route in router.routes if isinstance(route, APIRoute)
    )
    problems.install(app)
    app.add_middleware(PageHeaders)
