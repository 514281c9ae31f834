import pytest

from tests.trainer.evidence.claims import Job


@pytest.fixture(scope="session")
def days(simulate):
    return simulate(125, "1d")


@pytest.fixture
def hours(simulate):
    return simulate(24 * 125, missing=[800, 801, 1500])


@pytest.fixture
def job(hours, tmp_path):
    return Job(hours, tmp_path)
