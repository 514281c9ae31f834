"""What is said once the containers are up: where all is found; what to do about another unfinished night."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from common.errors import ConflictError

PLACES = {
    "coordinator": ("the night", "/   (steer it with the token in secrets/nighttrain_token)"),
    "api": ("status and API", "/api/status   (docs: /docs)"),
    "grafana": ("Grafana", "   (user admin, password in secrets/grafana_password)"),
    "prometheus": ("Prometheus", ""),
    "alertmanager": ("Alertmanager", ""),
}


def welcome(ports: Mapping[str, str]) -> Iterator[str]:
    """Yield where all is found, by the published port of each service."""
    yield ""
    for name, (what, path) in PLACES.items():
        port = ports.get("coordinator" if name == "api" else name)
        if port:
            yield f"  {what:<17}http://127.0.0.1:{port}{path}"
    yield ""
    yield "  make scale N=4   more or fewer trainers, at any time"
    yield "  make logs        what is happening   make ps      what is running"
    yield "  make report      the results         make down    stop (keeps all data)"


def changed(error: ConflictError) -> ConflictError:
    """Return the conflict with an unfinished night, with what to do in the words of make."""
    if "--fresh" not in error.hint:
        return error
    return ConflictError(
        error.detail,
        "undo the change and run make up to continue that night, or drop it and start over: make up FRESH=1 "
        "(on Windows install.ps1 -Fresh)",
    )
