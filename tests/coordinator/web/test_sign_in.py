"""Who shows the token gets a session, and nobody else changes anything."""

from __future__ import annotations

import dataclasses

import httpx
import pytest

from coordinator.assembly import Parts
from coordinator.web.session import FREE_FAILURES, LIFE
from tests.coordinator.specimens import Clock
from tests.coordinator.web.browsing import HTML, form_token, sign_in
from tests.coordinator.wire import Serve


def test_the_cookie_is_for_this_site_only_and_out_of_reach_of_scripts(anonymous: httpx.Client) -> None:
    answer = sign_in(anonymous, then="/login")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    assert f"Max-Age={int(LIFE.total_seconds())}" in cookie
    assert "Sign out" in anonymous.get("/").text


def test_a_wrong_token_is_refused_and_after_some_only_who_has_the_token_is_listened_to(
    anonymous: httpx.Client, clock: Clock
) -> None:
    for _ in range(FREE_FAILURES):
        answer = sign_in(anonymous, "not-the-token")
        assert answer.status_code == 401 and "That is not the token" in answer.text
        assert "set-cookie" not in answer.headers
    answer = sign_in(anonymous, "not-the-token")
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "2"
    assert "Wait 2 seconds" in answer.text
    assert sign_in(anonymous).status_code == 303
    clock.advance(2)
    assert sign_in(anonymous, "not-the-token").status_code == 401


def test_signing_out_needs_the_form_of_this_session(anonymous: httpx.Client) -> None:
    assert anonymous.post("/logout", data={"form_token": "x"}).status_code == 401
    sign_in(anonymous)
    assert anonymous.post("/logout").status_code == 403
    own = form_token(anonymous.get("/").text)
    other = anonymous.post("/logout", data={"form_token": own}, headers={"Sec-Fetch-Site": "cross-site"})
    assert other.status_code == 403 and "another site" in other.text
    assert "Sign out" in anonymous.get("/").text
    assert anonymous.post("/logout", data={"form_token": own}).status_code == 303
    assert "Sign out" not in anonymous.get("/").text


def test_a_session_ends_after_its_time(anonymous: httpx.Client, clock: Clock) -> None:
    sign_in(anonymous)
    clock.advance(LIFE.total_seconds())
    assert "Sign out" not in anonymous.get("/").text


@pytest.mark.parametrize("then", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb"])
def test_after_signing_in_nobody_is_led_to_another_site(anonymous: httpx.Client, then: str) -> None:
    assert sign_in(anonymous, then=then).headers["location"] == "/"


def test_beyond_the_machine_looking_needs_the_token_too(serve: Serve, parts: Parts) -> None:
    client = serve(dataclasses.replace(parts, loopback=False), token="")
    answer = client.get("/?state=failed", headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?then=/%3Fstate%3Dfailed"
    assert client.get("/live/0.0").status_code == 401
    sign_in(client)
    assert client.get("/").status_code == 200
