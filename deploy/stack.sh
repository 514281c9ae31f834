#!/bin/sh
# The stack on this machine; `make` calls it. Needs docker with Compose v2 and a POSIX shell, nothing else.
#   stack.sh size       say how many trainers of what size fit this machine, and why
#   stack.sh prepare    write .env, the secrets and, without candles, a sample; each only when absent
#   stack.sh up         prepare, build, start, wait until healthy, start the night, print the addresses
set -eu
cd "$(dirname "$0")/.."

SERVICES="coordinator trainer prometheus alertmanager grafana"
RESERVED_MIB=1700 # the limits of all services but the trainers
CONFIG=${NIGHT_CONFIG:-deploy/night_training.yaml}

fail() { echo "nighttrain: $1" >&2; exit 2; }

need_docker() {
  command -v docker >/dev/null || fail "docker is not installed (https://docs.docker.com/engine/install)"
  docker compose version >/dev/null 2>&1 || fail "docker has no Compose v2 (docker compose version fails)"
  docker info >/dev/null 2>&1 || fail "the docker engine does not answer (is it running, and may you use it?)"
}

# Sets cores, total_mib, trainer_mib and trainers.
measure() {
  cores=$(docker info --format '{{.NCPU}}')
  total_mib=$(docker info --format '{{.MemTotal}}' | awk '{print int($1 / 1048576)}')
  gigabytes=${BT_NIGHT_MEMORY_LIMIT:-$(awk -F'[: #]+' '/^max_memory_per_process:/ {print $2}' "$CONFIG")}
  trainer_mib=$(awk -v g="${gigabytes:-2.0}" 'BEGIN {print int(g * 1024)}')
  threshold=$(awk -F'[: #]+' '/^memory_threshold:/ {print $2}' "$CONFIG")
  usable_mib=$(awk -v t="$total_mib" -v s="${threshold:-0.85}" -v r="$RESERVED_MIB" 'BEGIN {print int(t * s - r)}')
  [ "$usable_mib" -ge "$trainer_mib" ] || trainer_mib=$usable_mib
  [ "$trainer_mib" -ge 512 ] || trainer_mib=512
  by_cores=$((cores > 1 ? cores - 1 : 1))
  by_memory=$((usable_mib / trainer_mib))
  trainers=$((by_cores < by_memory ? by_cores : by_memory))
  [ "$trainers" -ge 1 ] || trainers=1
}

size() {
  measure
  echo "This machine: $cores cores, $total_mib MiB."
  echo "One trainer may take $trainer_mib MiB (max_memory_per_process, less only where the machine is small)."
  echo "Cores allow $by_cores trainers (all but one core), memory $by_memory (below memory_threshold, less $RESERVED_MIB MiB for the rest)."
  echo "So TRAINERS=$trainers and TRAINER_MEMORY=${trainer_mib}m."
  if [ -f .env ]; then echo "In force is .env: $(grep -E '^(TRAINERS|TRAINER_MEMORY)=' .env | tr '\n' ' ')"; fi
}

# A secret is made once, readable by nobody else. Containers run as this user, or as 10001 where this user is root.
secret() {
  [ -s "secrets/$1" ] || (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$1")
  chmod 600 "secrets/$1"
  [ "$(id -u)" != 0 ] || chown 10001:10001 "secrets/$1"
}

prepare() {
  need_docker
  mkdir -p secrets && chmod 700 secrets
  [ "$(id -u)" != 0 ] || chown 10001:10001 secrets
  secret nighttrain_token
  secret grafana_password
  if [ ! -f deploy/alerting.env ]; then
    (umask 077; cp deploy/alerting.env.example deploy/alerting.env)
    [ "$(id -u)" != 0 ] || chown 10001:10001 deploy/alerting.env
  fi
  if [ ! -f .env ]; then
    measure
    uid=$(id -u); gid=$(id -g)
    [ "$uid" != 0 ] || { uid=10001; gid=10001; }
    cat >.env <<END
# Written by \`make up\` for this machine ($cores cores, $total_mib MiB). Change it, or delete it to have it made anew.
TRAINERS=$trainers
TRAINER_MEMORY=${trainer_mib}m
# The user that the containers run as: it must be able to read secrets/ and the candles.
NIGHTTRAIN_UID=$uid
NIGHTTRAIN_GID=$gid
# Candles; without any, a sample is made in data/sample and CANDLES_DIR is set to it.
CANDLES_DIR=${CANDLES_DIR:-./data/candles}
# Whom alerts go to.
ALERTING_ENV=./deploy/alerting.env
# Ports on 127.0.0.1.
DASHBOARD_PORT=${BT_NIGHT_DASHBOARD_PORT:-5000}
GRAFANA_PORT=${GRAFANA_PORT:-3000}
PROMETHEUS_PORT=${PROMETHEUS_PORT:-9090}
ALERTMANAGER_PORT=${ALERTMANAGER_PORT:-9093}
# false starts the services but no night.
BT_NIGHT_TRAINING=${BT_NIGHT_TRAINING:-true}
END
    echo "wrote .env: $trainers trainer(s) of $trainer_mib MiB (make size explains)"
  fi
  set -a; . ./.env; set +a
  docker compose build --quiet
  if [ -z "$(find "$CANDLES_DIR" -type f 2>/dev/null | head -n 1)" ]; then
    echo "no candles in $CANDLES_DIR: making SYNTHETIC ones in data/sample"
    mkdir -p data/sample
    [ "$(id -u)" != 0 ] || chown 10001:10001 data/sample
    CANDLES_DIR=./data/sample docker compose run --rm --no-deps -T --entrypoint nighttrain \
      -v "$PWD/data/sample:/sample" trainer data sample --out /sample
    sed -i.bak 's#^CANDLES_DIR=.*#CANDLES_DIR=./data/sample#' .env && rm -f .env.bak
    export CANDLES_DIR=./data/sample
  fi
}

up() {
  prepare
  # shellcheck disable=SC2086 # a list of words
  docker compose up --detach --wait --wait-timeout 180 $SERVICES ||
    fail "not all services became healthy: docker compose ps, then docker compose logs SERVICE"
  if [ "$BT_NIGHT_TRAINING" = true ]; then
    docker compose exec -T coordinator python3 -m coordinator.start
  else
    echo "BT_NIGHT_TRAINING=$BT_NIGHT_TRAINING: no night was started"
  fi
  cat <<END

  status and API   http://127.0.0.1:$DASHBOARD_PORT/api/status   (docs: /docs)
  Grafana          http://127.0.0.1:$GRAFANA_PORT   (user admin, password in secrets/grafana_password)
  Prometheus       http://127.0.0.1:$PROMETHEUS_PORT
  Alertmanager     http://127.0.0.1:$ALERTMANAGER_PORT

  make scale N=4   more or fewer trainers, at any time
  make logs        what happens        make ps      who is up
  make report      the results         make down    stop (keeps all data)
END
}

case "${1:-}" in
size) need_docker; size ;;
prepare) prepare ;;
up) up ;;
*) sed -n 2,5p "$0"; exit 2 ;;
esac
