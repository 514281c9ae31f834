"""A real browser at a page, and what must never happen while it looks."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
WITHOUT = "no chromium on PATH: the page is not looked at (Debian: apt install chromium)"
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SHOTS = Path(__file__).parents[3] / "screenshots"
"""Where the tests leave what they saw; git ignores it."""
AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js"))
TALLEST = 8000
"""Pixels of a picture: Chromium takes half a minute to draw one as long as the runbook."""
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 812}
# The engine is run outside of the page's own world, so that the page's policy stays as it is.
ASK_AXE = "axe.run(document, {resultTypes: ['violations']})"
REPORTS = "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))"

FITS = """document.documentElement.scrollWidth <= innerWidth
    && [...document.querySelectorAll('.card')].every(one => one.scrollWidth <= one.clientWidth + 1)"""
SAYS_SO = """[...document.querySelectorAll('.wide, .plot-wide')].every(one => {
    if (!one.checkVisibility()) return true;
    const more = one.scrollWidth > one.clientWidth + 1;
    const said = getComputedStyle(one, '::after').content.includes('Scroll sideways');
    return more === said && more === (getComputedStyle(one).maskImage !== 'none');
})"""


def launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))


class Visit:
    """A browser window at a coordinator, and everything that went wrong in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url = context, url
        self.wrong: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(30_000)
        self.page.add_init_script(REPORTS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("request", lambda request: self._request(request.url))
        self.expected: tuple[str, ...] = ()
        """Parts of messages that a test brings about itself."""

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _request(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.url).netloc:
            self.wrong.append(f"another host: {url}")

    def go(self, path: str) -> Page:
        answer = self.page.goto(self.url + path)
        assert answer is not None
        return self.page

    def sign_in(self, token: str) -> None:
        self.go("/login")
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("main").get_by_role("button", name="Sign in").click()
        self.page.get_by_role("button", name="Sign out").wait_for()

    def shot(self, name: str) -> Path:
        """Keep what is seen: in full length, or of a very long page what the window shows of it."""
        SHOTS.mkdir(exist_ok=True)
        path = SHOTS / f"{name}.png"
        height = int(self.page.evaluate("document.documentElement.scrollHeight"))
        self.page.screenshot(path=path, full_page=height <= TALLEST)
        return path

    def barriers(self) -> list[str]:
        """What keeps people with disabilities out, by axe: the serious and the critical."""
        session = self.context.new_cdp_session(self.page)
        world = session.send(
            "Page.createIsolatedWorld",
            {"frameId": session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]},
        )
        where = {"contextId": world["executionContextId"]}
        session.send("Runtime.evaluate", {"expression": AXE.read_text(), **where})
        answer = session.send(
            "Runtime.evaluate",
            {
                "expression": f"{ASK_AXE}.then(found => JSON.stringify(found.violations))",
                "awaitPromise": True,
                "returnByValue": True,
                **where,
            },
        )
        found: list[dict[str, Any]] = json.loads(answer["result"]["value"])
        return [
            f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes'][:3]]}"
            f" {[node['failureSummary'] for node in one['nodes'][:1]]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    def fits(self) -> bool:
        """Whether the page is no wider than the window, and what lies on a card no wider than the card."""
        return bool(self.page.evaluate(FITS))

    def assert_nothing_is_hidden_silently(self) -> None:
        """Wait until each box that scrolls sideways says so and fades, and no other does."""
        self.page.wait_for_function(SAYS_SO)

    def assert_nothing_wrong(self) -> None:
        wrong = [one for one in self.wrong if not any(part in one for part in self.expected)]
        assert wrong == []


MakeVisit = Callable[..., Visit]


@contextmanager
def visits(browser: Browser) -> Iterator[MakeVisit]:
    """Opens windows, of the given size and scheme, and at the end asserts that nothing went wrong in any."""
    made: list[Visit] = []

    def make(url: str, dark: bool = False, phone: bool = False, **options: Any) -> Visit:
        context = browser.new_context(
            viewport=PHONE if phone else WIDE,
            color_scheme="dark" if dark else "light",
            locale="en-GB",
            timezone_id="Europe/Berlin",
            **options,
        )
        made.append(Visit(context, url))
        return made[-1]

    yield make
    for visit in made:
        visit.context.close()
    for visit in made:
        visit.assert_nothing_wrong()
