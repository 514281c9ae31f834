"""JSON as interfaces of exchanges answer: a list of rows [time, open, high, low, close, volume, ...].

It is read row by row: what Python makes of a whole document takes twenty times its size.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pyarrow as pa

from trainer.candles.arrays import FloatArray
from trainer.sources.probe import UnreadableError
from trainer.sources.rows import assert_rows
from trainer.sources.unpacked import DAMAGED, Content, reason

PIECE_BYTES = 1 << 20
LONGEST_ROW = 65_536
"""Characters."""

AT_ONCE = 4096
"""Rows that become numbers together."""

_SPACE = re.compile(r"[ \t\n\r]*")
_NO_ROWS = "its JSON is no list of rows [time, open, high, low, close, volume]"


def read_json(content: Content) -> pa.Table:
    """Read a list of rows.

    Returns
    -------
    pyarrow.Table
        A column of float64 for each place in a row, named by it from 0; null became NaN.

    Raises
    ------
    UnreadableError
        It is no whole JSON document, no list of rows of equal length, or holds what is no number.
    """
    parts: list[FloatArray] = []
    rows: list[list[object]] = []
    count = 0
    try:
        for row in _rows(content):
            rows.append(row)
            if len(rows) == AT_ONCE:
                count += len(rows)
                assert_rows(count, content.packed)
                parts.append(_numbers(rows))
                rows = []
        parts += [_numbers(rows)] if rows else []
    except DAMAGED as error:
        raise UnreadableError(
            f"it is no whole JSON document, so it was probably cut: {reason(error)}", "cut_file"
        ) from error
    if not parts:
        raise UnreadableError("it is an empty list", "empty_file")
    if len({part.shape[1] for part in parts}) > 1:
        raise UnreadableError(_NO_ROWS)
    return pa.table(
        {str(place): np.concatenate([part[:, place] for part in parts]) for place in range(parts[0].shape[1])}
    )


def _numbers(rows: list[list[object]]) -> FloatArray:
    try:
        numbers = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableError(_NO_ROWS) from error
    if numbers.ndim != 2 or not numbers.shape[1]:
        raise UnreadableError(_NO_ROWS)
    return numbers


def _rows(content: Content) -> Iterator[list[object]]:
    """Yield the members of a list one by one; a ValueError is a document that is not whole."""
    decoder = json.JSONDecoder()
    for text in _members(content):
        try:
            row, end = decoder.raw_decode(text)
        except RecursionError as error:
            raise UnreadableError(_NO_ROWS) from error
        if end != len(text):
            raise ValueError("something stands between two rows")
        yield row


def _members(content: Content) -> Iterator[str]:
    text, place, separator = "", 0, "["
    with closing(content.open()) as stream:
        decode = codecs.getincrementaldecoder(json.detect_encoding(stream.read(4)))("surrogatepass").decode
        stream.seek(0)
        ended = False

        def more() -> None:
            nonlocal text, place, ended
            piece = stream.read(PIECE_BYTES)
            ended = not piece
            text, place = text[place:] + decode(piece, ended), 0

        def next_sign() -> str:
            nonlocal place
            while True:
                found = _SPACE.match(text, place)
                place = found.end() if found else place
                if place < len(text) or ended:
                    return text[place : place + 1]
                more()

        while True:
            sign = next_sign()
            if sign == "]" and separator == ",":
                break
            if sign != separator:
                raise ValueError("it ends, or has no comma, between two rows")
            place += 1
            sign = next_sign()
            if sign == "]" and separator == "[":
                break
            if sign != "[":
                raise UnreadableError(_NO_ROWS) if sign else ValueError("it ends within the list")
            separator = ","
            while (end := text.find("]", place)) < 0 and not ended:
                if len(text) - place > LONGEST_ROW:
                    raise UnreadableError(_NO_ROWS)
                more()
            if end < 0:
                raise ValueError("it ends within a row")
            if text.find("[", place + 1, end) >= 0 or end - place > LONGEST_ROW:
                raise UnreadableError(_NO_ROWS)
            yield text[place : end + 1]
            place = end + 1
        place += 1
        if next_sign():
            raise ValueError("something follows the list")
