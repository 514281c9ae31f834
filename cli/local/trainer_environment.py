"""What trainers, and what forks their children, inherit of the launcher's environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

NEEDED_BY_TRAINERS = frozenset(
    [
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "PATH",
        "SHELL",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
    ]
)
BEGINNINGS_NEEDED_BY_TRAINERS = ("DYLD_", "LC_", "MALLOC_", "MKL_", "OMP_", "OPENBLAS_", "PYTHON")
"""Of variables that say how numbers are computed and memory is had; those of Python may name its packages."""
NEEDED_BY_STORES = {"s3": ("AWS_",), "gs": ("GOOGLE_",), "az": ("AZURE_", "MSI_", "IDENTITY_")}
"""Of variables by which the SDKs of a store find their credentials, by the scheme of its address."""
NEEDED_BY_NETWORKS = frozenset(
    name
    for word in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
    for name in (word, word.lower())
)


def environment_of_trainers(environment: Mapping[str, str], data: Path | str) -> dict[str, str]:
    """Return what trainers inherit: what a process needs to run, and nothing else that may hold a secret.

    Where candles lie in a store, that is also what its SDKs find their credentials by.
    """
    names: frozenset[str] = NEEDED_BY_TRAINERS
    beginnings: tuple[str, ...] = BEGINNINGS_NEEDED_BY_TRAINERS
    if isinstance(data, str):
        names |= NEEDED_BY_NETWORKS
        beginnings += NEEDED_BY_STORES[data.partition(":")[0]]
    return {
        name: value for name, value in environment.items() if name in names or name.startswith(beginnings)
    }
