"""What a survey has found, in lines: each thing once, however many timeframes it is told of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from cli.screen.columns import shown
from common.protocol.reports import SurveyReport


def finding_lines(
    refused: Mapping[str, str], reports: Sequence[SurveyReport], told: Collection[str]
) -> Iterator[str]:
    """Yield a line for each symbol that was refused, and for each finding of the others.

    Parameters
    ----------
    refused : mapping of str to str
        Why symbols were refused as a whole.
    reports : sequence of SurveyReport
        The surveys of the others.
    told : collection of str
        What has been told already, such as in a table above.
    """
    for symbol, why in refused.items():
        yield f"{symbol}: {_own(symbol, why)}"
    for report in reports:
        timeframes: dict[str, list[str]] = {}
        for finding in report.findings:
            if finding.detail not in told:
                timeframes.setdefault(_own(report.symbol, finding.detail), []).append(finding.timeframe)
        for words, of in timeframes.items():
            where = ", ".join(dict.fromkeys(one for one in of if one))
            yield f"{report.symbol}{f' {where}' if where else ''}: {words}"


def _own(symbol: str, words: str) -> str:
    """Return words without the symbol that they may begin with."""
    return shown(words).removeprefix(f"{symbol}:").lstrip()
