"""Parts of a page are told apart, however they lie within each other."""

from __future__ import annotations

import pytest
from jinja2 import Environment

from coordinator.web.fragments import Recorder, outermost, whole

PAGE = """
{% call live("list") %}<ul id="list">
{% for one in names %}
{% call live("item-%s" % loop.index) %}<li id="item-{{ loop.index }}">{{ one }}</li>{% endcall %}
{% endfor %}</ul>{% endcall %} and {{ names[0] }}
"""


def rendered(*names: str) -> tuple[str, dict[str, str]]:
    recorder = Recorder()
    html = Environment(autoescape=True).from_string(PAGE).render(names=names, live=recorder.live)
    return whole(html, recorder.parts), recorder.parts


def test_a_page_is_whole_and_escaped() -> None:
    html, _ = rendered("<b>", "c")
    assert '<li id="item-1">&lt;b&gt;</li>' in html and '<li id="item-2">c</li>' in html
    assert "<!--" not in html


def test_only_the_part_that_differs_has_changed() -> None:
    (_, before), (_, after) = rendered("a", "b"), rendered("a", "c")
    changed = {one for one in after if after[one] != before[one]}
    assert changed == {"item-2"}
    assert whole(after["item-2"], after) == '<li id="item-2">c</li>'


def test_a_new_part_changes_the_one_around_it_which_brings_it_along() -> None:
    (_, before), (_, after) = rendered("a"), rendered("a", "b")
    changed = {one for one in after if after[one] != before.get(one)}
    assert changed == {"list", "item-2"}
    assert outermost(changed, after) == ["list"]
    assert "item-2" in whole(after["list"], after)


def test_what_comes_from_outside_is_no_mark() -> None:
    _, parts = rendered("a")
    mark = parts["list"].partition("<!--")[2].partition("-->")[0]
    html, _ = rendered(f"<!--{mark}-->", "b")
    assert f"&lt;!--{mark}--&gt;" in html


def test_a_part_without_its_id_is_a_defect() -> None:
    template = Environment(autoescape=True).from_string('{% call live("one") %}<p>text</p>{% endcall %}')
    with pytest.raises(ValueError, match="'one'"):
        template.render(live=Recorder().live)
