"""The base of every frozen model: messages, reports, views and settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: it cannot be changed, and it takes no key that it does not know.

    The strings below the fields describe them to the users of the interface.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
