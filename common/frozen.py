"""The base of every frozen model: messages, reports, views and settings."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Frozen(BaseModel):
    """A value: it cannot be changed, and it takes no key that it does not know.

    The strings below the fields describe them to the users of the interface.
    """

    # Each process uses a few of all models: what checks and writes one is built when it is first used.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

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

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> JsonSchemaValue:
        # Pydantic can do it by itself, but reads the source of every class for it when the class is made:
        # a seventh of a trainer's start, for a schema that only the coordinator is ever asked for.
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in _descriptions(cls).items():
            field = cls.model_fields.get(name)
            for key in (name, field and field.alias, field and field.serialization_alias):
                if key in properties:
                    properties[key].setdefault("description", text)
        return schema


@contextmanager
def deferred() -> Iterator[None]:
    """Have what checks and writes a model be built when it is first used, for all that are made in the block.

    It serves libraries whose models would be built when they are imported, and are seldom used.
    """
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]


def build_all() -> None:
    """Build what checks and writes each model that is imported so far.

    A process that is forked for each job does it once; else each of its children would do it anew.
    """
    waiting = [Frozen]
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        model.model_rebuild(raise_errors=False)


def _descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return the strings below the fields of a model, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        found |= _strings_of(base.__module__).get(base.__qualname__, {})
    return found


@cache
def _strings_of(module: str) -> dict[str, dict[str, str]]:
    """Return by class and field of a module what stands as a string right below the field."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, KeyError):
        return {}
    found: dict[str, dict[str, str]] = {}
    _collect(tree, "", found)
    return found


def _collect(node: ast.AST, within: str, found: dict[str, dict[str, str]]) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            _collect(child, f"{within}{child.name}.<locals>.", found)
        elif isinstance(child, ast.ClassDef):
            found[within + child.name] = dict(_described(child.body))
            _collect(child, f"{within}{child.name}.", found)


def _described(body: list[ast.stmt]) -> list[tuple[str, str]]:
    return [
        (field.target.id, inspect.cleandoc(below.value.value))
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    ]
