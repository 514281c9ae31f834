import pytest

from tests.grafana.committed import asked

# A counter that begins at 0: increase() extrapolates to the range, and round() gives whole jobs.
SERIES = {
    'nighttrain_trainer_info{instance="a:1",trainer="t1"}': "1x20",
    'nighttrain_trainer_jobs_total{instance="a:1",trainer="t1",outcome="succeeded"}': "0+1x20",
    'nighttrain_trainer_jobs_total{instance="a:1",trainer="t1",outcome="failed"}': "0x10 1x10",
    'nighttrain_trainer_jobs_total{instance="a:1",trainer="t1",outcome="lost"}': "0x5 2x15",
    'nighttrain_trainer_job_steps{instance="a:1",trainer="t1"}': "4x20",
    'nighttrain_trainer_job_steps_done{instance="a:1",trainer="t1"}': "1x20",
    'nighttrain_trainer_job_steps{instance="b:1",trainer="t2"}': "0x20",
    'nighttrain_trainer_job_steps_done{instance="b:1",trainer="t2"}': "0x20",
    'nighttrain_trainer_info{instance="b:1",trainer="t2"}': "1x20",
}


@pytest.mark.parametrize(("ref", "jobs"), [("succeeded", 20), ("others", 3)])
def test_a_job_that_ended_is_done_or_not_done(answers, ref, jobs):
    assert answers(SERIES, asked("trainers", "Trainers", ref), 20, {'{trainer="t1"}': jobs})


def test_a_stage_is_done_by_the_share_of_its_steps_and_one_without_steps_by_none(answers):
    assert answers(SERIES, asked("trainers", "Trainers", "done"), 20, {'{trainer="t1"}': 0.25})
