"""Addresses are shown without the secrets that are in them."""

from __future__ import annotations

import pytest

from coordinator.store.address import masked


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql+psycopg://u:se/cret@host/db", "postgresql+psycopg://u:***@host/db"),
        ("postgresql://:secret@host/db", "postgresql://:***@host/db"),
        ("postgresql://u:se?cret@host:5433/db", "postgresql://u:***@host:5433/db"),
        ("postgresql://host/db?user=u&password=secret", "postgresql://host/db?password=***&user=u"),
        ("postgresql://host/db?sslPassword=secret", "postgresql://host/db?sslPassword=***"),
        ("postgresql://host/db?password=secret&password=secret", "postgresql://host/db?password=***"),
        ("https://hooks.example/x?token=secret", "https://hooks.example/x?token=***"),
        ("postgresql://u:p@secret@host/db", "***"),
        ("postgresql://u/x:secret@host/db", "***"),
        ("postgresql://u:secret@one:1,two:2/db", "***"),
        ("see https://u:secret@host", "***"),
    ],
)
def test_no_secret_of_an_address_is_shown(address: str, shown: str) -> None:
    assert masked(address) == shown


@pytest.mark.parametrize(
    "address",
    ["sqlite:////home/a@b/night.db", "http://127.0.0.1:8000/", "postgresql://u@host/db?sslmode=require"],
)
def test_an_address_without_a_secret_is_shown_as_it_is(address: str) -> None:
    assert masked(address) == address
