"""Those who read what was sent: status, metrics, pages, reports, a night's screen, and the next trainer."""

from __future__ import annotations

import io
import logging
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import httpx
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ValidationError
from rich.console import Console

from cli.screen import alerts as alert_screen
from cli.screen import jobs as job_screen
from cli.screen.plain_table import lines
from cli.screen.progress import PlainDisplay
from common.client.connection import Answer
from common.errors import NighttrainError
from common.logs import ConcealingFormatter
from common.protocol.alerts import AlertPage
from common.protocol.job_views import JobDetail, JobPage
from common.protocol.results import Results
from common.protocol.runs import RunPage
from common.protocol.status import StatusDocument
from common.protocol.trainers import Grant
from tests.coordinator.specimens import claim, hello
from tests.coordinator.wire import body
from tests.hostile.target import Target

Model = TypeVar("Model", bound=BaseModel)
PAGES = ("/", "/trainers", "/models", "/candles", "/failures", "/timeline", "/audit", "/settings")
SHOWN = re.compile(r"[\n\t -~\u00a0-\U0010ffff]*")
"""No controls: a terminal obeys them."""
RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ test ")


class BrokenPromiseError(Exception):
    """An honest reader got what it cannot read, or what harms it."""


class Reader:
    """Reads everything that a coordinator shows, as those do who watch a night."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def read(self) -> None:
        """Read all of it.

        Raises
        ------
        BrokenPromiseError
            Something cannot be read, or holds what a terminal obeys.
        """
        status = self._document("/api/status", StatusDocument)
        runs = self._document("/api/runs", RunPage).runs
        page = self._document("/api/jobs?limit=500", JobPage)
        self._screen(status)
        self._shown(job_screen.job_table(page))
        self._shown(alert_screen.alert_table(self._document("/api/alerts", AlertPage)))
        for run in runs:
            so_far = "?so_far=true" if run.finished is None else ""
            self._shown(
                "\n".join(lines(self._document(f"/api/runs/{run.id}/results{so_far}", Results), None))
            )
            self._get(f"/api/runs/{run.id}/report")
        for one in {job.id for job in (*status.recent_jobs, *page.jobs[-4:])}:
            self._shown(job_screen.job_page(self._document(f"/api/jobs/{one}", JobDetail)))
            self._get(f"/jobs/{one}")
        for path in PAGES:
            self._get(path)
        self._metrics()

    def work(self) -> None:
        """Do what the coordinator's duties and the next trainers do.

        Raises
        ------
        BrokenPromiseError
            A duty failed, or a trainer cannot go on.
        """
        parts = self.target.parts
        parts.housekeeping.tick()
        if parts.housekeeping.troubles():
            raise BrokenPromiseError(f"housekeeping: {parts.housekeeping.troubles()}")
        for name in ("t1", "t2"):
            self._post("/api/trainers", hello(name, f"{name}-later"))
            answer = self._post("/api/claims", claim(f"{name}-later"))
            if answer.status_code == 200:
                try:
                    Grant.model_validate_json(answer.content)
                except ValidationError as error:
                    raise BrokenPromiseError(f"the grant of {name} cannot be read: {error}") from error

    def _get(self, path: str) -> httpx.Response:
        answer = self.target.client.get(path)
        if answer.status_code >= 500 or (answer.status_code >= 400 and path.startswith("/api/status")):
            raise BrokenPromiseError(f"GET {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def _document(self, path: str, model: type[Model]) -> Model:
        answer = self._get(path)
        try:
            return Answer(f"GET {path}", answer.status_code, answer.headers, answer.content).read(model)
        except NighttrainError as error:
            raise BrokenPromiseError(f"GET {path}: {answer.status_code} {error}") from error

    def _post(self, path: str, message: BaseModel) -> httpx.Response:
        answer = self.target.client.post(path, **body(message))
        if answer.status_code >= 400:
            raise BrokenPromiseError(f"POST {path} by an honest trainer: {answer.status_code} {answer.text}")
        return answer

    def _screen(self, status: StatusDocument) -> None:
        written = io.StringIO()
        display = PlainDisplay(Console(file=written, width=200))
        display.show(status)
        for warning in status.warnings:
            display.say(warning)
        self._shown(written.getvalue())

    def _metrics(self) -> None:
        for family in text_string_to_metric_families(self._get("/metrics").text):
            for sample in family.samples:
                if not math.isfinite(sample.value) and "le" not in sample.labels:
                    raise BrokenPromiseError(f"/metrics: {sample.name}{sample.labels} is {sample.value}")

    def _shown(self, text: str) -> None:
        if not SHOWN.fullmatch(text):
            place = next(place for place, one in enumerate(text) if not SHOWN.fullmatch(one))
            raise BrokenPromiseError(f"a terminal obeys what is printed: {text[max(0, place - 40) :][:80]!r}")


class Lines(logging.Handler):
    """Keeps what is logged, as the file would have it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(ConcealingFormatter("test"))
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))

    def forged(self) -> str:
        """Return a line that no record began, or that a terminal obeys; forget what was written."""
        lines = "\n".join(self.written).split("\n") if self.written else []
        self.written.clear()
        for one in lines:
            if not (RECORD.match(one) or one.startswith("    ")) or not SHOWN.fullmatch(one):
                return one
        return ""


@contextmanager
def log_lines() -> Iterator[Lines]:
    """Hear what is logged meanwhile."""
    kept, root = Lines(), logging.getLogger()
    before = root.level
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    for chatty in ("httpx", "httpcore", "asyncio", "urllib3", "hypothesis"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        yield kept
    finally:
        root.setLevel(before)
        root.removeHandler(kept)
