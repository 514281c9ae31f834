"""What a start makes of a folder, whom it gives things to, and what it refuses."""

import os
import stat

import pytest

from cli.stack.checkout import SECRETS, unreadable
from cli.stack.owner import User
from cli.stack.preparation import noted, scaled
from common.errors import ConfigurationError
from tests.cli.stack.conftest import ME, candles, exports

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
SIZES = {"BT_NIGHT_WORKERS": "2", "BT_NIGHT_MEMORY_LIMIT": "1.0", "BT_NIGHT_DASHBOARD_PORT": "5100"}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def uid(path):
    return path.stat().st_uid


def test_the_first_start_writes_env_and_the_secrets_and_asks_for_a_sample(checkout):
    lines = checkout.prepare()
    assert "wrote .env: 5 trainer(s) of 2048 MiB (make size explains)" in lines
    assert "no candles in ./data/candles: making SYNTHETIC ones in data/sample" in lines
    assert exports(lines) == {"CANDLES_DIR": "./data/sample", "NIGHTTRAIN_SAMPLE": "yes"}
    settings = checkout.settings()
    assert settings["CANDLES_DIR"] == "./data/sample"
    assert (settings["TRAINERS"], settings["TRAINER_MEMORY"]) == ("5", "2048m")
    assert (settings["DASHBOARD_PORT"], settings["COMPOSE_PROJECT_NAME"]) == ("5000", "nighttrain")
    values = set()
    for name in SECRETS:
        secret = checkout.root / "secrets" / name
        assert mode(secret) == 0o600 and len(secret.read_text()) == 64
        values.add(secret.read_text())
    assert len(values) == len(SECRETS) == 5
    assert mode(checkout.root / "secrets") == 0o700
    assert (mode(checkout.env), mode(checkout.root / ".env.night")) == (0o600, 0o600)


def test_a_second_start_changes_nothing(checkout):
    candles(checkout.mounts.own_candles)
    checkout.prepare()
    token = checkout.root / "secrets" / "nighttrain_token"
    before = checkout.env.read_bytes(), token.read_bytes()
    assert exports(checkout.prepare()) == {"CANDLES_DIR": "./data/candles", "NIGHTTRAIN_SAMPLE": ""}
    assert (checkout.env.read_bytes(), token.read_bytes()) == before


def test_a_stack_with_one_token_for_all_gets_the_others_and_is_told_in_a_line(checkout):
    checkout.prepare()
    secrets = checkout.root / "secrets"
    operators = (secrets / "nighttrain_token").read_bytes()
    for name in ("trainer_token", "alerts_token", "reader_token"):
        (secrets / name).unlink()
    with pytest.raises(ConfigurationError, match="make up"):
        noted(checkout.mounts)
    [said] = [line for line in checkout.prepare() if "token" in line]
    assert "made trainer_token, alerts_token, reader_token in secrets" in said
    assert (secrets / "nighttrain_token").read_bytes() == operators
    assert not [line for line in checkout.prepare() if "token" in line]


@pytest.mark.parametrize("chosen", [0o640, 0o600])
def test_a_mode_that_the_user_chose_is_kept(checkout, chosen):
    checkout.env.write_text("BT_NIGHT_N_SPLITS=4\n")
    checkout.env.chmod(chosen)
    checkout.prepare()
    assert mode(checkout.env) == chosen
    assert (checkout.root / ".env.night").read_text() == "BT_NIGHT_N_SPLITS=4\n"
    assert mode(checkout.root / ".env.night") == 0o600


def test_a_setting_that_would_be_ignored_is_refused_before_anything_is_written(checkout):
    with pytest.raises(
        ConfigurationError, match="BT_NIGHT_N_SPLITS does not reach the containers from here: write it"
    ):
        checkout.prepare(BT_NIGHT_N_SPLITS="9")
    assert not checkout.env.exists() and not (checkout.root / "secrets").exists()
    checkout.env.write_text("BT_NIGHT_N_SPLITS=4\n")
    with pytest.raises(ConfigurationError, match=r"N_SPLITS.* \.env has another value for it"):
        checkout.prepare(BT_NIGHT_N_SPLITS="9")
    checkout.prepare(BT_NIGHT_N_SPLITS="4")


def test_a_mistake_in_env_is_named_before_anything_starts(checkout):
    checkout.env.write_text("BT_NIGHT_N_SPLITZ=3\n")
    with pytest.raises(
        ConfigurationError, match=r"BT_NIGHT_N_SPLITZ is no setting .did you mean BT_NIGHT_N_SPLITS"
    ):
        checkout.prepare()
    checkout.env.write_text("BT_NIGHT_WORKERS=many\n")
    with pytest.raises(
        ConfigurationError, match=r"num_workers: must be auto or a whole number from 1 to 256; got .many"
    ):
        checkout.prepare()


def test_a_mistake_in_the_configuration_names_the_file_of_the_host(checkout):
    checkout.mounts.config.write_text("n_splits: 1\n")
    with pytest.raises(ConfigurationError, match=r"^/checkout/deploy/night_training.yaml: n_splits"):
        checkout.prepare()


@pytest.mark.parametrize("where", ["env", "environment", "both"])
@pytest.mark.parametrize("first", [True, False])
def test_the_older_names_work_in_env_as_in_the_environment(checkout, where, first):
    candles(checkout.mounts.own_candles)
    if not first:
        checkout.prepare()
    written = SIZES if where == "env" else dict.fromkeys(SIZES, "1") if where == "both" else {}
    with checkout.env.open("a") as file:
        file.writelines(f"{key}={value}\n" for key, value in written.items())
    found = exports(checkout.prepare(**({} if where == "env" else SIZES)))
    assert (found["TRAINERS"], found["TRAINER_MEMORY"]) == ("2", "1024m")
    assert checkout.settings()["DASHBOARD_PORT"] == ("5100" if first else "5000"), (
        "Compose takes the older name"
    )


def test_a_plain_name_in_the_environment_wins_over_the_older_one_in_env(checkout):
    candles(checkout.mounts.own_candles)
    checkout.env.write_text("".join(f"{key}={value}\n" for key, value in SIZES.items()))
    found = exports(checkout.prepare(TRAINERS="3", TRAINER_MEMORY="700m"))
    assert "TRAINERS" not in found and "TRAINER_MEMORY" not in found


def test_what_scale_asks_for_outlasts_workers_in_env(checkout):
    candles(checkout.mounts.own_candles)
    checkout.env.write_text("BT_NIGHT_WORKERS=2\nBT_NIGHT_MEMORY_LIMIT=0.75\n")
    checkout.prepare()
    lines = list(scaled(checkout.facts(), "4", checkout.mounts))
    assert exports(lines) == {"TRAINER_MEMORY": "768m"}, "the new ones are as large as .env says"
    assert (checkout.settings()["TRAINERS"], checkout.settings()["BT_NIGHT_WORKERS"]) == ("4", "4")
    list(scaled(checkout.facts(), "0", checkout.mounts))
    assert checkout.settings()["TRAINERS"] == "4", "a rest is not remembered"


@pytest.mark.parametrize("number", ["", "-1", "abc", "2.5", "1000", "²"])
def test_a_number_of_trainers_that_cannot_be_is_refused(checkout, number):
    checkout.prepare()
    before = checkout.env.read_bytes()
    with pytest.raises(ConfigurationError, match=r"say how many|N must be a whole number from 0 to 256"):
        list(scaled(checkout.facts(), number, checkout.mounts))
    assert checkout.env.read_bytes() == before


def test_a_changed_file_that_is_mounted_changes_the_digest_of_its_service_alone(checkout):
    checkout.prepare()
    before = checkout.settings()
    (checkout.root / "deploy" / "alerting.env").write_text("WEBHOOK_URL=http://nas.local/hook\n")
    noted(checkout.mounts)
    changed = {key for key, value in checkout.settings().items() if before[key] != value}
    assert changed == {"ALERTING_DIGEST"}
    with checkout.mounts.config.open("a") as file:
        file.write("# changed\n")
    noted(checkout.mounts)
    assert checkout.settings()["NIGHT_DIGEST"] != before["NIGHT_DIGEST"]
    assert checkout.settings()["TOKEN_DIGEST"] == before["TOKEN_DIGEST"]


def test_a_new_token_starts_those_anew_that_hold_it(checkout):
    checkout.prepare()
    changes = {
        "nighttrain_token": {"NIGHT_DIGEST"},
        "trainer_token": {"NIGHT_DIGEST", "TOKEN_DIGEST"},
        "alerts_token": {"NIGHT_DIGEST", "ALERTING_DIGEST"},
        "reader_token": {"NIGHT_DIGEST"},
    }
    for name, expected in changes.items():
        before = checkout.settings()
        (checkout.root / "secrets" / name).write_text("a-new-token-of-at-least-thirty-two-letters-" + name)
        noted(checkout.mounts)
        changed = {key for key, value in checkout.settings().items() if before[key] != value}
        assert changed == expected, name


def test_a_trainer_that_is_too_small_for_any_cell_is_warned_of(checkout):
    checkout.env.write_text("TRAINER_MEMORY=200m\n")
    assert any(
        line.startswith("warning: TRAINER_MEMORY=200m is less than the 278 MiB")
        for line in checkout.prepare()
    )
    checkout.env.write_text("")
    assert not any(line.startswith("warning") for line in checkout.prepare())


def test_an_engine_that_cannot_limit_memory_and_a_label_that_is_missing_are_warned_of(checkout):
    checkout.info = {"MemoryLimit": False}
    assert any("cannot limit memory" in line for line in checkout.prepare())
    checkout.info = {"SecurityOptions": ["name=selinux"]}
    assert not any("SELinux" in line for line in checkout.prepare())


@as_root
def test_with_sudo_all_belongs_to_the_user_behind_it(checkout):
    person = User(1000, 1000)
    (checkout.root / "data" / "candles").mkdir(parents=True)
    checkout.prepare(User(0, 0), person)
    settings = checkout.settings()
    assert (settings["NIGHTTRAIN_UID"], settings["NIGHTTRAIN_GID"]) == ("1000", "1000")
    given = [
        checkout.env,
        checkout.root / ".env.night",
        *checkout.root.glob("secrets*/**/*"),
        checkout.mounts.sample,
    ]
    given += [checkout.root / "data" / "candles", checkout.root / "deploy" / "alerting.env"]
    assert {uid(path) for path in given} == {1000}


@as_root
def test_what_a_start_as_root_has_left_is_given_to_the_user_who_starts_then(checkout):
    checkout.prepare(User(0, 0))
    secrets = checkout.root / "secrets"
    assert uid(secrets) == uid(secrets / "nighttrain_token") == 10001 and uid(checkout.env) == 0
    token = (secrets / "nighttrain_token").read_bytes()
    lines = checkout.prepare(User(1000, 1000))
    assert any("run as user 1000 now" in line for line in lines)
    assert checkout.settings()["NIGHTTRAIN_UID"] == "1000"
    assert uid(secrets) == uid(secrets / "nighttrain_token") == uid(checkout.env) == 1000
    assert (secrets / "nighttrain_token").read_bytes() == token


@as_root
def test_a_clone_that_its_owner_alone_may_read_is_shown_to_the_containers(checkout):
    for path in (checkout.root, *checkout.root.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    checkout.prepare(User(0, 0))
    shown = [
        checkout.root / "prometheus",
        checkout.root / "prometheus" / "receivers.sh",
        checkout.mounts.config,
    ]
    shown += [checkout.root / "grafana" / "dashboards", checkout.root / "deploy" / "alerting.env.example"]
    for path in shown:
        assert path.stat().st_gid == 10001 and mode(path) == (0o750 if path.is_dir() else 0o640), path
    assert mode(checkout.root / "deploy" / "alerting.env") == 0o600


@as_root
def test_candles_that_the_containers_may_not_read_are_named(checkout):
    candles(checkout.mounts.own_candles)
    (checkout.mounts.own_candles / "BTCUSDT-1m.csv").chmod(0o600)
    with pytest.raises(
        ConfigurationError, match=r"may not read /checkout/data/candles/BTC.*let user 10001 read it"
    ):
        checkout.prepare(User(0, 0))
    checkout.info = {"OperatingSystem": "Docker Desktop"}
    checkout.prepare(User(501, 20))


@as_root
def test_a_user_is_who_tries_to_read(checkout):
    hidden = checkout.mounts.candles / "x"
    hidden.write_text("1")
    hidden.chmod(0o600)
    assert unreadable([hidden], User(1000, 1000)) == hidden
    assert unreadable([hidden], User(0, 0)) is None
    assert os.geteuid() == 0 == os.getegid()
    assert uid(hidden) == ME.uid
