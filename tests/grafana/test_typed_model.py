"""The boards pass the typed model of Grafana's own SDK: decoded and encoded again, nothing is lost."""

import json

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard

from tests.grafana.committed import BOARDS

# What Prometheus' data source adds to an annotation; the SDK knows annotations of Grafana's own source.
ANNOTATION_EXTRAS = {"target", "titleFormat", "textFormat", "tagKeys"}


def missing(given, kept, path="board"):
    """Yield each place of `given` that is not the same in `kept`; what the model adds is no loss."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key in kept:
                yield from missing(value, kept[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is lost"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from missing(one, other, f"{path}[{number}]")
    elif given != kept:
        yield f"{path}: {given!r} became {kept!r}"


def decoded(board):
    register_default_plugins()
    return json.loads(json.dumps(dashboard.Dashboard.from_json(board), cls=JSONEncoder))


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_survives_the_typed_model(name):
    board = json.loads(json.dumps(BOARDS[name]))
    for annotation in board["annotations"]["list"]:
        for extra in ANNOTATION_EXTRAS:
            del annotation[extra]
    assert list(missing(board, decoded(board))) == []


def test_the_model_knows_the_options_of_every_kind_of_panel():
    model = dashboard.Dashboard.from_json(BOARDS["night"])
    kinds = {
        panel.type_val: type(panel.options).__module__ for panel in model.panels if panel.type_val != "row"
    }
    assert all(module.startswith("grafana_foundation_sdk.models.") for module in kinds.values()), kinds


def test_what_the_model_does_not_know_is_noticed():
    board = json.loads(json.dumps(BOARDS["night"]))
    panel = next(panel for panel in board["panels"] if panel["type"] == "timeseries")
    panel["options"]["legends"] = {}
    panel["fieldConfig"]["defaults"]["unti"] = "s"
    lost = list(missing(board["panels"], decoded(board)["panels"]))
    assert any("legends is lost" in place for place in lost)
    assert any("unti is lost" in place for place in lost)
