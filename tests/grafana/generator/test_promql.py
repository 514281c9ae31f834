import pytest

from grafana.generator.promql import filters, grouped_by, names, operands, text, tree


def metrics(expr):
    return set(names(expr).metrics)


def test_metrics_are_told_from_functions_labels_keywords_and_durations():
    expr = (
        'sum by (le, route) (rate(a_bucket{job="x y (z)",le!="+Inf"}[5m])) and on () b:c:d or '
        "time() - max(e) * ignoring (f) group_left (g) h offset 5m > bool 1e3 * Inf"
    )
    assert metrics(expr) == {"a_bucket", "b:c:d", "e", "h"}
    assert names(expr).groupings == {"le", "route", "f", "g"}
    assert names(expr).selectors[0] == ("a_bucket", (("job", "=", "x y (z)"), ("le", "!=", "+Inf")))


def test_what_stands_in_a_text_is_no_name():
    assert metrics('count(a{b="max(c) by (d)"}) or vector(0)') == {"a"}


def test_variables_and_subqueries_are_no_names():
    assert metrics('last_over_time((a{run=~"$run"})[$__range:$__interval])') == {"a"}


def test_an_aggregation_may_name_its_labels_before_or_after():
    expr = "sum by (x) (a) + sum(b) without (y)"
    assert metrics(expr) == {"a", "b"}
    assert names(expr).groupings == {"x", "y"}
    assert grouped_by(expr) == {"x"}


@pytest.mark.parametrize(
    ("expr", "operators", "parts"),
    [
        ("a > 1 and on () b or c", ["and", "or"], ["a > 1", "b", "c"]),
        ('a{b="c or d"} or (e or f)', ["or"], ['a{b="c or d"}', "e", "f"]),
        ("a or b and c", ["and"], ["a or b and c"]),
        ("a > on (k) b:c:d", [">"], ["a", "b:c:d"]),
        ('a{b!="c"} >= 0.5', [">=", "!="], ['a{b!="c"}', "0.5"]),
        ("sum by (x) (a)\n  unless ignoring (y) z", ["unless"], ["sum by (x) (a)", "z"]),
    ],
)
def test_an_expression_is_split_at_its_outermost_operators(expr, operators, parts):
    assert [text(node) for node in operands(tree(expr), *operators)] == parts


def test_a_long_expression_is_one_line_and_means_the_same():
    expr = f"max by (symbol) (rate({'a' * 60}[5m])) / sum(b) - min(increase({'c' * 60}[1h]))"
    assert text(tree(expr)) == expr


def test_a_comparison_that_yields_a_number_filters_nothing():
    assert filters(tree("a > 0"), ">", "<")
    assert not filters(tree("a > bool 0"), ">")
    assert not filters(tree("a > 0"), "<")
    assert not filters(tree("a"), ">")


@pytest.mark.parametrize("expr", ["sum(a", "a >", "rate(a)", "fill(a)", "a == $limit"])
def test_what_is_no_promql_is_refused_by_its_text(expr):
    with pytest.raises(ValueError) as refused:
        tree(expr)
    assert expr in str(refused.value)
