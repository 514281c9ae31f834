"""The part of the configuration that decides the results of a night."""

from __future__ import annotations

from functools import lru_cache

from pydantic import ValidationError, model_validator

from common.frozen import Frozen
from common.settings.sections import Championship, Label, Model, PromoteIf, SurveyPolicy


class GridConfig(Frozen):
    """The part of the settings that decides the results: `NightSettings.grid_config()`, by the same rules."""

    symbols: tuple[str, ...]
    """The symbols, such as `BTCUSDT`; `BTC/USDT` and `BTC_USDT` are the same."""
    timeframes: tuple[str, ...]
    """Lengths of a bar, such as `1h`."""
    horizons: tuple[int, ...]
    """For how many bars ahead a rise is predicted."""
    label: Label = Label()
    """What is predicted, and what a trade costs."""
    n_splits: int
    """Folds of the expanding walk-forward."""
    embargo_minutes: int
    """Minutes between the end of the last training label and the first test row."""
    promote_if: PromoteIf
    """Thresholds that a model must meet to be promoted."""
    false_discovery_rate: float
    """Share of the champions that stand which may be luck, 0 to 1; a timeframe is a family of its own."""
    model: Model
    """The regression and the least rows of a fold."""
    data: SurveyPolicy
    """How damaged candles may be."""
    champion: Championship = Championship()
    """When a champion without a successor expires."""

    @model_validator(mode="after")
    def _as_in_settings(self) -> GridConfig:
        # Trainers know this model as a part of others, and make none: they do without what reads settings.
        from common.settings.night import ALL, NightSettings

        try:
            NightSettings(**self.model_dump(mode="json"))
        except ValidationError as error:
            mistakes = (
                (".".join(map(str, mistake["loc"])), mistake["msg"].removeprefix("Value error, "))
                for mistake in error.errors()
            )
            raise ValueError("; ".join(f"{key}: {right}" for key, right in mistakes)) from None
        for key in ("symbols", "timeframes"):
            if tuple(name.lower() for name in getattr(self, key)) == (ALL,):
                # Who makes a run sees the folder of candles; who keeps it does not.
                raise ValueError(f"{key}: all must be told name by name here")
        return self


@lru_cache(maxsize=16)
def grid_of(document: str) -> GridConfig:
    """Return the configuration that a JSON document holds; of a few recent documents the same object again.

    Thousands of symbols are checked one by one, which takes longer than all else that is read of a run.

    Raises
    ------
    pydantic.ValidationError
        The document is none.
    """
    return GridConfig.model_validate_json(document)
