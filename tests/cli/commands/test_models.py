"""`nighttrain models` and `nighttrain nights compare`, against a coordinator over real HTTP."""

from __future__ import annotations

import pytest

from cli.screen import columns
from cli.screen.models import champion_table
from common.protocol.champions import ChampionPage
from tests.cli.commands.conftest import Ask, Call
from tests.coordinator.one_cell import trained
from tests.coordinator.specimens import Night

CELL = "BTCUSDT_1h_H1"


@pytest.fixture
def two_nights(work: Night) -> None:
    trained(work, seed="first")
    work.housekeeping.tick()
    trained(work, seed="second", log_loss=0.69)
    work.housekeeping.tick()


@pytest.mark.usefixtures("two_nights")
class TestModels:
    def test_the_champions_are_listed_and_shown(self, say: Call, ask: Ask) -> None:
        [one] = ask("models", "list")["champions"]
        assert (one["cell"], one["job"], one["run"]) == (CELL, 2, 1)
        head, line = say("models", "list")[1].splitlines()
        assert line.startswith(CELL) and line[head.index("candles") :].startswith("given")
        shown = say("models", "show", CELL)[1]
        assert "the model of job 2 (night 1)" in shown and "a rollback makes it  no champion" in shown
        code, _, err = say("models", "show", "BTCUSDT_4h_H1")
        assert code == 1 and "has never had a champion" in err
        assert say("models", "show", "nonsense")[0] == 2

    def test_a_p_value_is_never_shown_as_nothing(self, say: Call) -> None:
        assert columns.p_value(0.00004) == columns.p_value(0.0) == "< 0.0001"
        assert (columns.p_value(0.0001), columns.p_value(None)) == ("0.0001", "")
        assert "p-value" in say("models", "show", CELL)[1]

    def test_a_model_is_promoted_and_rolled_back_with_a_reason(self, say: Call, ask: Ask) -> None:
        code, _, err = say("models", "promote", CELL)
        assert code == 2 and "--reason" in err
        assert say("models", "promote", CELL, "--reason", " ")[0] == 2
        assert ask("models", "promote", CELL, "--reason", "it trades", "--preview")["preview"]
        assert ask("models", "show", CELL)["champion"]["job"] == 2
        told = ask("models", "promote", CELL, "--reason", "it trades")
        assert "is champion of BTCUSDT_1h_H1 instead of that of job 2" in told["words"]
        assert ask("models", "show", CELL)["before"] == 2
        lines = say("models", "history", CELL)[1].splitlines()
        assert len(lines) == 3 and "it trades" in lines[1] and "replaced" in lines[1]
        assert ask("models", "rollback", CELL, "--reason", "it does not")["job"] == 2
        assert len(ask("models", "history", CELL)["changes"]) == 3

    def test_a_champion_of_synthetic_candles_is_marked(self, ask: Ask) -> None:
        page = ChampionPage.model_validate(ask("models", "list"))
        made_up = page.model_copy(
            update={"champions": (page.champions[0].model_copy(update={"synthetic": True}),)}
        )
        assert "SYNTHETIC" in champion_table(made_up) and "SYNTHETIC" not in champion_table(page)

    def test_two_models_are_compared(self, say: Call, ask: Ask) -> None:
        assert "log_loss  0.68   0.69" in say("models", "diff", 2, 4)[1]
        code, _, err = say("models", "diff", CELL)
        assert code == 1 and "has no two champions" in err
        ask("models", "promote", 4, "--reason", "to compare")
        assert ask("models", "diff", CELL)["left"] == 2
        assert say("models", "diff", 1, 2, 3)[0] == 2

    def test_two_nights_are_compared(self, say: Call, ask: Ask) -> None:
        told = ask("nights", "compare")
        assert (told["left"], told["right"]) == (1, 2)
        shown = say("nights", "compare", 1, 2)[1]
        assert shown.startswith("night 1 against night 2: the mean AUC of the cells that both have trained")
        assert "0.5600 *" in shown
        assert say("nights", "compare", 1)[0] == 2
        assert [run["id"] for run in ask("nights", "list", "--limit", 1)["runs"]] == [2]
