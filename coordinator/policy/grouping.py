"""What failures of several jobs have in common: their message without the name of the job that it is of."""

from __future__ import annotations


def common_words(message: str, symbol: str, timeframe: str | None, horizon: int | None) -> str:
    """Return what went wrong with a job in words that others of its kind share.

    Parameters
    ----------
    message : str
        Why it failed; cells whose survey failed repeat what that said.
    symbol, timeframe, horizon : str, str or None, int or None
        The job's; a survey has only a symbol.
    """
    own = message.removeprefix(f"the survey of {symbol} failed: ")
    for name in (f"{symbol}_{timeframe}_H{horizon}: ", f"{symbol} {timeframe}: "):
        own = own.removeprefix(name)
    return own
