"""Templates of the page and of the report: both write values alike, and share the macros of `templates`."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from coordinator.html import values
from coordinator.version import program_version


def templates_of(package: str) -> Environment:
    """Return what renders the templates of a package, with those that all share beside them.

    Parameters
    ----------
    package : str
        Has a folder `templates`.
    """
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("coordinator.html")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    made.globals.update(version=program_version(), unknown=values.NONE)
    made.filters.update(
        moment=values.moment,
        clock=values.clock,
        gib=values.gibibytes,
        percent=values.percent,
        duration=values.duration,
        score=values.score,
        p_value=values.p_value,
        count=values.count,
        some=values.some,
    )
    return made
