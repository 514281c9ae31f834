"""A browser's requests without a browser: pages, and forms as a page would send them."""

from __future__ import annotations

import re
from typing import Any

import httpx

from tests.coordinator.wire import TOKEN

HTML = {"Accept": "text/html,application/xhtml+xml"}


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="(\w+)"', page)
    assert found, page
    return found[1]


def sign_in(client: httpx.Client, token: str = TOKEN, then: str = "/") -> httpx.Response:
    return client.post("/login", data={"token": token, "then": then})


def press(client: httpx.Client, page: str, **fields: Any) -> httpx.Response:
    """Sends the form at an address with what it asks for."""
    shown = client.get(page, headers=HTML)
    assert shown.status_code == 200, shown.text
    return client.post(page, data={"form_token": form_token(shown.text), **fields})
