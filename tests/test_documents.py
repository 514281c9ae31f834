"""What CONTRIBUTING.md and README.md name is there: files and folders, targets of make, commands."""

import re
from itertools import takewhile
from pathlib import Path

import pytest

from cli.app import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("CONTRIBUTING.md", "README.md")
ROOMS = ("cli", "common", "coordinator", "deploy", "grafana", "prometheus", "tests", "trainer")
MADE = {"deploy/alerting.env"}
"""What users make of the example beside it."""

CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
NAMED = re.compile(rf"(?<![\w./-])(?:{'|'.join(ROOMS)})/[\w./*<>-]*\w|\b\w[\w.]*\.(?:md|toml)\b")
LINK = re.compile(r"\]\((?!https?:)([\w./-]+)")
TREE = re.compile(r"^((?: {4})+)([\w.]+(?:, [\w.]+)*)(/?)(?:  .*)?$")


def text(document):
    return (ROOT / document).read_text(encoding="utf-8")


def code(document):
    """What stands between backticks: single words, commands, and blocks."""
    return "\n".join(CODE.findall(text(document))).replace("\\", "/")


def tree(document):
    """The paths in the indented tree, whose folders end with a slash."""
    folders = {}
    below = text(document).partition("### The tree\n")[2].splitlines()
    for line in takewhile(lambda line: not line or line.startswith(" "), below):
        if found := TREE.match(line):
            depth = len(found[1])
            above = next((folders[each] for each in sorted(folders, reverse=True) if each < depth), "")
            folders = {each: folder for each, folder in folders.items() if each < depth}
            for name in found[2].split(", "):
                yield above + name + found[3]
            if found[3]:
                folders[depth] = above + found[2] + "/"


def paths(document):
    return {*NAMED.findall(code(document)), *LINK.findall(text(document)), *tree(document)} - MADE


def exists(path):
    """Whether there is such a file or folder; a module may be named without its ending."""
    pattern = re.sub(r"<\w+>", "*", path).rstrip("/")
    return any(next(ROOT.glob(pattern + ending), None) for ending in ("", ".py"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_is_there(document):
    assert len(paths(document)) > 20
    assert [path for path in sorted(paths(document)) if not exists(path)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_target_of_make_is_there(document):
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", code(document)))
    assert len(named) > 5
    assert named - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_is_there(document):
    commands = {each.name for each in (*app.registered_commands, *app.registered_groups)}
    named = set(re.findall(r"\bnighttrain ([a-z][\w-]*)", code(document)))
    assert named
    assert named - commands == set()


def test_every_command_is_in_a_table_of_the_readme():
    """Each command, and each of a group, is in a first column; those of `config` are options too."""
    told = " ".join(
        row.split("|")[1] for row in text("README.md").splitlines() if row.startswith("| `nighttrain ")
    )
    names = [f"nighttrain {each.name}" for each in app.registered_commands]
    for group in app.registered_groups:
        own = [each.name or each.callback.__name__ for each in group.typer_instance.registered_commands]
        names += (
            [f"nighttrain {group.name} {one}" for one in own]
            if group.name != "config"
            else ["nighttrain config"]
        )
    assert len(names) > 30
    assert [name for name in names if f"`{name}" not in told] == []


def test_every_room_is_explained():
    """Each package has its line in the README's tree and a place among the rooms for new files."""
    rooms = {file.parent.relative_to(ROOT).as_posix() for file in ROOT.glob("[a-z]*/*/__init__.py")}
    assert rooms
    shown = {path.rstrip("/") for path in tree("README.md")}
    assert [room for room in sorted(rooms) if room not in shown] == []
    assert [room for room in sorted(rooms) if f"`{room}`" not in text("CONTRIBUTING.md")] == []


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("coordinator/queue/", True),
        ("coordinator/queue/leases", True),
        ("coordinator/queue/leases.py", True),
        ("coordinator/store/migrations/versions/v<number>_<what>.py", True),
        ("coordinator/queue/leasing", False),
        ("coordinator/store/migrations/versions/w<number>.py", False),
    ],
)
def test_a_path_that_is_not_there_is_noticed(path, there):
    assert exists(path) is there
