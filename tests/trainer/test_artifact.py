import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joblib.numpy_pickle import NumpyPickler

from common.errors import DigestMismatchError, NotFoundError
from common.model_pickle import SKLEARN_VERSION, pickle_bytes, pickle_digest
from common.protocol.jobs import Cell
from common.protocol.reports import Certificate, Manifest, Scores, Span
from trainer.artifact import SyntheticModelWarning, load, pipeline_of

ROOT = Path(__file__).parents[2]
MEANS, SCALES, COEFFICIENTS = (0.5, -1.25, 3.0), (2.0, 0.1, 1.0), (0.3, -0.71, 0.0)


@pytest.fixture
def manifest():
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    return Manifest(
        cell=Cell(symbol="BTCUSDT", timeframe="1h", horizon=3),
        synthetic=False,
        features=("a", "b", "c"),
        feature_version="1",
        means=MEANS,
        scales=SCALES,
        coefficients=COEFFICIENTS,
        intercept=0.123456789,
        C=0.01,
        fold_models=(),
        embargo_minutes=30,
        trained_rows=1000,
        trained_span=Span(start=moment, end=moment),
        scores=Scores(auc=0.5, brier=0.25, accuracy=0.5, log_loss=0.69, base_rate=0.5, n=10),
        p_value=0.5,
        certificate=Certificate(checks=()),
        lineage={"numpy": "2"},
        pickle_sha256="",
    )


def with_digest(manifest):
    return manifest.model_copy(update={"pickle_sha256": pickle_digest(manifest)})


def saved(folder, manifest):
    full, content = with_digest(manifest), pickle_bytes(manifest)
    path = folder / "BTCUSDT_1h_H3_logreg_optimized.pkl"
    path.write_bytes(content)
    path.with_suffix(".json").write_text(full.model_dump_json())
    return path


def test_whoever_loads_a_model_of_synthetic_candles_is_told(tmp_path, manifest):
    path = saved(tmp_path, manifest.model_copy(update={"synthetic": True}))
    with pytest.warns(SyntheticModelWarning, match="says nothing of a market") as told:
        assert load(path).n_features_in_ == 3
    assert told[0].filename == __file__


def test_the_loaded_pipeline_predicts_what_the_manifest_says(tmp_path, manifest):
    pipeline = load(saved(tmp_path, manifest))
    X = np.random.default_rng(0).standard_normal((500, 3)) * 5
    logits = manifest.intercept + ((X - MEANS) / SCALES) @ np.array(COEFFICIENTS)
    rise = 1 / (1 + np.exp(-logits))
    found = pipeline.predict_proba(X)
    assert np.abs(found[:, 1] - rise).max() < 1e-12
    assert np.abs(found[:, 0] - (1 - rise)).max() < 1e-12
    assert pipeline.predict(X).tolist() == (rise > 0.5).astype(int).tolist()


def test_equal_manifests_give_equal_bytes_in_another_process(manifest):
    code = (
        "import sys, hashlib; from common.protocol.reports import Manifest;"
        "from common.model_pickle import pickle_bytes;"
        "print(hashlib.sha256(pickle_bytes(Manifest.model_validate_json(sys.stdin.read()))).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        input=manifest.model_dump_json(),
        env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == pickle_digest(manifest)


def test_the_digest_of_the_pickle_is_not_part_of_it(manifest):
    assert pickle_bytes(with_digest(manifest)) == pickle_bytes(manifest)


def test_other_coefficients_are_other_bytes(manifest):
    other = manifest.model_copy(update={"coefficients": (0.3, -0.71, 1e-300)})
    assert pickle_bytes(other) != pickle_bytes(manifest)


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("sprung",))


def test_a_pickle_of_another_digest_is_refused_before_it_runs(tmp_path, manifest, monkeypatch):
    path = saved(tmp_path, manifest)
    path.write_bytes(pickle.dumps(Trap()))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DigestMismatchError, match="sha256 is"):
        load(path)
    assert not (tmp_path / "sprung").exists()


def test_not_even_a_pickle_that_the_manifest_names_is_run(tmp_path, manifest, monkeypatch):
    path = saved(tmp_path, manifest)
    trap = pickle.dumps(Trap())
    path.write_bytes(trap)
    named = manifest.model_copy(update={"pickle_sha256": hashlib.sha256(trap).hexdigest()})
    path.with_suffix(".json").write_text(named.model_dump_json())
    monkeypatch.chdir(tmp_path)
    assert load(path).predict_proba(np.zeros((1, 3))).shape == (1, 2)
    assert not (tmp_path / "sprung").exists()


def test_a_model_of_another_cell_than_the_file_is_named_after_is_refused(tmp_path, manifest):
    path = saved(tmp_path, manifest)
    for suffix in (".pkl", ".json"):
        path.with_suffix(suffix).rename(tmp_path / f"ETHUSDT_1h_H3_logreg_optimized{suffix}")
    with pytest.raises(DigestMismatchError, match="its manifest is of a model of BTCUSDT_1h_H3"):
        load(tmp_path / "ETHUSDT_1h_H3_logreg_optimized.pkl")
    for suffix in (".pkl", ".json"):
        (tmp_path / f"ETHUSDT_1h_H3_logreg_optimized{suffix}").rename(tmp_path / f"mine{suffix}")
    assert load(tmp_path / "mine.pkl").n_features_in_ == 3


numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(numbers, st.floats(1e-300, 1e150), numbers), min_size=1, max_size=60),
    intercept=numbers,
    C=st.floats(1e-9, 1e9),
    trained_rows=st.integers(1, 2**40) | st.sampled_from([0, 255, 256, 65535, 65536, 2**31 - 1, 2**31]),
)
def test_the_bytes_are_those_that_joblib_writes_of_the_pipeline(manifest, rows, intercept, C, trained_rows):
    means, scales, coefficients = zip(*rows, strict=True)
    changes = {
        "features": tuple(map(str, range(len(rows)))),
        "means": means,
        "scales": scales,
        "coefficients": coefficients,
        "intercept": intercept,
        "C": C,
        "trained_rows": trained_rows,
    }
    model = manifest.model_copy(update=changes)
    file = io.BytesIO()
    pickler = NumpyPickler(file, protocol=4)
    pickler.fast = True
    pickler.dump(pipeline_of(model))
    assert pickle_bytes(model) == file.getvalue()


def test_joblib_loads_it_as_the_pipeline(manifest):
    assert sklearn.__version__ == SKLEARN_VERSION
    loaded = joblib.load(io.BytesIO(pickle_bytes(manifest)))
    X = np.random.default_rng(1).standard_normal((50, 3))
    assert (loaded.predict_proba(X) == pipeline_of(manifest).predict_proba(X)).all()


def test_a_manifest_without_a_digest_loads_nothing(tmp_path, manifest):
    path = saved(tmp_path, manifest)
    path.with_suffix(".json").write_text(manifest.model_dump_json())
    with pytest.raises(DigestMismatchError, match="its manifest says none"):
        load(path)


def test_a_manifest_that_cannot_be_read_loads_nothing(tmp_path, manifest):
    path = saved(tmp_path, manifest)
    for text in ("", "{}", json.dumps({"pickle_sha256": pickle_digest(manifest)})):
        path.with_suffix(".json").write_text(text)
        with pytest.raises(DigestMismatchError, match="no manifest"):
            load(path)


@pytest.mark.parametrize("suffix", [".pkl", ".json"])
def test_a_missing_file_is_named(tmp_path, manifest, suffix):
    path = saved(tmp_path, manifest)
    path.with_suffix(suffix).unlink()
    with pytest.raises(NotFoundError, match=f"optimized{suffix}: no such file"):
        load(path)
