"""The command line itself: help, version, mistakes, and what a command loads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from cli.app import app, main, of_command
from tests.cli.conftest import ROOT, Outcome, command, environment

COMMANDS = (
    ["run"],
    ["up"],
    ["start"],
    ["report"],
    ["data", "sample"],
    ["config"],
    ["check"],
    ["estimate"],
    ["pause"],
    ["resume"],
    ["end"],
    ["cancel"],
    ["alerts"],
    ["autoscale"],
    ["monitor"],
    *(["jobs", name] for name in ("list", "show", "why", "retry", "cancel", "next", "unpark")),
    *(["service", name] for name in ("install", "uninstall", "status")),
    *(["nights", name] for name in ("list", "show", "compare", "audit")),
    *(["models", name] for name in ("list", "show", "history", "diff", "promote", "rollback")),
    *(["data", name] for name in ("check", "import", "download")),
)


DEEDS = (["up"], ["service", "install"], ["service", "uninstall"])
"""Commands that only do something, and have nothing to tell that a script could read."""


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_of_a_command_has_examples(
    words: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, option]) == 0
    told = capsys.readouterr()
    assert f"Usage: nighttrain {' '.join(words)} [OPTIONS]" in told.out
    assert "  examples:\n" in told.out and "  exit codes:\n" in told.out
    assert "--json" in told.out or words in DEEDS
    assert re.search(f"\n    nighttrain {' '.join(words)} .*-", told.out)
    assert told.err == ""


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_is_the_same_whether_it_is_made_alone_or_with_all_others(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    alone = of_command(words[0])
    assert len(alone.registered_commands) + len(alone.registered_groups) == 1
    said = []
    for one in (alone, app):
        one(args=[*words, "--help"], prog_name="nighttrain", standalone_mode=False)
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != ""


def test_what_is_no_command_is_looked_for_among_all() -> None:
    assert of_command("rum") is app and of_command("--version") is app


def test_help_lists_the_commands_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    groups = ("jobs", "nights", "models", "data", "config", "service")
    for name in ("run", "up", "start", "report", "check", "estimate", "pause", "end", "alerts", *groups):
        assert f"\n  {name} " in told
    assert "\n    130  interrupted; progress is saved" in told


@pytest.mark.parametrize("words", [[], ["data"], ["jobs"], ["nights"], ["models"]])
def test_a_group_without_a_command_shows_its_help_as_a_mistake(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "Commands:\n" in told.err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nighttrain {version('nighttrain')}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rum"], "nighttrain: No such command 'rum'. Did you mean 'run', 'resume'? See nighttrain --help"),
        (["data", "sampel"], "nighttrain data: No such command 'sampel'. Did you mean 'sample'?"),
        (["--verbose"], "nighttrain: No such option: --verbose"),
        (["run", "--symbol", "A"], "nighttrain run: No such option: --symbol (Possible options: --symbols"),
        (
            ["run", "--symbles", "A"],
            "nighttrain run: No such option: --symbles (Possible options: --symbols)",
        ),
        (
            ["run", "night"],
            "nighttrain run: Got unexpected extra argument(s) (night). See nighttrain run --help",
        ),
        (["run", "--symbols", "--json"], "nighttrain run: --symbols needs at least one value"),
        (["run", "--out"], "nighttrain run: --out needs a value. See nighttrain run --help"),
        (["data", "sample"], "nighttrain data sample: Missing option '--out'"),
        (
            ["data", "sample", "--out", "x", "--days", "few"],
            "nighttrain: command line: data.sample.days: must be",
        ),
        (["report", "--run", "last"], "nighttrain report: Invalid value for '--run'"),
    ],
)
def test_a_mistake_is_one_line_that_says_where_it_is(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(said)
    assert told.err.count("\n") == 1


def test_a_traceback_is_for_those_who_debug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--config", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert main([*words, "--debug"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("Traceback")
    assert told.splitlines()[-1].startswith("nighttrain: ")


def test_a_part_that_an_image_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("trainer.sources")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "trainer", None)
    assert main(["data", "sample", "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told == "nighttrain: nighttrain data sample needs trainer, which is not installed here\n"


@pytest.mark.parametrize(("words", "code"), [(["run", "--help"], 0), (["run"], 2)])
def test_a_night_that_an_image_has_no_trainers_for_is_refused_in_words_and_explained(
    words: list[str], code: int, tmp_path: Path
) -> None:
    script = (
        "import sys; sys.modules['trainer'] = None; from cli.__main__ import main; "
        f"sys.argv[1:] = {[*words, '--out', str(tmp_path / 'out')]!r}; sys.exit(main())"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    said = "" if code == 0 else "nighttrain: nighttrain run needs trainer, which is not installed here\n"
    assert (ended.returncode, ended.stderr) == (code, said)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "unloaded"),
    [
        (["--help"], ("httpx", "pydantic", "rich", "textual", "numpy", "coordinator", "trainer")),
        (["monitor", "--help"], ("httpx", "pydantic", "rich", "textual", "numpy", "coordinator")),
        (["monitor", "--health", "--url", "http://127.0.0.1:9"], ("textual", "numpy", "coordinator")),
        (["run", "--help"], ("httpx", "pydantic", "rich", "numpy", "coordinator", "trainer")),
        (["start", "--url", "http://127.0.0.1:9"], ("numpy", "coordinator", "trainer")),
        (["report", "--url", "http://127.0.0.1:9"], ("numpy", "coordinator", "trainer")),
        (["jobs", "retry", "--help"], ("httpx", "pydantic", "rich", "numpy", "coordinator", "trainer")),
        (["jobs", "list", "--url", "http://127.0.0.1:9"], ("numpy", "coordinator", "trainer")),
    ],
    ids=["help", "help of monitor", "health", "help of run", "start", "report", "help of retry", "list"],
)
def test_a_command_loads_only_what_it_needs(words: list[str], unloaded: tuple[str, ...]) -> None:
    code = (
        "import sys; from cli.app import main; main(sys.argv[1:]);"
        "print(*(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "typer" in loaded
    assert loaded.isdisjoint(unloaded)


def test_nothing_is_coloured_for_a_pipe(nighttrain: Callable[..., Outcome]) -> None:
    told = nighttrain("run", "--help", TERM="xterm-256color", COLORTERM="truecolor")
    assert told.code == 0
    assert "\x1b" not in told.out


def test_a_reader_that_has_enough_ends_the_command_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(
            command("run", "--help"),
            cwd=ROOT,
            env=environment(),
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_bash_completes_by_the_script_that_is_installed() -> None:
    script = (
        'eval "$(nighttrain)"; unset _NIGHTTRAIN_COMPLETE; COMP_WORDS=(nighttrain mon); COMP_CWORD=1;'
        '_nighttrain_completion nighttrain; echo "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={**environment(), "PATH": path, "_NIGHTTRAIN_COMPLETE": "source_bash"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("monitor\n", "")


@pytest.mark.parametrize(
    ("shell", "extra"),
    [("zsh", {}), ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"})],
    ids=["zsh", "fish"],
)
def test_other_shells_are_answered_too(shell: str, extra: dict[str, str]) -> None:
    asked = {"_NIGHTTRAIN_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "nighttrain monitor --cont"}
    done = subprocess.run(
        command(),
        cwd=ROOT,
        env={**environment(), **asked, **extra},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "--continuous" in done.stdout and "--detailed" not in done.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("nighttrain config --set", ["--set-timeframes", "--set-horizons", "--set-thresholds"]),
        ("nighttrain config --config my.yaml --add", ["--add-symbol"]),
        ("nighttrain conf", ["config"]),
    ],
)
def test_a_shell_completes_commands_and_options(words: str, offered: list[str]) -> None:
    asked = {"COMP_CWORD": str(len(words.split()) - 1), "COMP_WORDS": words}
    done = subprocess.run(
        command(),
        cwd=ROOT,
        env={**environment(), **asked, "_NIGHTTRAIN_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == offered


def test_an_error_that_names_something_hostile_moves_no_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["run", "--config", str(tmp_path / "a\x1b[2J.yaml"), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err
    assert code == 2 and "a\\x1b[2J.yaml" in said and "\x1b" not in said


def test_an_interrupt_while_all_is_imported_is_a_word_and_no_traceback() -> None:
    # Within the import, as by a signal that comes then.
    raised = "raise KeyboardInterrupt"
    script = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'cli.commands': {raised}\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from cli.__main__ import main\n"
        "sys.exit(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "nighttrain: interrupted\n")


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["no-such-command"], 2)])
def test_the_process_ends_with_the_code_and_all_that_was_printed(words: list[str], code: int) -> None:
    ended = subprocess.run([sys.executable, "-m", "cli", *words], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == code
    assert (ended.stdout if code == 0 else ended.stderr).startswith("nighttrain")
