"""Every series of a graph has a colour of its own in both themes, by Grafana's own function."""

import json
import re
import subprocess

import pytest

from common.metrics.declarations import METRICS
from grafana.generator.vocabulary import declared_in
from tests.grafana.committed import PANELS, ROOT
from tests.grafana.npm import installed

PACKAGE = ROOT / "tests" / "grafana" / "colours"
MANY = 8
"""How many symbols, trainers or routes are drawn at once, of labels whose values nobody lists."""
GRAPHS = [param for param in PANELS if param.values[1]["type"] == "timeseries"]


def values_of(label, expr):
    """The values of a label that the metrics of an expression declare, or made-up ones."""
    found = {
        one.values
        for name in declared_in(expr)
        for one in METRICS[name].labels
        if one.name == label and one.values
    }
    return max(found, key=len, default=tuple(f"{label}-{number}" for number in range(MANY)))


def series(panel):
    """The names of all series that a panel can have, with the colour that each is given, in their order."""
    given = {
        override["matcher"]["options"]: each["value"]
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "color"
    }
    default = panel["fieldConfig"]["defaults"]["color"]
    for target in panel["targets"]:
        legend = target["legendFormat"]
        label = re.search(r"\{\{(\w+)\}\}", legend)
        names = [legend]
        if label:
            names = [legend.replace(label[0], value) for value in values_of(label[1], target["expr"])]
        if legend == "limit, {{kind}}":
            names = ["limit, job", "limit, night"]
        for name in sorted(names):
            yield name, given.get(name, default)


@pytest.fixture(scope="module")
def coloured(request):
    """Ask Grafana for the colours of series, panel by panel and theme by theme."""
    packages = installed(request.config.cache, PACKAGE, "no colour of a series is checked")

    def ask(panels):
        question = json.dumps([[{"color": colour} for colour in panel] for panel in panels])
        command = ["node", str(PACKAGE / "colours.cjs"), str(packages / "node_modules")]
        done = subprocess.run(command, input=question, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout[done.stdout.index('{"dark"') :])

    return ask


def alike(names, colours):
    """The names that share a colour."""
    by_colour = {}
    for name, colour in zip(names, colours, strict=True):
        by_colour.setdefault(colour.lower(), []).append(name)
    return [names for names in by_colour.values() if len(names) > 1]


def test_no_two_series_of_a_graph_have_one_colour(coloured):
    panels = [list(series(param.values[1])) for param in GRAPHS]
    answer = coloured([[colour for _, colour in panel] for panel in panels])
    found = {
        f"{param.id} ({theme})": same
        for theme, colours in answer.items()
        for param, panel, each in zip(GRAPHS, panels, colours, strict=True)
        if (same := alike([name for name, _ in panel], each))
    }
    assert found == {}


def test_two_that_are_alike_are_noticed(coloured):
    palette, green = {"mode": "palette-classic"}, {"mode": "fixed", "fixedColor": "green"}
    answer = coloured([[green, palette, {"mode": "fixed", "fixedColor": "#56A64B"}]])
    assert alike(["a", "b", "c"], answer["light"][0]) == [["a", "c"]]
    assert alike(["a", "b", "c"], answer["dark"][0]) == []
