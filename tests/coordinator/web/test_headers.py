"""Pages come with a strict policy and compressed; the interface and its document are as before."""

from __future__ import annotations

import re

import httpx

from tests.coordinator.web.browsing import HTML


def test_every_page_bars_what_is_not_its_own(client: httpx.Client) -> None:
    for path in ("/", "/login", "/nonsense"):
        answer = client.get(path, headers=HTML)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy
        assert "unsafe" not in policy and "http" not in policy and "data:" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"\sstyle=|\son\w+=|<style|<script>", answer.text)


def test_the_documentation_of_the_interface_keeps_its_own_policy(client: httpx.Client) -> None:
    assert "'unsafe-inline'" in client.get("/docs").headers["content-security-policy"]
    assert "content-security-policy" not in client.get("/api/status").headers


def test_files_are_kept_for_ever_under_the_address_of_their_content(client: httpx.Client) -> None:
    found = re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get("/").text)
    assert len(found) >= 5
    for address in found:
        answer = client.get(address)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
        other = address.replace(address.split("/")[2], "0" * 16)
        assert client.get(other).status_code == 404
    assert client.get("/static/x/../vendor.json").status_code == 404


def test_pages_are_compressed(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.headers["content-encoding"] == "gzip" and "no-cache" in answer.headers["cache-control"]
