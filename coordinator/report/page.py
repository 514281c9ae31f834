"""The report as one HTML file: it holds its style sheet and its drawings, and asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice

from jinja2 import Environment
from markupsafe import Markup

from common.protocol.champions import ChampionAction
from common.protocol.nights import NightDigest
from coordinator.html.plots.curves import reliability_plot
from coordinator.html.plots.sparkline import sparkline
from coordinator.html.plots.timeline import timeline_plot
from coordinator.html.rendering import templates_of
from coordinator.report.calibration import calibrations
from coordinator.report.contents import Contents
from coordinator.report.costs import costs_of
from coordinator.report.digest import CONDITIONS
from coordinator.report.drawings import coverage_of, lane_of, span_of
from coordinator.report.heat import EDGES, heat_tables
from coordinator.views.candles import HARMLESS, SymbolCandles
from coordinator.views.comparison import CellPair
from coordinator.views.failures import WHAT_TO_DO

STYLES = (
    ("coordinator.html", "page.css"),
    ("coordinator.html", "plots.css"),
    ("coordinator.html", "screens.css"),
    ("coordinator.report", "report.css"),
)
LANES = 12
"""So many trainers are in one drawing at most, so that it fits a printed page."""
DRAWN_MODELS = 6
"""So many promoted models have a reliability curve of their own."""
MOVERS = 5
"""So many cells that gained or lost most are named."""
TOLD_SECONDS = 10.0
"""Gaps of this length and more are listed."""
LISTED_GAPS = 10
DRAWN_SYMBOLS = 8
"""So many symbols whose candles have something to tell are drawn with their findings; others are counted."""
LISTED_FINDINGS = 12
LISTED_JOBS = 40
EVIDENCE = 2_000
"""Characters of evidence that are shown of a failure, its end."""


def prepare() -> None:
    """Compile the templates, which takes as long as to write a report."""
    made = _environment()
    for name in made.list_templates():
        made.get_template(name)


def report_page(found: Contents, digest: NightDigest, address: str) -> str:
    """Return the report of a night as HTML.

    Parameters
    ----------
    found : Contents
        What it says.
    digest : NightDigest
        The same in ten lines.
    address : str
        Where people reach the coordinator, without a slash at the end: one link leads there.
    """
    told = [one for one in found.candles.symbols if _has_news(one)]
    drawn, span = told[:DRAWN_SYMBOLS], span_of(found.candles.symbols)
    gaps = [(one.trainer, gap) for one in found.timeline.trainers for gap in one.gaps]
    long_gaps = sorted(
        (one for one in gaps if one[1].seconds >= TOLD_SECONDS), key=lambda one: -one[1].seconds
    )
    return (
        _environment()
        .get_template("report.html")
        .render(
            found=found,
            night=found.night,
            digest=digest,
            address=address,
            style=style(),
            policy=policy(),
            heat=heat_tables(found),
            edges=EDGES,
            conditions=CONDITIONS,
            refused=sum(one.job.promoted is False for one in found.trained),
            calibrations=calibrations(found),
            models=_models(found),
            movers=_movers(found),
            history=_history(found),
            ended_champions=[
                one
                for one in found.champion_changes
                if one.action in (ChampionAction.DEMOTED, ChampionAction.EXPIRED)
            ],
            costs=costs_of(found),
            timelines=_timelines(found),
            gaps=long_gaps[:LISTED_GAPS],
            gap_count=len(long_gaps),
            coverage=[(one, coverage_of(one, *span) if span else "") for one in drawn],
            more_symbols=len(told) - len(drawn),
            quiet_symbols=sum(one.report is not None for one in found.candles.symbols) - len(told),
            harmless=HARMLESS,
            what_to_do=WHAT_TO_DO,
            limits={"jobs": LISTED_JOBS, "evidence": EVIDENCE, "findings": LISTED_FINDINGS},
        )
    )


@cache
def style() -> Markup:
    """Return the style sheet, without what is for people who read the source."""
    sheets = (files(package).joinpath("styles", name).read_text("utf-8") for package, name in STYLES)
    return Markup(re.sub(r"/\*.*?\*/\s*", "", "\n".join(sheets), flags=re.DOTALL))  # noqa: S704 (sheets of ours)


@cache
def policy() -> str:
    """Return what the report may load, as its own policy and for its header: its style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    allowed = f"style-src 'sha256-{digest}'; img-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def report_headers() -> dict[str, str]:
    """Return what goes with the report where it is served: it may do no more there than as a file."""
    return {
        "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-cache",
    }


@cache
def _environment() -> Environment:
    return templates_of("coordinator.report")


@dataclass(frozen=True)
class Movers:
    """The cells that gained and lost most against the night before, and how many did."""

    up: tuple[CellPair, ...]
    down: tuple[CellPair, ...]
    better: int
    worse: int


def _movers(found: Contents) -> Movers | None:
    if found.comparison is None:
        return None
    known = [(cell.gain, cell) for cell in found.comparison.cells if cell.gain is not None]
    known.sort(key=lambda one: -one[0])
    up = [cell for gain, cell in known if gain > 0]
    down = [cell for gain, cell in reversed(known) if gain < 0]
    return Movers(tuple(up[:MOVERS]), tuple(down[:MOVERS]), len(up), len(down))


def _models(found: Contents) -> list[tuple[str, Markup]]:
    drawn = ((one.job.name, one.measured.reliability) for one in found.promoted if one.measured)
    some = islice(((name, bins) for name, bins in drawn if bins), DRAWN_MODELS)
    return [(name, reliability_plot(bins)) for name, bins in some]


def _history(found: Contents) -> Markup:
    nights = found.nights[::-1]
    return sparkline([one.mean_auc for one in nights], "Mean AUC over the last nights", 0.5, 260)


def _timelines(found: Contents) -> list[Markup]:
    timeline = found.timeline
    lanes = [lane_of(one, timeline, timeline.end, linked=False) for one in timeline.trainers]
    parts = [lanes[start : start + LANES] for start in range(0, len(lanes), LANES)]
    return [timeline_plot(part, timeline.start, timeline.end) for part in parts]


def _has_news(one: SymbolCandles) -> bool:
    report = one.report
    if report is None:
        return False
    lost = any(finding.action not in HARMLESS for finding in report.findings)
    return lost or bool(one.missing) or any(series.refusal for series in report.series)
