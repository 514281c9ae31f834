"""The base of every frozen model: messages, reports, views and settings."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: it cannot be changed, and it takes no key that it does not know.

    The strings below the fields describe them to the users of the interface.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @classmethod
    def of(cls, source: object, **others: object) -> Self:
        """Make one from an object with attributes of the same names, such as a row or a larger model.

        Parameters
        ----------
        source : object
            Where fields are read from; attributes that are no fields are left.
        **others : object
            Fields that the source lacks, or means otherwise. Models within are read from attributes too.

        Raises
        ------
        pydantic.ValidationError
            An attribute holds what the field does not allow.
        """
        named = {name: getattr(source, name) for name in cls.model_fields if name not in others}
        return cls.model_validate({**named, **others}, from_attributes=True)
