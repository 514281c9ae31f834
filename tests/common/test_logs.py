import logging
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from common import logs
from common.errors import ConfigurationError

TOKEN = "s3cret-t0ken-0123456789abcdef"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        if handler not in handlers:
            handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_line_has_utc_time_level_name_and_message(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    path = tmp_path / "logs" / "trainer-1.log"
    logs.configure(path, False, "trainer-1")
    record = logging.makeLogRecord(
        {"name": "trainer.agent.agent", "levelno": 20, "levelname": "INFO", "msg": "job %d"}
    )
    record.args, record.created, record.msecs = (7,), 1704067199.25, 250.0
    logging.getLogger().handle(record)
    assert path.read_text() == "2023-12-31T23:59:59.250Z INFO trainer-1 trainer.agent.agent: job 7\n"


def test_lines_go_to_stderr_too_unless_it_belongs_to_another(tmp_path, capsys) -> None:
    logs.configure(tmp_path / "a.log", False, "a")
    logging.getLogger("x").info("hello")
    assert "hello" in capsys.readouterr().err
    logs.configure(tmp_path / "a.log", False, "a", stderr=False)
    logging.getLogger("x").info("again")
    assert capsys.readouterr().err == ""
    assert (tmp_path / "a.log").read_text().count("\n") == 2


def test_lines_that_a_full_disk_refuses_are_dropped_without_a_word(tmp_path) -> None:
    # A limit on file size refuses a write as a full disk does.
    script = (
        "import logging, resource, signal, sys; from pathlib import Path; from common import logs\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "logs.configure(Path(sys.argv[1]), False, 'a', stderr=False)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "for number in range(100): logging.getLogger('x').info('line %d', number)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); print('alive')\n"
    )
    path = tmp_path / "a.log"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")
    assert 900 <= path.stat().st_size <= 1000


def test_debug_lines_and_the_http_library_appear_only_when_asked_for(tmp_path) -> None:
    path = tmp_path / "a.log"
    for debug, expected in ((False, 0), (True, 2)):
        logs.configure(path, debug, "a")
        logging.getLogger("trainer").debug("fine detail")
        logging.getLogger("httpx").info("HTTP Request")
        assert len(path.read_text().splitlines()) == expected


def test_the_file_is_rotated_at_ten_megabytes_and_five_are_kept(tmp_path) -> None:
    path = tmp_path / "a.log"
    logs.configure(path, False, "a", stderr=False)
    for number in range(8):
        logging.getLogger("x").info("line %d", number)
        os.truncate(path, logs.MAX_BYTES)
    logging.getLogger("x").info("the last line")
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["a.log", *(f"a.log.{number}" for number in range(1, 6))]
    assert "the last line" in path.read_text()
    assert "line 7" in (tmp_path / "a.log.1").read_text()


def test_warnings_of_libraries_are_logged(tmp_path) -> None:
    path = tmp_path / "a.log"
    logs.configure(path, False, "a")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("did not converge", RuntimeWarning, stacklevel=1)
    assert "did not converge" in path.read_text()


def test_a_file_that_cannot_be_made_is_one_clear_line(tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigurationError, match=r"the log .*file/a\.log cannot be written: .*\(name a folder"
    ):
        logs.configure(tmp_path / "file" / "a.log", False, "a")


def leak(tmp_path: Path, how: str) -> None:
    log = logging.getLogger("leaky")
    if how == "message":
        log.info("the token is " + TOKEN)
    elif how == "argument":
        log.info("the token is %s", TOKEN)
    elif how == "mapping":
        log.info("sent %s", {"Authorization": f"Bearer {TOKEN}", "Accept": "*/*"})
    elif how == "httpx headers":
        log.info("sent %r", httpx.Headers({"authorization": f"Bearer {TOKEN}"}).raw)
    elif how == "exception":
        try:
            raise ValueError(f"no good: {TOKEN}")
        except ValueError:
            log.exception("failed")
    elif how == "stack":
        log.info("here", extra={}, stack_info=True)
        log.info("curl -H 'Authorization: Bearer %s'", TOKEN)


HOWS = ["message", "argument", "mapping", "httpx headers", "exception", "stack"]


@pytest.mark.parametrize("how", HOWS)
def test_a_known_secret_is_never_written(tmp_path, capsys, how) -> None:
    logs.conceal(TOKEN)
    path = tmp_path / "a.log"
    logs.configure(path, True, "a")
    leak(tmp_path, how)
    for written in (path.read_text(), capsys.readouterr().err):
        assert TOKEN not in written
        assert logs.CONCEALED in written


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer abcdefgh12345678",
        "authorization=Bearer abcdefgh12345678",
        "{'Authorization': 'Bearer abcdefgh12345678'}",
        '{"authorization": "Bearer abcdefgh12345678"}',
        "[(b'Authorization', b'Bearer abcdefgh12345678')]",
        "AUTHORIZATION: Basic abcdefgh12345678",
        "Authorization: abcdefgh12345678",
        "a bearer abcdefgh12345678 was seen",
    ],
)
def test_a_credential_header_is_never_written_even_of_an_unknown_token(line) -> None:
    shown = logs.concealed(f"before {line} after")
    assert "abcdefgh12345678" not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


def test_other_text_is_left_as_it_is() -> None:
    line = "job 7: BTCUSDT_1h_H3, attempt 1; authorization failed for 10.0.0.1; sha256 " + "ab" * 32
    assert logs.concealed(line) == line


def test_the_http_library_says_no_token_even_in_debug() -> None:
    """A whole process: its own token, a request that fails, everything logged."""
    code = f"""
import httpx, sys
from common import logs
logs.configure(None, True, "probe")
logs.conceal({TOKEN!r})
try:
    httpx.get("http://127.0.0.1:1/{TOKEN}", headers={{"Authorization": "Bearer {TOKEN}"}}, trust_env=False)
except httpx.ConnectError:
    pass
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert re.search(r"DEBUG probe httpcore\.connection: connect_tcp", done.stderr)
    assert TOKEN not in done.stderr


def test_nobody_forges_a_line_of_the_log_or_moves_a_cursor(tmp_path: Path) -> None:
    path = tmp_path / "night.log"
    logs.configure(path, False, "probe", stderr=False)
    hostile = "t1\n2026-03-02T12:00:00.000Z ERROR probe x: forged\x1b[2J\r\ud800"
    logging.getLogger("a").warning("trainer %s registered", hostile)
    try:
        raise ValueError(hostile)
    except ValueError:
        logging.getLogger("a").exception("a defect")
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    assert all(line.isprintable() for line in lines)
    records = [line for line in lines if not line.startswith("    ")]
    assert len(records) == 2
    told = r"trainer t1\n2026-03-02T12:00:00.000Z ERROR probe x: forged\x1b[2J\r\ud800 registered"
    assert records[0].endswith(told)


@pytest.mark.parametrize("words", ["the folder /a: b cannot be written", "", "3 of 4: done"])
@pytest.mark.parametrize("name", ["trainer-1", "my host: a", "(a)"])
@pytest.mark.parametrize("logger", ["trainer.agent", "hyphened-one"])
def test_what_a_line_says_is_found_again(tmp_path: Path, words: str, name: str, logger: str) -> None:
    logs.configure(tmp_path / "a.log", debug=False, name=name, stderr=False)
    logging.getLogger(logger).error("%s", words)
    assert logs.message_of((tmp_path / "a.log").read_text().rstrip(), name) == words
    assert logs.message_of(words, name) == words
