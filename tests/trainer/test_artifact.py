import json
import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from common.errors import DigestMismatchError, NotFoundError
from common.protocol.jobs import Cell
from common.protocol.reports import Certificate, Manifest, Scores, Span
from trainer.artifact import load, pickle_bytes, with_pickle

ROOT = Path(__file__).parents[2]
MEANS, SCALES, COEFFICIENTS = (0.5, -1.25, 3.0), (2.0, 0.1, 1.0), (0.3, -0.71, 0.0)


@pytest.fixture
def manifest():
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    return Manifest(
        cell=Cell(symbol="BTCUSDT", timeframe="1h", horizon=3),
        synthetic=True,
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


def saved(folder, manifest):
    full, content = with_pickle(manifest)
    path = folder / "BTCUSDT_1h_H3_logreg_optimized.pkl"
    path.write_bytes(content)
    path.with_suffix(".json").write_text(full.model_dump_json())
    return path


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
        "from trainer.artifact import pickle_bytes;"
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
    assert other.stdout.strip() == with_pickle(manifest)[0].pickle_sha256


def test_the_digest_of_the_pickle_is_not_part_of_it(manifest):
    full, content = with_pickle(manifest)
    assert pickle_bytes(full) == content


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


def test_a_manifest_without_a_digest_loads_nothing(tmp_path, manifest):
    path = saved(tmp_path, manifest)
    path.with_suffix(".json").write_text(manifest.model_dump_json())
    with pytest.raises(DigestMismatchError, match="its manifest says none"):
        load(path)


def test_a_manifest_that_cannot_be_read_loads_nothing(tmp_path, manifest):
    path = saved(tmp_path, manifest)
    for text in ("", "{}", json.dumps({"pickle_sha256": with_pickle(manifest)[0].pickle_sha256})):
        path.with_suffix(".json").write_text(text)
        with pytest.raises(DigestMismatchError, match="no manifest"):
            load(path)


@pytest.mark.parametrize("suffix", [".pkl", ".json"])
def test_a_missing_file_is_named(tmp_path, manifest, suffix):
    path = saved(tmp_path, manifest)
    path.with_suffix(suffix).unlink()
    with pytest.raises(NotFoundError, match=f"optimized{suffix}: no such file"):
        load(path)
