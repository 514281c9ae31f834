"""The containers of trainers on this machine: counted, bounded, made more or fewer."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from cli.local.coordinator_at_hand import dotenv
from cli.stack.facts import MEBIBYTE, Engine
from cli.stack.memory import size_bytes
from cli.stack.scaling import Bounds
from cli.stack.sizes import sizes_of
from common.errors import ConfigurationError, UnavailableError
from common.settings.night import NightSettings

ASK_SECONDS = 20.0
SCALE_SECONDS = 300.0


class Trainers:
    """The containers of trainers of the stack in one folder.

    Parameters
    ----------
    root : Path
        The folder with docker-compose.yml, where `make up` was called.

    Raises
    ------
    ConfigurationError
        There is no stack.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if not (root / "docker-compose.yml").is_file() or not (root / ".env").is_file():
            raise ConfigurationError(
                f"no stack was started in {root.resolve()}", "go to the folder where make up was called"
            )

    def count(self) -> int:
        """Return how many run.

        Raises
        ------
        UnavailableError
            Docker does not answer.
        """
        return len(self._docker("compose", "ps", "--quiet", "trainer").split())

    def bounds(self, settings: NightSettings, least: int, most: int | None) -> Bounds:
        """Return how many may run: by default up to what `make size` finds that fits this machine.

        Raises
        ------
        ConfigurationError
            The most are fewer than the least.
        UnavailableError
            Docker does not answer.
        """
        if most is None:
            most = max(least, self._fitting(settings))
        if most < least:
            raise ConfigurationError(f"--max {most} is less than --min {least}")
        return Bounds(least, most)

    def scale(self, number: int) -> None:
        """Have so many run, by `docker compose up --scale`, from now on and after later starts.

        Raises
        ------
        UnavailableError
            It did not succeed.
        """
        script = self.root / "deploy" / ("install.ps1" if os.name == "nt" else "stack/stack.sh")
        shell = ["powershell", "-ExecutionPolicy", "Bypass", "-File"] if os.name == "nt" else ["sh"]
        self._run([*shell, str(script.resolve()), "scale", str(number)], SCALE_SECONDS)

    def _fitting(self, settings: NightSettings) -> int:
        info = json.loads(self._docker("info", "--format", "{{json .}}"))
        engine = Engine(int(info["NCPU"]), int(info["MemTotal"]) // MEBIBYTE)
        memory = size_bytes(dict(dotenv(self.root / ".env")).get("TRAINER_MEMORY", ""))
        if memory is not None:
            settings = settings.model_copy(update={"max_memory_per_process": memory / 1024**3})
        return sizes_of(engine, settings.model_copy(update={"num_workers": "auto"})).trainers

    def _docker(self, *words: str) -> str:
        return self._run(["docker", *words], ASK_SECONDS)

    def _run(self, command: list[str], seconds: float) -> str:
        name = " ".join(command[:3])
        try:
            # Ctrl-C ends the watch, and not what is being started.
            done = subprocess.run(
                command,
                cwd=self.root,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
                start_new_session=True,
            )
        except OSError as error:
            raise UnavailableError(f"{command[0]}: {error.strerror}", "install or start Docker") from error
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"{name}: no answer within {seconds:.0f} s") from error
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise UnavailableError(f"{name}: {lines[-1] if lines else f'exit code {done.returncode}'}")
        return done.stdout
