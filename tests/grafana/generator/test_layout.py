import json

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from common.metrics.declarations import METRICS
from grafana.generator.layout import Section, board, run_variable, symbol_variable
from grafana.generator.panels import text_panel


def words(title, width, height):
    return text_panel(title, "What it says.", "Words", width, height)


def made(*sections, variables=()):
    model = board("nighttrain-night", "A board.", sections, variables, since="now-6h")
    return json.loads(json.dumps(model, cls=JSONEncoder))


def places(found):
    return {panel["title"]: tuple(panel["gridPos"][key] for key in "xywh") for panel in found["panels"]}


def test_panels_go_from_left_to_right_and_below_the_tallest_of_the_line():
    first = Section("First", [words("A", 16, 4), words("B", 8, 7), words("C", 12, 3)])
    second = Section("Second", [words("D", 24, 2)])
    assert places(made(first, second)) == {
        "First": (0, 0, 24, 1),
        "A": (0, 1, 16, 4),
        "B": (16, 1, 8, 7),
        "C": (0, 8, 12, 3),
        "Second": (0, 11, 24, 1),
        "D": (0, 12, 24, 2),
    }


def test_rows_and_panels_are_numbered_in_their_order():
    found = made(Section("First", [words("A", 24, 4)]), Section("Second", [words("B", 24, 4)]))
    assert [(panel["id"], panel["title"]) for panel in found["panels"]] == [
        (1, "First"),
        (2, "A"),
        (3, "Second"),
        (4, "B"),
    ]


def test_a_board_leads_to_all_boards_but_itself():
    assert [link["title"] for link in made()["links"]] == ["Trainers", "Models", "Coordinator"]


def test_an_annotation_has_the_form_of_the_data_source_of_prometheus():
    critical, warning = made()["annotations"]["list"]
    for one, severity in ((critical, "critical"), (warning, "warning")):
        firing = f'ALERTS{{alertstate="firing",severity="{severity}"}}'
        assert one["target"]["expr"] == f"{firing} unless {firing} offset 30s"
    assert all("expr" not in one and one["titleFormat"] == "{{alertname}}" for one in (critical, warning))


@pytest.mark.parametrize(
    ("variable", "name", "everything"),
    [(run_variable, "run", "$__all"), (symbol_variable, "symbol", ["$__all"])],
)
def test_a_variable_offers_the_values_of_a_declared_label(variable, name, everything):
    _, found = made(variables=[variable()])["templating"]["list"]
    assert found["name"] == name
    assert found["current"]["value"] == everything
    metric = found["query"]["query"].removeprefix("label_values(").removesuffix(f", {name})")
    assert name in METRICS[metric].label_names
    assert not {"auto", "auto_min", "auto_count"} & set(found)
