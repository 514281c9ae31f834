"""`.env` as it is written: lines are added and replaced, all others stay. Compose alone reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cli.stack.facts import OF_THE_STACK

HEAD = """\
# Written by `make up` for this machine. Change it as you like; a line that you delete is written again. The
# environment wins over this file, and BT_NIGHT_<KEY>=... in it wins over deploy/night_training.yaml.
"""


@dataclass
class EnvFile:
    """The text of an `.env`."""

    text: str = field(default=HEAD)

    def has(self, key: str) -> bool:
        """Whether a line sets a key."""
        return self._line(key).search(self.text) is not None

    def add(self, key: str, value: str, comment: str = "") -> bool:
        """Write a line, with a comment above it, unless the key has one; return whether it had none."""
        if self.has(key):
            return False
        self._close()
        self.text += f"# {comment}\n" * bool(comment) + f"{key}={value}\n"
        return True

    def set(self, key: str, value: str) -> None:
        """Write a line in the place of the first one that set the key, or at the end.

        Of two lines Compose takes the last, so that the others go.
        """
        lines = list(self._line(key).finditer(self.text))
        if not lines:
            self.add(key, value)
            return
        first, *others = lines
        for line in reversed(others):
            self.text = self.text[: line.start()] + self.text[line.end() :]
        self.text = self.text[: first.start()] + f"{key}={value}\n" + self.text[first.end() :]

    def lines(self, *keys: str) -> str:
        """Return the lines that set one of these keys, side by side."""
        found = [line for key in keys for line in self._line(key).findall(self.text)]
        return " ".join(line.strip() for line in found)

    @property
    def night(self) -> str:
        """The lines that the containers get, as they are written: settings of the night and nothing else."""
        lines = re.findall(r"^BT_NIGHT_.*\n?", self.text, re.M)
        kept = [line for line in lines if line.partition("=")[0].strip() not in OF_THE_STACK]
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in kept)

    def _close(self) -> None:
        # An editor may have left the last line open.
        if self.text and not self.text.endswith("\n"):
            self.text += "\n"

    @staticmethod
    def _line(key: str) -> re.Pattern[str]:
        return re.compile(rf"^{re.escape(key)}[ \t]*=.*\n?", re.M)
