"""Whatever is wrong, a browser gets a page that says so and leads back, and programs get what they had."""

from __future__ import annotations

from html import unescape

import httpx
import pytest

from tests.coordinator.web.browsing import HTML


def test_a_page_that_does_not_exist_says_so_and_leads_back(client: httpx.Client) -> None:
    answer = client.get("/nonsense/<script>", headers=HTML)
    assert answer.status_code == 404 and answer.headers["content-type"].startswith("text/html")
    assert "there is no page /nonsense/" in answer.text.lower() and 'href="/"' in answer.text
    assert "<script>" not in answer.text.partition("</head>")[2]


def test_programs_get_problems_as_before(client: httpx.Client) -> None:
    for path in ("/nonsense", "/api/nonsense"):
        assert client.get(path).headers["content-type"] == "application/problem+json"
    assert client.get("/api/nonsense", headers=HTML).headers["content-type"] == "application/problem+json"


def test_a_filter_that_does_not_exist_is_named(client: httpx.Client) -> None:
    answer = client.get("/?colour=red", headers=HTML)
    assert answer.status_code == 422 and "nothing called &#39;colour&#39;" in answer.text


@pytest.mark.parametrize(
    ("path", "words", "back"),
    [
        ("/compare?a=1", "There is nothing called 'a' to choose by on this screen", "/"),
        ("/nights?offset=-1", "'-1' is no offset that can be shown: at least 0", "/nights"),
        ("/nights/x", "'x' is no night that can be shown: a whole number is needed", "/nights"),
        ("/failures?cause=bad", "'bad' is no cause that can be shown: one of error, crash,", "/failures"),
        ("/timeline?until=soon", "'soon' is no until that can be shown: a time like", "/timeline"),
        (
            "/settings?changed=perhaps",
            "'perhaps' is no changed that can be shown",
            "/settings",
        ),
    ],
)
def test_a_wrong_address_says_in_a_sentence_what_is_wrong_and_leads_back(
    client: httpx.Client, path: str, words: str, back: str
) -> None:
    answer = client.get(path, headers=HTML)
    page = unescape(answer.text)
    assert answer.status_code == 422 and words in page and f'<a class="button" href="{back}"' in page
    assert not any(word in page for word in ("Unprocessable", "Input should", "validation"))


def test_before_the_first_night_the_page_says_how_to_start_one(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "No night has begun yet" in answer.text and "make run" in answer.text and "make up" in answer.text
