"""Who shows the token gets a session, and nobody else changes anything."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import httpx
import pytest

from common.token_file import Role
from coordinator.assembly import Parts
from coordinator.credentials.doorkeeper import Doorkeeper
from coordinator.credentials.throttle import FREE_FAILURES, Throttle
from coordinator.credentials.tokens import Tokens
from coordinator.web.session import LIFE
from tests.coordinator.specimens import Clock
from tests.coordinator.web.browsing import HTML, form_token, sign_in
from tests.coordinator.wire import TOKEN, Serve, token_of


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


def test_the_readers_token_opens_the_page_and_changes_nothing(serve: Serve, parts: Parts) -> None:
    client = serve(dataclasses.replace(parts, loopback=False), token="")
    assert sign_in(client, token_of(Role.READER)).status_code == 303
    page = client.get("/")
    assert page.status_code == 200 and "Sign out" in page.text
    asked = {"form_token": form_token(page.text)}
    assert client.post("/runs/1/pause", data=asked).status_code == 403
    assert client.post("/logout", data=asked).status_code == 303
    assert client.get("/live/0.0").status_code == 401


def test_a_new_token_ends_the_sessions_of_its_role_alone(
    serve: Serve, parts: Parts, tmp_path: Path, clock: Clock
) -> None:
    files = {role: tmp_path / f"{role}_token" for role in (Role.OPERATOR, Role.READER)}
    held = {role: token_of(role) for role in files}
    for role, path in files.items():
        path.write_text(held[role])
    doorkeeper = Doorkeeper(Tokens(held, files), Throttle(clock), parts.measures.wrong_token)
    changed = dataclasses.replace(parts, loopback=False, doorkeeper=doorkeeper)
    operator, reader = serve(changed, token=""), serve(changed, token="")
    assert sign_in(operator, TOKEN).status_code == sign_in(reader, held[Role.READER]).status_code == 303
    files[Role.READER].write_text("another-token-that-is-as-long-as-the-first")
    assert reader.get("/live/0.0").status_code == 401
    assert "Sign out" in operator.get("/").text


@pytest.mark.parametrize("role", [Role.TRAINER, Role.ALERTS])
def test_tokens_of_machines_open_no_page(anonymous: httpx.Client, role: Role) -> None:
    answer = sign_in(anonymous, token_of(role))
    assert answer.status_code == 403 and "needs the operator&#39;s" in answer.text
    assert "set-cookie" not in answer.headers
