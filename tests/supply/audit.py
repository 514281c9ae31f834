"""What is known against the packages that Nighttrain installs: ``make audit``.

pip-audit asks PyPI for advisories of each package in `uv.lock`. Where it is told nothing about a package, for
want of a network or of an index that has advisories, it skips it and yet ends with "no known vulnerabilities
found"; here that is not taken for an answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PIP_AUDIT = "pip-audit>=2.9,<3"
PATIENCE_SECONDS = 600
FOUND, UNKNOWN = 1, 3
"""Exit codes: something is known against a package; it could not be found out for every package."""


def main() -> int:
    """Audit the lock, print what came of it, and return the exit code: 0, `FOUND` or `UNKNOWN`."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        export = [
            BIN / "uv",
            "export",
            "--frozen",
            "--all-extras",
            "--no-dev",
            "--no-emit-project",
            "--quiet",
        ]
        subprocess.run(
            [*export, "--output-file", requirements], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
        ask = [BIN / "uvx", "--quiet", PIP_AUDIT, "--disable-pip", "--require-hashes", "--format", "json"]
        try:
            done = subprocess.run(
                [*ask, "--requirement", requirements],
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
            said, code = verdict(done.stdout, done.stderr)
        except subprocess.TimeoutExpired:
            said, code = verdict("", f"no answer within {PATIENCE_SECONDS} s")
    print("\n".join(said))
    return code


def verdict(output: str, errors: str) -> tuple[list[str], int]:
    """Return what pip-audit's JSON means, in lines, and the exit code.

    Parameters
    ----------
    output, errors : str
        What pip-audit has printed.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = errors.strip().rpartition("\n")[2] or "pip-audit printed nothing"
        return [f"nothing was audited, because the advisories could not be had: {reason}"], UNKNOWN
    known = [(one, found) for one in packages for found in one.get("vulns", ())]
    skipped = [one for one in packages if "skip_reason" in one]
    said = [f"{one['name']} {one['version']}: {found['id']}, {_mended(found)}" for one, found in known]
    audited = len(packages) - len(skipped)
    said.append(f"{audited} of {len(packages)} packages were audited, {len(known)} vulnerabilities are known")
    if skipped or not packages:
        reasons = sorted({str(one["skip_reason"]) for one in skipped})
        said.append(f"of the others nothing is known here: {reasons[0] if reasons else 'there are none'}")
    return said, FOUND if known else UNKNOWN if skipped or not packages else 0


def _mended(found: dict[str, Any]) -> str:
    versions = found.get("fix_versions") or ()
    return f"mended in {', '.join(versions)}" if versions else "not mended yet"


if __name__ == "__main__":
    sys.exit(main())
