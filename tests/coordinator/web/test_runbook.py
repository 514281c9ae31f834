"""The runbook as a page."""

from __future__ import annotations

import re

from coordinator.web.runbook import read_runbook, rendered
from tests.prometheus.committed import ALERTS


def test_every_alert_has_its_anchor_in_the_runbook_that_is_served() -> None:
    runbook = read_runbook()
    others = ["Several coordinators", "Backup and restore", "A damaged database", "A host of a Swarm is lost"]
    others += ["Tokens of a Swarm", "An object store that is away"]
    assert [heading.text for heading in runbook.headings] == [*ALERTS, *others]
    for name in ALERTS:
        assert f'<h2 id="{name.lower()}">{name}</h2>' in runbook.body
    assert "<table>" in runbook.body and "style=" not in runbook.body
    inner = set(re.findall(r'href="#([^"]*)"', runbook.body))
    assert inner <= {heading.anchor for heading in runbook.headings}


def test_what_an_alert_of_an_earlier_version_links_to_is_below_its_heading() -> None:
    page = read_runbook().body
    for name in ALERTS:
        earlier = name.removeprefix("Nighttrain").lower()
        assert f'{name}</h2>\n<p id="{earlier}"><strong>Means.</strong>' in page
    assert len(re.findall(r' id="', page)) == len(set(re.findall(r' id="([^"]*)"', page)))


def test_html_and_scripts_in_it_are_text() -> None:
    page = rendered("## A <script>alert(1)</script>\n\n[x](javascript:alert(1)) <img src=x onerror=y>\n")
    assert "<script" not in page.body and "<img" not in page.body and 'href="javascript' not in page.body


def test_an_old_or_foreign_link_leads_to_the_heading_or_nowhere() -> None:
    runbook = read_runbook()
    assert runbook.link_of("deploy/runbook.md#nighttraintrainerlost") == "/runbook#nighttraintrainerlost"
    assert runbook.link_of("https://night.example.org/runbook#trainerlost") == "/runbook#trainerlost"
    assert runbook.link_of("javascript:alert(1)#x") == "" and runbook.link_of("") == ""
