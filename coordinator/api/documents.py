"""Documents that are sent: read once, from the bytes to the model."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError


class DocumentRoute(APIRoute):
    """A path whose body is one model.

    FastAPI makes of a body first what JSON makes of it, thousands of lists and numbers for a result, and of
    these the model. Pydantic reads the model from the bytes, in half the time.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()
        model = self.body_field.field_info.annotation if self.body_field is not None else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return answer

        async def read_once(request: Request) -> Response:
            return await answer(_Request(request, model))

        return read_once


class _Request(Request):
    def __init__(self, request: Request, model: type[BaseModel]) -> None:
        super().__init__(request.scope, request.receive)
        self._model = model

    async def json(self) -> Any:
        """Return the model, which FastAPI takes as it is, or what JSON makes of a body that is none.

        Of the latter FastAPI says what is wrong with it.
        """
        try:
            return self._model.model_validate_json(await self.body())
        except ValidationError:
            return await super().json()
