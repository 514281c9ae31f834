from hypothesis import given
from hypothesis import strategies as st

from common.quoted import escaped, quoted


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
