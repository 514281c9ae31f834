from grafana.generator.generate import DASHBOARDS, boards, text, write


def test_what_is_committed_is_what_the_generator_makes():
    committed = {file.name: file.read_text(encoding="utf-8") for file in DASHBOARDS.iterdir()}
    generated = {name: text(board) for name, board in boards().items()}
    assert committed == generated, "run: python -m grafana.generator.generate"


def test_a_board_that_is_no_more_is_removed(tmp_path):
    (tmp_path / "old.json").write_text("{}", encoding="utf-8")
    written = write(tmp_path)
    assert sorted(written) == sorted(tmp_path.iterdir())
