"""Addresses of this coordinator: where a page may lead to."""

from __future__ import annotations


def local(address: str) -> str:
    """Return an address if it is one of this coordinator, and the first page otherwise."""
    ours = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if ours and address.isprintable() else "/"


def runbook(link: str) -> str:
    """Return where the page shows what an alert's link to the runbook leads to; empty if it has none."""
    _, mark, section = link.partition("#")
    return f"/runbook{mark}{section}" if link else ""
