"""Documents as they are read back: one that cannot be read counts as none, and is told of in the log.

An earlier version, or a hand, may have stored what this one refuses; a night must neither stop at it nor take
it for true.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from common.protocol.jobs import SPEC, SurveySpec, TrainingSpec

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)


SPECS_KEPT = 256
"""So many specifications are kept as they were read: each is read when its job begins and when it ends."""


@lru_cache(maxsize=SPECS_KEPT)
def spec_of(document: str) -> SurveySpec | TrainingSpec:
    """Return a job's specification as its row has it."""
    return SPEC.validate_json(document)


def read_document(model: type[Model], document: str | None, what: str) -> Model | None:
    """Return what a document says.

    Parameters
    ----------
    model : type
        What it must be.
    document : str or None
        JSON, as it stands in the database; None if there is none.
    what : str
        What it is, for the log, such as `the checkpoint of job 7`.

    Returns
    -------
    model or None
        None if there is none, or it cannot be read.
    """
    if document is None:
        return None
    try:
        return model.model_validate_json(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "document"
        logger.warning("%s cannot be read and counts as none: %s: %s", what, place, first["msg"])
        return None
