#!/bin/sh
# The stack on this machine; `make` calls it. Needs docker with Compose 2.24 or newer and a POSIX shell, nothing else.
#   stack.sh size       say how many trainers of what size fit this machine, and why
#   stack.sh prepare    write .env, the secrets and, without candles, a sample; each only when absent
#   stack.sh up         prepare, build, start, wait until healthy, start the night, print the addresses
#   stack.sh scale N    run N trainers from now on
#   stack.sh alerts     check deploy/alerting.env and apply it
#   stack.sh report     print the results of the last night
#   stack.sh down       stop, keep all data
#   stack.sh clean-data stop, delete all data
# Values come from the environment, else from .env, as in Compose itself.
set -eu
cd "$(dirname "$0")/../.."

SERVICES="coordinator trainer prometheus alertmanager grafana"

fail() { echo "nighttrain: $1" >&2; exit 2; }

. deploy/stack/sizes.sh
. deploy/stack/dotenv.sh

need_docker() {
  command -v docker >/dev/null || fail "docker is not installed (https://docs.docker.com/engine/install)"
  version=$(docker compose version --short 2>/dev/null) || fail "docker has no Compose v2 (docker compose version fails)"
  version=${version#v}
  major=${version%%.*} minor=${version#*.}
  minor=${minor%%[!0-9]*}
  case $major:$minor in
  : | :* | *: | *[!0-9:]*) ;; # somebody's own build: it may be new enough
  *)
    # docker-compose.yml names a file that may be absent (env_file with required: false).
    [ "$major" -gt 2 ] || { [ "$major" = 2 ] && [ "$minor" -ge 24 ]; } ||
      fail "docker has Compose $version, and the stack needs 2.24 or newer (https://docs.docker.com/compose/install)"
    ;;
  esac
  docker info >/dev/null 2>&1 || fail "the docker engine does not answer (is it running, and may you use it?)"
}

# A secret is made once, readable by nobody else. Containers run as this user, or as 10001 where this user is root.
secret() {
  [ -s "secrets/$1" ] || (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$1")
  chmod 600 "secrets/$1"
  own "secrets/$1"
}

own() { if [ "$(id -u)" = 0 ]; then chown 10001:10001 "$1"; fi; }

# Two copies with the same name would take over each other's containers and volumes.
need_own_name() {
  here=$(pwd -P)
  docker ps --all --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
    --format '{{.Label "com.docker.compose.project.working_dir"}}' | sort -u | while IFS= read -r folder; do
    [ -d "$folder" ] || continue
    [ "$(cd "$folder" && pwd -P)" = "$here" ] ||
      fail "the containers named $COMPOSE_PROJECT_NAME belong to the copy in $folder: give this one another COMPOSE_PROJECT_NAME and other ports in .env, or stop that one (make down)"
  done
}

digest() { cat "$@" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-12; }

# Compose recreates a container when its labels change, but not when a file that is mounted into it does.
note_files() {
  token=secrets/nighttrain_token
  keep NIGHT_DIGEST "$(digest "$CONFIG" $token)"
  keep TOKEN_DIGEST "$(digest $token)"
  keep ALERTING_DIGEST "$(digest $token "$ALERTING_ENV" prometheus/alertmanager.yml prometheus/receivers.sh)"
  keep PROMETHEUS_DIGEST "$(digest prometheus/*.yml)"
}

has_files() { [ -n "$(find -L "$1/" -type f 2>/dev/null | head -n 1)" ]; }

# A folder that the user chose is never replaced by another.
choose_candles() {
  if [ "$CANDLES_DIR" = ./data/sample ] && ! given CANDLES_DIR && has_files ./data/candles; then
    echo "there are candles in data/candles now: using them instead of the SYNTHETIC ones in data/sample"
    keep CANDLES_DIR ./data/candles
  fi
  case $CANDLES_DIR in
  ./data/candles | ./data/sample) ;;
  *) has_files "$CANDLES_DIR" || fail "CANDLES_DIR: there are no candles in $CANDLES_DIR, or you may not read them" ;;
  esac
}

make_sample() {
  echo "no candles in $CANDLES_DIR: making SYNTHETIC ones in data/sample"
  mkdir -p data/sample
  own data/sample
  docker compose run --rm -T sample
  case $(folder "$(in_env CANDLES_DIR)") in
  ./data/candles | ./data/sample) keep CANDLES_DIR ./data/sample ;;
  *) export CANDLES_DIR=./data/sample ;;
  esac
}

prepare() {
  need_docker
  mkdir -p secrets && chmod 700 secrets
  own secrets
  secret nighttrain_token
  secret grafana_password
  if [ ! -f deploy/alerting.env ]; then
    (umask 077; cp deploy/alerting.env.example deploy/alerting.env)
    own deploy/alerting.env
  fi
  begin_env
  check_settings
  load_env
  need_own_name
  choose_candles
  write_env
  load_env
  load_sizes
  note_settings
  note_files
  NIGHTTRAIN_REVISION=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
  export NIGHTTRAIN_REVISION
  docker compose build --quiet
  has_files "$CANDLES_DIR" || make_sample
}

# With a mistake in its file Alertmanager would not start, and nobody would be told of anything.
check_alerting() {
  said=$(docker compose run --rm --no-deps -T alertmanager amtool check-config /run/alertmanager/alertmanager.yml 2>&1) && return
  echo "nighttrain: $ALERTING_ENV: $(printf '%s\n' "$said" | sed 's#^/run/secrets/alerting: ##' | tail -n 1)" >&2
  return 1
}

start() { # SERVICE...
  log=$(mktemp)
  { docker compose up --detach --wait --wait-timeout 180 "$@" 2>&1 || echo failed >"$log.failed"; } | tee "$log"
  if [ -e "$log.failed" ]; then why=$(explain "$log"); rm -f "$log" "$log.failed"; fail "$why"; fi
  rm -f "$log"
}

explain() { # LOG: what stopped the start, and what to do
  if grep -Eq 'address already in use|port is already allocated' "$1"; then
    for name in DASHBOARD_PORT GRAFANA_PORT PROMETHEUS_PORT ALERTMANAGER_PORT; do
      eval "port=\$$name"
      if grep -Eq "127\.0\.0\.1:$port([^0-9]|\$)" "$1"; then
        echo "port $port of 127.0.0.1 is taken: set another $name in .env, then run: make up"
        return
      fi
    done
  fi
  echo "not all services became healthy (docker compose ps, docker compose logs SERVICE):"
  docker compose ps --all --format '{{.Service}} {{.State}} {{.Health}}' | sort -u | while read -r service state health; do
    [ "$state $health" = "running healthy" ] || [ "$service" = volumes ] ||
      echo "  $service ($state): $(docker compose logs --no-log-prefix --tail 1 "$service" 2>&1 | sed 's/^[^a-zA-Z0-9]*\[2K//')"
  done
}

up() {
  prepare
  if ! check_alerting; then
    unreached="until that is fixed, alerts go to the coordinator only; then run: make alerts"
    echo "nighttrain: $unreached" >&2
    export ALERTING_ENV=./deploy/alerting.env.example
  fi
  # shellcheck disable=SC2086 # a list of words
  start $SERVICES
  if [ "$BT_NIGHT_TRAINING" = true ]; then
    docker compose exec -T coordinator nighttrain start
  else
    echo "BT_NIGHT_TRAINING=$BT_NIGHT_TRAINING: no night was started"
  fi
  cat <<END

  the night        http://127.0.0.1:$DASHBOARD_PORT/   (steer it with the token in secrets/nighttrain_token)
  status and API   http://127.0.0.1:$DASHBOARD_PORT/api/status   (docs: /docs)
  Grafana          http://127.0.0.1:$GRAFANA_PORT   (user admin, password in secrets/grafana_password)
  Prometheus       http://127.0.0.1:$PROMETHEUS_PORT
  Alertmanager     http://127.0.0.1:$ALERTMANAGER_PORT

  make scale N=4   more or fewer trainers, at any time
  make logs        what is happening   make ps      what is running
  make report      the results         make down    stop (keeps all data)
END
}

need_stack() {
  need_docker
  [ -f .env ] || fail "there is no stack yet; run: make up"
  load_env
  load_sizes
  need_own_name
  [ -n "$(docker compose ps --quiet coordinator 2>/dev/null)" ] || fail "the stack is not running; run: make up"
}

scale() {
  [ -n "${1:-}" ] || fail "say how many trainers: make scale N=4"
  whole N "$1" 0
  need_stack
  docker compose up --detach --no-recreate --no-deps --scale "trainer=$1" trainer
  [ "$1" = 0 ] || keep TRAINERS "$1"
  # Otherwise the next start would go back to the old number.
  if [ "$1" != 0 ] && grep -q '^BT_NIGHT_WORKERS=' .env; then keep BT_NIGHT_WORKERS "$1"; fi
}

alerts() {
  need_stack
  check_alerting || fail "the earlier settings stay in force"
  note_files
  start alertmanager
  echo "alerts go where $ALERTING_ENV says, and to the coordinator"
}

report() {
  need_stack
  docker compose exec -T coordinator nighttrain report
}

down() { # OPTION...
  need_docker
  load_env
  need_own_name
  docker compose down "$@"
}

case "${1:-}" in
size) need_docker; size ;;
prepare) prepare ;;
up) up ;;
scale) scale "${2:-}" ;;
alerts) alerts ;;
report) report ;;
down) down ;;
clean-data) down --volumes ;;
*) sed -n 2,11p "$0"; exit 2 ;;
esac
