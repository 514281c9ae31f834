"""The page: all its screens and its files, put into the application."""

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
    runbook,
    settings,
    sign_in,
    steering,
    timeline,
    trainers,
)
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


def include(app: FastAPI) -> None:
    """Serve the page from an application that serves the interface and answers its errors."""
    app.state.live = Live(lambda: app.state.stopping())
    for router in (assets.router, sign_in.router, *SCREENS, links.router, steering.router):
        app.include_router(router)
    app.state.screens = frozenset(
        route.path for router in SCREENS for route in router.routes if isinstance(route, APIRoute)
    )
