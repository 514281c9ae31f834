"""What the volumes hold: a report while the containers are stopped, copies, an inventory, a warning."""

import json
import os

import pytest

from cli.stack.inventory import inventory, night, sized
from cli.stack.memory import memory_warning
from cli.stack.morning import copy, last_night
from cli.stack.owner import User
from cli.stack.welcome import changed, welcome
from common.errors import ConflictError, NotFoundError
from common.out_folder import OutFolder
from common.protocol.runs import JobCounts
from tests.result_fixtures import job, results

MIB = 1024**2


@pytest.fixture
def out(tmp_path):
    folder = OutFolder(tmp_path / "volumes" / "night")
    folder.logs.mkdir(parents=True)
    return folder


def leave_results(out, name="20260302_120000", *jobs):
    found = results(*(jobs or (job("BTCUSDT", "15m", 1), job("ETHUSDT", "1h", 3))))
    path = out.logs / f"batch_train_results_{name}.json"
    path.write_text(found.model_dump_json(by_alias=True))
    return path


def leave_unfinished(out, state="running"):
    # As the coordinator writes it: counts by state, and no sums.
    training = JobCounts(queued=35, leased=2, succeeded=4, failed=1).model_dump(mode="json")
    run = {"id": 3, "state": state, "training": training}
    out.progress.write_text(json.dumps({"schema": "nighttrain.progress/1", "run": run}))


def leave_model(out, name="BTCUSDT_1h_H1_logreg_optimized"):
    """As the coordinator has it: both files are links into a folder of contents."""
    contents = out.models / "contents"
    contents.mkdir(parents=True, exist_ok=True)
    for ending in (".pkl", ".json"):
        (contents / f"{name}-17{ending}").write_text(f"{name}{ending}")
        (out.models / f"{name}{ending}").symlink_to(f"contents/{name}-17{ending}")


def test_the_last_night_is_shown_while_the_containers_are_stopped(out):
    leave_results(out, "20260301_120000", job("BTCUSDT", "15m", 1, 0.77))
    leave_results(out, "20260302_120000")
    leave_unfinished(out, "done")
    lines = list(last_night(out))
    assert lines[0].startswith("Night 7: ") and any("0.510 H1" in line for line in lines)
    assert not any("0.770" in line for line in lines)


def test_an_unfinished_night_is_said_first_and_alone_where_no_other_has_ended(out):
    leave_unfinished(out)
    assert list(last_night(out)) == ["night 3 unfinished: 5 of 42 cells are done; make up continues it"]
    leave_results(out)
    assert list(last_night(out))[1].startswith("Night 7: ")


def test_without_any_night_it_says_what_to_do(out):
    with pytest.raises(NotFoundError, match=r"no night has been trained.*make up"):
        list(last_night(out))
    with pytest.raises(NotFoundError, match="no night has been trained"):
        list(copy(out, out.root, None))


def test_a_result_that_is_cut_is_named(out):
    leave_results(out).write_text('{"schema": ')
    with pytest.raises(NotFoundError, match=r"batch_train_results_20260302_120000.json cannot be read"):
        list(last_night(out))


def test_models_are_copied_by_their_content_and_results_beside_them(out, tmp_path):
    leave_model(out)
    leave_results(out)
    (out.logs / "batch_train_night.log").write_text("what happened")
    target = tmp_path / "copies"
    target.mkdir()
    owner = User(1000, 1000) if os.getuid() == 0 else User(os.getuid(), os.getgid())
    assert list(copy(out, target, owner)) == [
        "1 models with their manifests -> models",
        "2 files of results and logs -> results",
    ]
    model = target / "models" / "BTCUSDT_1h_H1_logreg_optimized.pkl"
    assert not model.is_symlink() and model.read_text() == "BTCUSDT_1h_H1_logreg_optimized.pkl"
    assert {path.stat().st_uid for path in target.rglob("*")} == {owner.uid}
    assert len(list(copy(out, target, owner))) == 2, "again, over the former ones"


def test_before_anything_is_deleted_nights_champions_and_sizes_are_said(out):
    leave_model(out)
    leave_results(out, "20260301_120000")
    leave_results(out)
    leave_unfinished(out)
    (out.root / "nighttrain.db").write_bytes(b"x" * 3 * MIB)
    said = list(inventory(out.root.parent))
    assert night(out) == "2 nights with results, 1 champion, night 3 unfinished: 5 of 42 cells are done"
    assert night(out) in said[1] and "3.0 MiB" in said[1]
    assert [line.split()[0] for line in said[2:-1]] == ["cache", "prometheus", "alertmanager", "grafana"]
    assert sized(0) == "0 B" and sized(5 * 1024**4) == "5.0 TiB"


def test_a_file_of_two_names_is_counted_once(out):
    (out.root / "a").write_bytes(b"x" * 2 * MIB)
    (out.root / "b").hardlink_to(out.root / "a")
    assert "2.0 MiB" in list(inventory(out.root.parent))[1]


@pytest.mark.parametrize(
    ("limit", "peak_mib", "warned"),
    [
        ("200m", None, True),
        ("277m", None, True),
        ("278m", None, False),
        ("2g", None, False),
        ("512m", 500, True),
        ("650M", 500, False),
        ("0.5gb", 500, True),
        ("1073741824", 500, False),
        ("a lot", 500, False),
    ],
)
def test_a_trainer_below_what_the_smallest_cell_was_measured_to_need_is_warned_of(limit, peak_mib, warned):
    peaks = {"peak_memory_bytes": (peak_mib or 0) * MIB}
    larger = job("BTCUSDT", "15m", 1, peak_memory_bytes=2**33)
    nights = [results(job("BTCUSDT", "1h", 1, **peaks), larger)] if peak_mib else []
    said = memory_warning(limit, nights)
    assert bool(said) is warned
    if warned:
        needed = (peak_mib or 128) + 150
        assert f"less than the {needed} MiB" in said and f"set TRAINER_MEMORY={2 * needed}m in .env" in said


def test_addresses_are_those_of_the_published_ports():
    said = "\n".join(welcome({"coordinator": "5301", "grafana": "5302"}))
    assert "http://127.0.0.1:5301/api/status" in said and "http://127.0.0.1:5302 " in said
    assert "Prometheus" not in said


def test_a_conflict_with_an_unfinished_night_names_a_command_of_make():
    error = changed(
        ConflictError("run 1 is unfinished and has another configuration: model", "start over with --fresh")
    )
    assert "make up FRESH=1" in str(error) and "--fresh" not in error.hint and "model" in error.detail
    other = ConflictError("something else", "wait")
    assert changed(other) is other
