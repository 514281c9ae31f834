"""The champions over HTTP, their history, and what differs between two models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from common.errors import NotFoundError
from common.protocol.champions import ChampionHistory, ChampionPage, ModelDifference
from common.protocol.jobs import Cell
from coordinator.api.access import FILTERED, LARGEST, READS, CellName, Parameters, PartsOf
from coordinator.api.errors import READING, answers

_NO_CHAMPION = NotFoundError("BTCUSDT_1h_H3 has never had a champion")
_NO_MODEL = NotFoundError("job 17 has no model", "name a job that has succeeded")

reading = APIRouter(prefix="/api", tags=["champions"], dependencies=READS)
comparing = APIRouter(prefix="/api", tags=["champions"], dependencies=FILTERED)


class DifferenceQuery(Parameters):
    """Which models are compared."""

    left: Annotated[
        int,
        Field(ge=0, le=LARGEST, examples=[17], description="The job that trained the first model."),
    ]
    right: Annotated[
        int,
        Field(ge=0, le=LARGEST, examples=[17], description="The job that trained the second model."),
    ]


@reading.get("/champions", summary="List the champions", responses=answers(*READING))
def list_champions(parts: PartsOf) -> ChampionPage:
    """Return the promoted model of each cell that has one, since when, and why."""
    return parts.champion_listing.page()


@reading.get(
    "/champions/{cell}", summary="Show the champion of a cell", responses=answers(*READING, _NO_CHAMPION)
)
def show_champion(cell: CellName, parts: PartsOf) -> ChampionHistory:
    """Return the champion of a cell with its manifest, every change of it, and what a rollback would do."""
    return parts.champion_listing.history(Cell.of_name(cell))


@comparing.get("/models/difference", summary="Compare two models", responses=answers(*READING, _NO_MODEL))
def show_difference(parts: PartsOf, query: Annotated[DifferenceQuery, Query()]) -> ModelDifference:
    """Return what differs between the models of two jobs: scores, what they were made from, coefficients."""
    return parts.champion_listing.difference(query.left, query.right)
