"""What a start needs of this folder: `.env`, secrets, candles, sizes; each made only where it is absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from cli.local.nights_measured import measured_nights
from cli.stack.candles import DEFAULT, SAMPLE, Choice, Found, choose
from cli.stack.checkout import (
    Mounts,
    digests,
    files_below,
    give_folders,
    give_sample,
    make_secrets,
    read_env,
    show,
    unreadable,
    write_env,
)
from cli.stack.env_file import EnvFile
from cli.stack.facts import OF_THE_STACK, Facts
from cli.stack.memory import memory_warning
from cli.stack.owner import Owner, User, owner_of
from cli.stack.sizes import Sizes, sizes_of
from common.errors import ConfigurationError
from common.out_folder import OutFolder
from common.settings.night import NightSettings, load

EXPORTED = "set "
"""Begins a line that the shell takes over into its environment; all others are for people."""


def prepare(facts: Facts, caller: User | None, behind_sudo: User | None, mounts: Mounts) -> Iterator[str]:
    """Make a start ready.

    Yields
    ------
    str
        Lines for people, and those of `EXPORTED` for the shell.

    Raises
    ------
    ConfigurationError
        Something stands in the way of a start; nothing was changed then, but that secrets may have been made.
    """
    refuse_ignored(facts)
    owner = owner_of(facts.engine, caller, behind_sudo, _written(facts))
    settings = settings_of(facts, mounts.config)
    sizes = sizes_of(facts.engine, settings)
    choice = chosen(facts, owner, mounts)
    env = read_env(mounts.root)
    made = make_secrets(mounts.root, owner)
    give_sample(mounts.sample, owner)
    give_folders(mounts.root, owner)
    show(mounts.root, facts.composition.config, owner)
    refuse_hidden(facts, owner, mounts)
    wrote = complete(env, facts, owner, sizes)
    if choice.written is not None:
        env.set("CANDLES_DIR", choice.written)
    for key, value in digests(mounts).items():
        env.set(key, value)
    write_env(mounts.root, env, owner)
    if owner.words:
        yield owner.words
    if "trainer_token" in made and "nighttrain_token" not in made:
        yield (
            f"each role has a token of its own now: made {', '.join(made)} in secrets; nighttrain_token is "
            "the operator's alone"
        )
    if wrote:
        yield f"wrote .env: {sizes.trainers} trainer(s) of {sizes.trainer_mib} MiB (make size explains)"
    if choice.words:
        yield choice.words
    yield from warnings(facts, sizes, mounts)
    yield from exported(facts, sizes)
    if choice.folder in (DEFAULT, SAMPLE):
        yield f"{EXPORTED}CANDLES_DIR={choice.folder}"
    yield f"{EXPORTED}NIGHTTRAIN_SAMPLE={'yes' if choice.sample else ''}"


def exported(facts: Facts, sizes: Sizes) -> Iterator[str]:
    """Yield the sizes where an older name decides on them; Compose knows only the newer ones."""
    if facts.asks("BT_NIGHT_MEMORY_LIMIT"):
        yield f"{EXPORTED}TRAINER_MEMORY={sizes.memory}"
    if facts.asks("BT_NIGHT_WORKERS"):
        yield f"{EXPORTED}TRAINERS={sizes.trainers}"


def settings_of(facts: Facts, config: Path) -> NightSettings:
    """Read the configuration with what overrides it, as the coordinator will.

    Raises
    ------
    ConfigurationError
        It cannot be used; names the file as the host does.
    """
    os.environ.update(facts.night)
    try:
        return load(config)
    except ConfigurationError as error:
        words = error.detail.replace(str(config), facts.composition.config)
        raise ConfigurationError(words, error.hint) from error


def refuse_ignored(facts: Facts) -> None:
    """Refuse what is in the environment and would not reach the containers, which have it from `.env` alone.

    Raises
    ------
    ConfigurationError
        Names the first one.
    """
    for name, value in sorted(facts.given.items()):
        if not name.startswith("BT_NIGHT_") or name in OF_THE_STACK:
            continue
        if name not in facts.composition.dotenv:
            raise ConfigurationError(f"{name} does not reach the containers from here: write it into .env")
        if facts.composition.dotenv[name] != value:
            raise ConfigurationError(
                f"{name} does not reach the containers from here, and .env has another value for it: "
                "change it there"
            )


def refuse_hidden(facts: Facts, owner: Owner, mounts: Mounts) -> None:
    """Refuse a configuration and candles that are there and that the containers may not read.

    Raises
    ------
    ConfigurationError
        Names the first file.
    """
    if owner.person is None or facts.engine.desktop:
        return
    todo = f"let user {owner.containers} read it, for example: chmod -R go+rX"
    if unreadable([mounts.config], owner.containers):
        place = facts.composition.config
        raise ConfigurationError(f"NIGHT_CONFIG: the containers may not read {place}", f"{todo} {place}")
    if facts.value("CANDLES_URL"):
        return
    hidden = unreadable(files_below(mounts.candles), owner.containers)
    if hidden is not None:
        folder = PurePath(facts.composition.candles)
        problem = f"CANDLES_DIR: the containers may not read {folder / hidden.relative_to(mounts.candles)}"
        raise ConfigurationError(problem, f"{todo} {folder}")


def chosen(facts: Facts, owner: Owner, mounts: Mounts) -> Choice:
    """Return which candles this start takes; raises like `candles.choose`."""
    del owner
    found = Found(
        chosen=any(True for _ in files_below(mounts.candles)),
        default=any(True for _ in files_below(mounts.own_candles)),
    )
    return choose(facts, found)


def complete(env: EnvFile, facts: Facts, owner: Owner, sizes: Sizes) -> bool:
    """Write the lines that `.env` lacks; return whether the machine was measured for it."""
    name = facts.value("COMPOSE_PROJECT_NAME", "nighttrain")
    env.add("COMPOSE_PROJECT_NAME", name, "part of the names of containers and volumes")
    wrote = env.add("TRAINERS", str(sizes.trainers), f"{sizes.machine}; make size explains")
    env.add("TRAINER_MEMORY", sizes.memory, "memory of one trainer")
    uid, gid = str(owner.containers.uid), str(owner.containers.gid)
    env.add(
        "NIGHTTRAIN_UID", uid, "the user of the containers; it must be able to read secrets/ and the candles"
    )
    env.add("NIGHTTRAIN_GID", gid)
    if owner.words:
        env.set("NIGHTTRAIN_UID", uid)
        env.set("NIGHTTRAIN_GID", gid)
    folder = facts.value("CANDLES_DIR", DEFAULT)
    env.add("CANDLES_DIR", folder, "without candles in it, a sample is made in data/sample")
    store, key = facts.value("CANDLES_URL"), facts.value("CANDLES_CREDENTIALS")
    env.add("CANDLES_URL", store, "s3://BUCKET/PREFIX or gs://...: candles of a store, not of a folder")
    env.add("CANDLES_CREDENTIALS", key, "what reads them, as deploy/candles_credentials.example shows")
    env.add("ALERTING_ENV", "./deploy/alerting.env", "who receives alerts; after a change run: make alerts")
    port = facts.value("BT_NIGHT_DASHBOARD_PORT") if facts.asks("BT_NIGHT_DASHBOARD_PORT") else ""
    env.add("DASHBOARD_PORT", port or facts.value("DASHBOARD_PORT", "5000"), "ports on 127.0.0.1")
    env.add("GRAFANA_PORT", facts.value("GRAFANA_PORT", "3000"))
    env.add("PROMETHEUS_PORT", facts.value("PROMETHEUS_PORT", "9090"))
    env.add("ALERTMANAGER_PORT", facts.value("ALERTMANAGER_PORT", "9093"))
    training = facts.value("BT_NIGHT_TRAINING", "true")
    env.add("BT_NIGHT_TRAINING", training, "false starts the services but no night")
    return wrote


def warnings(facts: Facts, sizes: Sizes, mounts: Mounts) -> Iterator[str]:
    """Yield what will go wrong later, though nothing keeps the containers from starting."""
    if not facts.engine.limits_memory:
        yield (
            "warning: this engine cannot limit memory, so that nothing holds a trainer to TRAINER_MEMORY "
            "(rootless: delegate memory to it; else: boot with cgroup_enable=memory)"
        )
    if (
        facts.engine.selinux
        and PurePath(facts.composition.root, "deploy") not in PurePath(facts.composition.config).parents
    ):
        yield (
            f"warning: SELinux is on, and only what lies in deploy is labelled for containers: put "
            f"{facts.composition.config} there, or label it: chcon -t container_file_t"
        )
    memory = (
        sizes.memory if facts.asks("BT_NIGHT_MEMORY_LIMIT") else facts.value("TRAINER_MEMORY", sizes.memory)
    )
    said = memory_warning(memory, measured_nights(OutFolder(mounts.volumes / "night")))
    if said:
        yield said


def scaled(facts: Facts, number: str, mounts: Mounts) -> Iterator[str]:
    """Have later starts run so many trainers, and yield what the shell is to set for now.

    Raises
    ------
    ConfigurationError
        That is no number of trainers.
    """
    if not number:
        raise ConfigurationError("say how many trainers: make scale N=4")
    if not number.isdecimal() or not number.isascii() or int(number) > 256:
        raise ConfigurationError(f"N must be a whole number from 0 to 256; got '{number}'")
    yield from (
        line
        for line in exported(facts, sizes_of(facts.engine, settings_of(facts, mounts.config)))
        if "TRAINERS" not in line
    )
    if int(number) == 0:
        return
    env = read_env(mounts.root)
    env.set("TRAINERS", number)
    # Otherwise the next start would go back to the old number.
    if env.has("BT_NIGHT_WORKERS"):
        env.set("BT_NIGHT_WORKERS", number)
    _rewrite(env, mounts.root)


def noted(mounts: Mounts) -> None:
    """Write the digests of what is mounted into `.env`, so that Compose recreates what has changed."""
    env = read_env(mounts.root)
    for key, value in digests(mounts).items():
        env.set(key, value)
    _rewrite(env, mounts.root)


def _rewrite(env: EnvFile, root: Path) -> None:
    status = (root / ".env").stat()
    write_env(root, env, Owner(User(0, 0), User(status.st_uid, status.st_gid)))


def _written(facts: Facts) -> User | None:
    uid = facts.composition.dotenv.get("NIGHTTRAIN_UID", "")
    gid = facts.composition.dotenv.get("NIGHTTRAIN_GID", "") or uid
    if not uid:
        return None
    if not (uid.isdecimal() and gid.isdecimal()):
        raise ConfigurationError(
            f"NIGHTTRAIN_UID={uid}, NIGHTTRAIN_GID={gid} in .env: write what id -u and id -g say"
        )
    return User(int(uid), int(gid))
