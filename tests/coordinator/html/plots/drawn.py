"""Reads a drawing back as XML."""

from __future__ import annotations

from xml.etree import ElementTree

from markupsafe import Markup

SVG = "{http://www.w3.org/2000/svg}"


class Drawn:
    """A drawing, parsed: it is well-formed, it is named and described, and it has no style within itself."""

    def __init__(self, markup: Markup) -> None:
        assert isinstance(markup, Markup)
        self.root = ElementTree.fromstring(str(markup))
        assert self.root.tag == f"{SVG}svg"
        assert self.root[0].tag == f"{SVG}title" and self.root[1].tag == f"{SVG}desc"
        assert self.title and self.description and self.root.get("role") in ("img", "group")
        for one in self.root.iter():
            assert "style" not in one.attrib and one.tag not in (f"{SVG}style", f"{SVG}script")
            assert not any(key.startswith("on") for key in one.attrib)

    @property
    def title(self) -> str:
        return self.root[0].text or ""

    @property
    def description(self) -> str:
        return self.root[1].text or ""

    def of(self, name: str, kind: str = "") -> list[ElementTree.Element]:
        """Elements of a name and, if one is given, of a class."""
        found = self.root.iter(f"{SVG}{name}")
        return [one for one in found if not kind or kind in (one.get("class") or "").split()]

    def texts(self, kind: str = "") -> list[str]:
        return [one.text or "" for one in self.of("text", kind)]

    def numbers(self, name: str, kind: str, key: str) -> list[float]:
        return [float(one.get(key, "nan")) for one in self.of(name, kind)]

    def tips(self, name: str, kind: str) -> list[str]:
        return [one.findtext(f"{SVG}title") or "" for one in self.of(name, kind)]
