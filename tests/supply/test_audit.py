"""No answer about a package is never taken for a good one."""

from __future__ import annotations

import json

import pytest

from tests.supply.audit import FOUND, UNKNOWN, verdict

CLEAN = {"name": "alembic", "version": "1.20.1", "vulns": []}
SKIPPED = {
    "name": "idna",
    "skip_reason": "Dependency not found on PyPI and could not be audited: idna (3.10)",
}
FOUL = {"name": "h11", "version": "0.14.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.16.0"]}]}


@pytest.mark.parametrize(
    ("packages", "code", "line"),
    [
        ([CLEAN], 0, "1 of 1 packages were audited, 0 vulnerabilities are known"),
        ([CLEAN, FOUL], FOUND, "h11 0.14.0: PYSEC-1, mended in 0.16.0"),
        ([CLEAN, SKIPPED], UNKNOWN, "1 of 2 packages were audited, 0 vulnerabilities are known"),
        ([CLEAN, SKIPPED], UNKNOWN, f"of the others nothing is known here: {SKIPPED['skip_reason']}"),
        ([FOUL, SKIPPED], FOUND, "1 of 2 packages were audited, 1 vulnerabilities are known"),
        ([], UNKNOWN, "0 of 0 packages were audited, 0 vulnerabilities are known"),
    ],
)
def test_what_was_found_and_what_was_not_looked_at_are_told_apart(
    packages: list[object], code: int, line: str
) -> None:
    said, ended = verdict(json.dumps({"dependencies": packages, "fixes": []}), "")
    assert ended == code and line in said


@pytest.mark.parametrize("output", ["", "[]", "{}", "no JSON", "null"])
def test_an_audit_that_broke_down_says_why(output: str) -> None:
    said, code = verdict(output, "Traceback ...\nConnectionError: no network\n")
    assert code == UNKNOWN
    assert said == [
        "nothing was audited, because the advisories could not be had: ConnectionError: no network"
    ]
