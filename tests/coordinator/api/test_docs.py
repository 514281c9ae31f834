"""The page of the interface needs no other host."""

from __future__ import annotations

import re

import httpx

MEDIA_TYPES = ("text/css", "text/javascript", "application/json")


def test_the_page_asks_nothing_of_another_host(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200 and "http" not in page.text
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == policy["connect-src"] == "'self'"
    parts = [part for part in re.findall(r'(?:src|href)="([^"]*)"', page.text) if part != "data:,"]
    assert len(parts) == 4
    for part in parts:
        answer = client.get(part)
        assert part.startswith("/") and answer.status_code == 200 and answer.content, part
        assert answer.headers["content-type"].partition(";")[0] in (
            "text/css",
            "text/javascript",
            "application/json",
        )
    start = client.get("/docs/start.js").text
    assert 'url: "/openapi.json"' in start and "http" not in start and "validatorUrl: null" in start
    assert "SwaggerUIBundle" in client.get("/docs/swagger-ui-bundle.js").text
