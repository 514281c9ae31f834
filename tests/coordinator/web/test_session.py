"""Sessions are bound to the token and end; who guesses waits."""

from __future__ import annotations

from coordinator.web.session import FREE_FAILURES, LIFE, Sessions, Throttle
from tests.coordinator.specimens import Clock

TOKEN = "a-token-of-more-than-thirty-two-letters"


def test_only_the_token_opens_a_session() -> None:
    sessions = Sessions(TOKEN, Clock())
    assert sessions.open(TOKEN[:-1]) is None and sessions.open("") is None
    cookie = sessions.open(f" {TOKEN}\n")
    assert cookie is not None and sessions.valid(cookie) and TOKEN not in cookie


def test_a_session_ends_by_itself_and_with_its_token() -> None:
    clock = Clock()
    sessions = Sessions(TOKEN, clock)
    cookie = sessions.open(TOKEN)
    assert cookie is not None
    assert not Sessions("another-token-that-is-as-long-as-it", clock).valid(cookie)
    clock.advance(LIFE.total_seconds() - 1)
    assert sessions.valid(cookie)
    clock.advance(1)
    assert not sessions.valid(cookie)


def test_a_cookie_that_was_altered_is_none() -> None:
    sessions = Sessions(TOKEN, Clock())
    cookie = sessions.open(TOKEN)
    assert cookie is not None
    until, nonce, digest = cookie.split(".")
    later = f"{int(until) + 1}.{nonce}.{digest}"
    for forged in (later, f"{until}.{nonce}.", "", ".", f"{until}.{nonce}.{'0' * 64}", "ü.ü.ü"):
        assert not sessions.valid(forged), forged


def test_a_form_is_accepted_from_the_session_that_it_was_made_for_only() -> None:
    sessions = Sessions(TOKEN, Clock())
    one, other = sessions.open(TOKEN), sessions.open(TOKEN)
    assert one is not None and other is not None and one != other
    assert sessions.accepts(one, sessions.form_token(one))
    assert not sessions.accepts(one, sessions.form_token(other))
    assert not sessions.accepts(one, "") and not sessions.accepts(one, "ü")


def test_who_guesses_waits_longer_each_time_and_others_do_not() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    waits = []
    for _ in range(FREE_FAILURES + 3):
        waits.append(throttle.wait_seconds("a"))
        throttle.failed("a")
    assert waits == [0] * FREE_FAILURES + [2, 4, 8]
    assert throttle.wait_seconds("a") == 16 and throttle.wait_seconds("b") == 0
    clock.advance(16)
    assert throttle.wait_seconds("a") == 0
    throttle.succeeded("a")
    throttle.failed("a")
    assert throttle.wait_seconds("a") == 0
