import json

from hypothesis import given
from hypothesis import strategies as st

from common.quoted import escaped, escaped_lines, harmless, quoted


def test_what_a_terminal_would_obey_is_written_out():
    assert quoted("a\x1b[2Jb\r\nc\x00") == "a\\x1b[2Jb\\r\\nc\\x00"
    assert quoted("\u202egnp.exe\u2028\udc80") == "\\u202egnp.exe\\u2028\\udc80"
    assert quoted("Größe µs 価格") == "Größe µs 価格"


def test_a_long_piece_is_cut_and_says_so():
    assert quoted("x" * 60) == "x" * 60
    assert quoted("x" * 61) == "x" * 57 + "..."
    assert quoted("open_time", 5) == "op..."


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_that_cannot_be_printed_is_left(text):
    for piece in (quoted(text), escaped(text)):
        assert piece.isprintable()
        piece.encode()


def test_lines_and_tabs_of_a_text_are_kept():
    assert escaped_lines("a\n\tb\x1b[2J\r\n") == "a\n\tb\\x1b[2J\\r\n"


@given(st.text(st.characters(exclude_categories=("Cs",))), st.booleans())
def test_no_text_of_a_document_moves_a_cursor(text, as_ascii):
    document = harmless(json.dumps({text: [text, 0.1, None]}, ensure_ascii=as_ascii).encode())
    [(name, [value, *others])] = json.loads(document).items()
    assert others == [0.1, None]
    for each in (name, value):
        assert not any(one in each for one in "\x00\x07\x08\r\x1b\x7f\x85\x9b\u200f\u202e\u2066\ufeff")


def test_a_harmless_document_stays_as_it_is_and_so_does_what_is_none():
    for document in (
        b'{"a": "Gr\xc3\xb6\xc3\x9fe\\n\\t", "b": 1.50}',
        b"<html>\x1b",
        b"[" * 100_000 + b"\x7f",
    ):
        assert harmless(document) == document
