"""Why a start failed, by what Compose 2.26 printed."""

import json

from cli.stack.explanation import explain, listed

PORTS = listed("coordinator 5000 grafana 3000 prometheus 9090 alertmanager 9093 ")
STATES = [
    {
        "Name": "nt-alertmanager-1",
        "Service": "alertmanager",
        "State": "restarting",
        "Health": "",
        "ExitCode": 1,
    },
    {
        "Name": "nt-coordinator-1",
        "Service": "coordinator",
        "State": "running",
        "Health": "healthy",
        "ExitCode": 0,
    },
    {"Name": "nt-grafana-1", "Service": "grafana", "State": "created", "Health": "", "ExitCode": 0},
    {"Name": "nt-volumes-1", "Service": "volumes", "State": "exited", "Health": "", "ExitCode": 0},
]
LOGS = "\x1b[2Kalertmanager-1  | no such | receiver\ncoordinator-1   | up\n"


def text(printed="", states=None, logs=LOGS):
    return f"{printed}\n== states\n{states if states is not None else lines(STATES)}\n== logs\n{logs}"


def lines(states):
    return "\n".join(map(json.dumps, states))


def test_all_ports_that_are_taken_are_named_with_their_settings():
    printed = (
        "Error response from daemon: driver: Bind for 127.0.0.1:9090 failed: port is already allocated\n"
        "Error: listen tcp4 127.0.0.1:5000: bind: address already in use"
    )
    assert list(explain(text(printed), PORTS)) == [
        "port 5000 of 127.0.0.1 is taken: set another DASHBOARD_PORT in .env, then run: make up",
        "port 9090 of 127.0.0.1 is taken: set another PROMETHEUS_PORT in .env, then run: make up",
    ]
    taken = "listen tcp4 127.0.0.1:30001: bind: address already in use"
    assert "not all services" in next(explain(text(taken), PORTS)), "a port is no beginning of another"


def test_services_that_are_not_well_are_named_with_their_last_words():
    assert list(explain(text(), PORTS))[1:] == [
        "  alertmanager (restarting): no such | receiver",
        "  grafana (created): it waits for the others",
    ]
    assert list(explain(text(states=json.dumps(STATES)), PORTS)) == list(explain(text(), PORTS)), (
        "an older Compose"
    )


def test_volumes_that_could_not_be_given_away_come_first():
    states = [*STATES[2:3], {**STATES[3], "ExitCode": 1}]
    said = list(
        explain(text(states=lines(states), logs="volumes-1  | chown: Read-only file system\n"), PORTS)
    )
    assert said[1] == "  volumes (exited): chown: Read-only file system"


def test_nothing_to_go_by_is_no_riddle():
    assert list(explain("", PORTS)) == [
        "not all services became healthy (docker compose ps, docker compose logs SERVICE):"
    ]
