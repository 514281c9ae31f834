"""The champions, the history of each cell, and two nights side by side; models can be downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import Path, Query, Response
from markupsafe import Markup

from common.errors import NotFoundError
from common.frozen import Frozen
from common.protocol.jobs import Cell
from common.protocol.runs import RunState
from common.timeframes import Timeframe
from coordinator.api.access import LARGEST, JobId, PartsOf
from coordinator.champions.files import manifest_bytes
from coordinator.html.plots.sparkline import sparkline
from coordinator.views.comparison import CellPair, compare_nights
from coordinator.views.models import ChampionSummary, cell_history, champion_list, model_of
from coordinator.views.nights import night_page
from coordinator.web.access import LOOKING
from coordinator.web.choices import Choice, Chosen, Night, choice
from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router

router = page_router()

OFFERED_NIGHTS = 100
"""How many nights can be chosen from in the form of a comparison; an address may name any."""


class ModelFilters(Frozen):
    """Which champions are shown; all where none is named."""

    symbol: Chosen = ()
    timeframe: Chosen = ()
    horizon: Chosen = ()


class CompareFilters(ModelFilters):
    """Which nights are compared, by default the newest with the one before; and which cells are shown."""

    before: Night = None
    after: Night = None


def models(parts: PartsOf, filters: Annotated[ModelFilters, Query()]) -> Show:
    """Show the champions."""

    def show() -> Page:
        found = champion_list(parts.database)
        shown = [one for one in found.champions if _wanted(one.cell, filters)]
        edges = [one.edge for one in shown if one.edge is not None]
        content = {
            "found": found,
            "champions": [(one, _spark(one)) for one in shown],
            "measured": len(edges),
            "paying": sum(edge.edge_bp > edge.costs_bp for edge in edges),
            "losing": sum(edge.edge_bp <= 0 for edge in edges),
            "costs": max((edge.costs_bp for edge in edges), default=0.0),
            "nights": night_page(parts.database, OFFERED_NIGHTS, 0).nights,
            "folder": parts.out.models,
            "choices": _choices([one.cell for one in found.champions], filters),
        }
        return Page("models.html", "Models", content)

    return show


def cell(
    symbol: Annotated[str, Path(max_length=60)],
    timeframe: Annotated[str, Path(max_length=8)],
    horizon: Annotated[int, Path(ge=0, le=LARGEST)],
    parts: PartsOf,
) -> Show:
    """Show the history of a cell."""

    def show() -> Page:
        if timeframe not in tuple(Timeframe):
            raise NotFoundError(f"{timeframe!r} is no timeframe", f"there are {', '.join(Timeframe)}")
        wanted = Cell(symbol=symbol, timeframe=Timeframe(timeframe), horizon=horizon)
        found = cell_history(parts.database, wanted)
        values = [one.auc for one in reversed(found.nights)]
        content = {
            "cell": found,
            "spark": sparkline(values, f"AUC of {wanted.name}", 0.5, 320),
            "folder": parts.out.models,
        }
        return Page("cell.html", wanted.name, content)

    return show


def compare(parts: PartsOf, filters: Annotated[CompareFilters, Query()]) -> Show:
    """Show two nights cell by cell."""

    def show() -> Page:
        nights = night_page(parts.database, OFFERED_NIGHTS, 0).nights
        known = [one.id for one in nights if one.state is not RunState.RUNNING] or [one.id for one in nights]
        after = filters.after if filters.after is not None else next(iter(known), None)
        earlier = [one for one in known if after is None or one < after]
        before = filters.before if filters.before is not None else next(iter(earlier), after)
        if before is None or after is None:
            return Page("no_night.html", "Compare nights", {"status": parts.status.document()})
        found = compare_nights(parts.database, before, after)
        cells = [one for one in found.cells if _wanted(one, filters)]
        content = {
            "found": found,
            "cells": cells,
            "nights": nights,
            "better": sum(one.gain is not None and one.gain > 0 for one in cells),
            "worse": sum(one.gain is not None and one.gain < 0 for one in cells),
            "choices": _choices(found.cells, filters),
            "hidden": {"before": before, "after": after},
        }
        return Page("compare.html", f"Night {before} and night {after}", content)

    return show


@router.get("/models/jobs/{job}/model.pkl", dependencies=LOOKING, response_model=None)
def pickle_of(job: JobId, parts: PartsOf) -> Response:
    """Send the .pkl of a job's model; it is looked up by its digest, so that no name reaches a path."""
    found, sha256, _ = model_of(parts.database, job)
    return _download(parts.artifacts.read(sha256), found, "pkl", "application/octet-stream")


@router.get("/models/jobs/{job}/model.json", dependencies=LOOKING, response_model=None)
def manifest_of(job: JobId, parts: PartsOf) -> Response:
    """Send the manifest of a job's model, as it stands beside a promoted one."""
    found, _, document = model_of(parts.database, job)
    return _download(manifest_bytes(document), found, "json", "application/json")


add_screen(router, "/models", models)
add_screen(router, "/models/{symbol}/{timeframe}/{horizon}", cell)
add_screen(router, "/compare", compare)


def _download(content: bytes, found: Cell, ending: str, media_type: str) -> Response:
    name = quote(f"{found.name}_logreg_optimized.{ending}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(content, media_type=media_type, headers=headers)


def _wanted(one: Cell | CellPair, filters: ModelFilters) -> bool:
    return (
        (not filters.symbol or one.symbol in filters.symbol)
        and (not filters.timeframe or one.timeframe in filters.timeframe)
        and (not filters.horizon or str(one.horizon) in filters.horizon)
    )


def _choices(cells: Sequence[Cell | CellPair], filters: ModelFilters) -> list[Choice]:
    frames = {str(one.timeframe) for one in cells}
    horizons = sorted({one.horizon for one in cells})
    return [
        choice("symbol", "Symbol", sorted({one.symbol for one in cells}), filters.symbol),
        choice("timeframe", "Timeframe", [one for one in Timeframe if one in frames], filters.timeframe),
        choice("horizon", "Horizon", [str(one) for one in horizons], filters.horizon),
    ]


def _spark(one: ChampionSummary) -> Markup:
    return sparkline([night.auc for night in one.nights], f"AUC of {one.cell.name} over the last nights", 0.5)
