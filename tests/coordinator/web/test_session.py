"""Sessions are bound to the token and end."""

from __future__ import annotations

from coordinator.web.session import LIFE, Sessions
from tests.coordinator.specimens import Clock

TOKEN = "a-token-of-more-than-thirty-two-letters"


def test_a_session_does_not_tell_its_token() -> None:
    sessions = Sessions(TOKEN, Clock())
    cookie = sessions.open()
    assert sessions.valid(cookie) and TOKEN not in cookie


def test_a_session_ends_by_itself_and_with_its_token() -> None:
    clock = Clock()
    sessions = Sessions(TOKEN, clock)
    cookie = sessions.open()
    assert not Sessions("another-token-that-is-as-long-as-it", clock).valid(cookie)
    clock.advance(LIFE.total_seconds() - 1)
    assert sessions.valid(cookie)
    clock.advance(1)
    assert not sessions.valid(cookie)


def test_a_cookie_that_was_altered_is_none() -> None:
    sessions = Sessions(TOKEN, Clock())
    cookie = sessions.open()
    until, nonce, digest = cookie.split(".")
    later = f"{int(until) + 1}.{nonce}.{digest}"
    for forged in (later, f"{until}.{nonce}.", "", ".", f"{until}.{nonce}.{'0' * 64}", "ü.ü.ü"):
        assert not sessions.valid(forged), forged


def test_a_form_is_accepted_from_the_session_that_it_was_made_for_only() -> None:
    sessions = Sessions(TOKEN, Clock())
    one, other = sessions.open(), sessions.open()
    assert one != other
    assert sessions.accepts(one, sessions.form_token(one))
    assert not sessions.accepts(one, sessions.form_token(other))
    assert not sessions.accepts(one, "") and not sessions.accepts(one, "ü")
