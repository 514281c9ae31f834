"""Whose word is taken for where a request comes from."""

from __future__ import annotations

import pytest

from coordinator.credentials.proxies import Proxies, Sender

PROXIES = Proxies(["127.0.0.1/32", "172.16.0.0/12"], "https://night.example.org/desk")
ELSEWHERE = "203.0.113.9"


def sender(peer: str, forwarded_for: str, proto: str = "", host: str = "127.0.0.1") -> Sender:
    return PROXIES.sender(peer, "http", host, forwarded_for, proto)


@pytest.mark.parametrize("peer", ["10.0.0.1", "", "no address", ELSEWHERE])
def test_what_a_stranger_says_of_itself_is_not_looked_at(peer: str) -> None:
    assert sender(peer, "127.0.0.1", "https") == Sender(peer, "http", False)


@pytest.mark.parametrize(
    ("forwarded_for", "address"),
    [
        (ELSEWHERE, ELSEWHERE),
        (f"127.0.0.1, {ELSEWHERE}", ELSEWHERE),
        (f"198.51.100.1,{ELSEWHERE} , 172.20.0.5", ELSEWHERE),
        ("127.0.0.1", "127.0.0.1"),
        ("\x1b[2J", "\x1b[2J"),
    ],
)
def test_a_proxy_is_believed_up_to_the_first_stranger(forwarded_for: str, address: str) -> None:
    assert sender("172.17.0.1", forwarded_for, "https") == Sender(address, "https", True)


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [("https", "https"), ("http, https", "https"), ("https, http", "http"), ("ftp", "http")],
)
def test_the_scheme_is_what_the_nearest_proxy_speaks(proto: str, scheme: str) -> None:
    assert sender("127.0.0.1", ELSEWHERE, proto).scheme == scheme


def test_who_asks_for_the_name_of_outside_is_outside_even_if_the_proxy_says_nothing() -> None:
    assert sender("127.0.0.1", "", host="night.example.org").outside
    assert not sender("127.0.0.1", "").outside


def test_without_proxies_nobody_is_believed_and_no_name_is_known() -> None:
    alone = Proxies((), "https://night.example.org")
    assert alone.name == ""
    assert alone.sender("127.0.0.1", "http", "night.example.org", ELSEWHERE, "https") == Sender(
        "127.0.0.1", "http", False
    )
