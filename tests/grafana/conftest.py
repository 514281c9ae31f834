import re
import shutil
import socket
import subprocess

import pytest
import yaml

from grafana.generator.expressions import DEFAULTS


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def answers(tmp_path):
    """Whether Prometheus' own engine answers an expression with exactly these samples.

    Series are written as promtool wants them, a sample a minute; variables are filled in.
    """
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing: install Debian's package prometheus")

    def ask(series, expr, minute, samples, **variables):
        values = {**DEFAULTS, "__range": "1200s", "__interval": "60s", **variables}
        case = {
            "expr": re.sub(r"\$(\w+)", lambda found: values[found[1]], expr),
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()],
        }
        fed = [{"series": name, "values": values} for name, values in series.items()]
        document = {"tests": [{"interval": "1m", "input_series": fed, "promql_expr_test": [case]}]}
        file = tmp_path / "test.yml"
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        asked = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
        assert asked.returncode == 0, asked.stdout + asked.stderr
        return True

    return ask
