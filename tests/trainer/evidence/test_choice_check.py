from tests.trainer.evidence.claims import CS, with_report
from trainer.evidence.choice_check import check_choice


def test_choices_by_earlier_folds_pass(job):
    check = check_choice(job.reports, CS, 0.01)
    assert check.passed and check.checked == 4


def test_a_c_chosen_with_its_own_test_part_fails(job):
    # Fold 2's own loss is least at 0.01; the fold before it chooses 0.1.
    check = check_choice(with_report(job.reports, 1, C=0.01), CS, 0.01)
    assert not check.passed
    assert check.detail == "fold 2: C is 0.01; the 1 folds before it choose 0.1"
    assert not check_choice(with_report(job.reports, 0, C=0.01), CS, 0.01).passed
    assert not check_choice(with_report(job.reports, 1, C_chosen_from=(0, 1)), CS, 0.01).passed
    assert not check_choice(job.reports, CS, 0.1).passed
