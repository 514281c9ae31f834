#!/bin/sh
# The stack on this machine; `make` calls it. Needs docker with Compose 2.24 or newer and a POSIX shell, nothing else.
#   stack.sh size       say how many trainers of what size fit this machine, and why
#   stack.sh prepare    write .env, the secrets and, without candles, a sample; each only when absent
#   stack.sh up         prepare, build, start, wait until healthy, start the night, print the addresses
#   stack.sh scale N    so many trainers from now on
#   stack.sh alerts     check deploy/alerting.env and put it in force
#   stack.sh report     the results of the last night
#   stack.sh down       stop, keep all data
#   stack.sh clean-data stop, delete all data
# Values come from the environment, else from .env, as in Compose itself.
set -eu
cd "$(dirname "$0")/.."

SERVICES="coordinator trainer prometheus alertmanager grafana"
RESERVED_MIB=1700 # the limits of all services but the trainers
GIVEN=$(env | sed -n 's/^\([A-Z_][A-Z0-9_]*\)=..*/\1/p' | tr '\n' ' ') # what wins over .env; empty counts as not set
CR=$(printf '\r')

fail() { echo "nighttrain: $1" >&2; exit 2; }

need_docker() {
  command -v docker >/dev/null || fail "docker is not installed (https://docs.docker.com/engine/install)"
  version=$(docker compose version --short 2>/dev/null) || fail "docker has no Compose v2 (docker compose version fails)"
  version=${version#v}
  major=${version%%.*} minor=${version#*.}
  minor=${minor%%[!0-9]*}
  case $major:$minor in
  : | :* | *: | *[!0-9:]*) ;; # a build of one's own: it may do
  *)
    # docker-compose.yml names a file that need not exist (env_file with required: false).
    [ "$major" -gt 2 ] || { [ "$major" = 2 ] && [ "$minor" -ge 24 ]; } ||
      fail "docker has Compose $version, and the stack needs 2.24 or newer (https://docs.docker.com/compose/install)"
    ;;
  esac
  docker info >/dev/null 2>&1 || fail "the docker engine does not answer (is it running, and may you use it?)"
}

whole() { # NAME VALUE LEAST: refuse what is no whole number
  case $2 in '' | *[!0-9]*) fail "$1 must be a whole number from $3 to 256; got '$2'" ;; esac
  [ "$2" -ge "$3" ] && [ "$2" -le 256 ] || fail "$1 must be a whole number from $3 to 256; got '$2'"
}

mebibytes() { # NAME GIGABYTES
  echo "$2" | grep -Eqx '[0-9]+(\.[0-9]+)?' || fail "$1 must be a number of GB; got '$2'"
  awk -v g="$2" 'BEGIN {print int(g * 1024)}'
}

setting() { # KEY: what the configuration says of it
  awk -F'[: #]+' -v key="$1" '$1 == key {gsub(/["\047\r]/, "", $2); print $2; exit}' "$CONFIG"
}

# Sets cores, total_mib, trainer_mib, trainers and what bounds them.
measure() {
  cores=$(docker info --format '{{.NCPU}}')
  total_mib=$(docker info --format '{{.MemTotal}}' | awk '{print int($1 / 1048576)}')
  [ -r "$CONFIG" ] || fail "NIGHT_CONFIG: there is no file $CONFIG"
  configured=$(setting max_memory_per_process)
  gigabytes=${BT_NIGHT_MEMORY_LIMIT:-${configured:-2.0}}
  trainer_mib=$(mebibytes "max_memory_per_process (BT_NIGHT_MEMORY_LIMIT)" "$gigabytes")
  threshold=$(setting memory_threshold)
  usable_mib=$(awk -v t="$total_mib" -v s="${threshold:-0.85}" -v r="$RESERVED_MIB" 'BEGIN {print int(t * s - r)}')
  [ "$usable_mib" -ge "$trainer_mib" ] || trainer_mib=$usable_mib
  [ "$trainer_mib" -ge 512 ] || trainer_mib=512
  by_cores=$((cores > 1 ? cores - 1 : 1))
  by_memory=$((usable_mib / trainer_mib))
  trainers=$((by_cores < by_memory ? by_cores : by_memory))
  [ "$trainers" -ge 1 ] || trainers=1
  wanted=${BT_NIGHT_WORKERS:-$(setting num_workers)}
  case $wanted in '' | auto) wanted='' ;; *) whole "num_workers (BT_NIGHT_WORKERS)" "$wanted" 1; trainers=$wanted ;; esac
}

size() {
  load_env
  measure
  echo "This machine: $cores cores, $total_mib MiB."
  echo "One trainer may take $trainer_mib MiB (max_memory_per_process, less only where the machine is small)."
  echo "Cores allow $by_cores trainers (all but one core), memory $by_memory (below memory_threshold, less $RESERVED_MIB MiB for the rest)."
  [ -z "$wanted" ] || echo "num_workers asks for $wanted."
  echo "So TRAINERS=$trainers and TRAINER_MEMORY=${trainer_mib}m."
  if [ -f .env ]; then
    echo "In force is .env: $(grep -E '^(TRAINERS|TRAINER_MEMORY|BT_NIGHT_WORKERS|BT_NIGHT_MEMORY_LIMIT)=' .env | tr '\n' ' ')(delete these lines, and make up measures anew)"
  fi
}

# A secret is made once, readable by nobody else. Containers run as this user, or as 10001 where this user is root.
secret() {
  [ -s "secrets/$1" ] || (umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$1")
  chmod 600 "secrets/$1"
  own "secrets/$1"
}

own() { if [ "$(id -u)" = 0 ]; then chown 10001:10001 "$1"; fi; }

keep() { # KEY VALUE: have it in .env, and in force
  export "$1=$2"
  cp -p .env .env.new # has its mode and owner
  awk -v key="$1" -v value="$2" '
    index($0, key "=") == 1 {if (!done++) print key "=" value; next} {print}
    END {if (!done) print key "=" value}' .env >.env.new
  mv .env.new .env
}

# The lines that .env lacks are written; whoever wants one measured anew deletes it.
write_env() {
  measure
  uid=$(id -u) gid=$(id -g)
  [ "$uid" != 0 ] || { uid=10001; gid=10001; }
  absent COMPOSE_PROJECT_NAME "$COMPOSE_PROJECT_NAME" "containers and volumes have it in their names"
  absent TRAINERS "$trainers" "$cores cores, $total_mib MiB; make size explains"
  absent TRAINER_MEMORY "${trainer_mib}m" "what one trainer may take"
  absent NIGHTTRAIN_UID "$uid" "the user of the containers; it must be able to read secrets/ and the candles"
  absent NIGHTTRAIN_GID "$gid" ""
  absent CANDLES_DIR "$CANDLES_DIR" "without any, a sample is made in data/sample"
  absent ALERTING_ENV ./deploy/alerting.env "whom alerts go to; after a change: make alerts"
  absent DASHBOARD_PORT "$DASHBOARD_PORT" "ports on 127.0.0.1"
  absent GRAFANA_PORT "$GRAFANA_PORT" ""
  absent PROMETHEUS_PORT "$PROMETHEUS_PORT" ""
  absent ALERTMANAGER_PORT "$ALERTMANAGER_PORT" ""
  absent BT_NIGHT_TRAINING "$BT_NIGHT_TRAINING" "false starts the services but no night"
}

# It may come to hold the password of a database, so nobody else may read it.
begin_env() {
  if [ ! -f .env ]; then
    (umask 077; cat >.env) <<'END'
# Written by `make up` for this machine. Change it; a line that is deleted is made anew. The environment wins over it,
# and BT_NIGHT_<KEY>=... in it over deploy/night_training.yaml.
END
  fi
  [ -z "$(tail -c 1 .env)" ] || echo >>.env # an editor may have left the last line open
}

absent() { # KEY VALUE COMMENT
  grep -q "^$1=" .env && return
  [ -z "$3" ] || echo "# $3" >>.env
  echo "$1=$2" >>.env
  case $1 in TRAINERS) echo "wrote .env: $2 trainer(s) of $trainer_mib MiB (make size explains)" ;; esac
}

given() { # KEY: whether the environment had it
  case " $GIVEN" in *" $1 "*) ;; *) return 1 ;; esac
}

# Sets key and value as Compose reads a line of .env; key is empty where the line has none.
parse() { # LINE
  key=${1%%=*} value=${1#*=}
  case $key in "$1" | [0-9]* | *[!A-Z0-9_]*) key='' ;; esac
  value=${value%"$CR"}
  value=${value#"${value%%[! ]*}"}
  case $value in
  \"*) value=${value#?} value=${value%%\"*} ;;
  \'*) value=${value#?} value=${value%%\'*} ;;
  '#'*) value='' ;;
  *) value=${value%%" #"*} value=${value%"${value##*[! ]}"} ;;
  esac
}

in_env() { # KEY: what .env says of it
  found=''
  while IFS= read -r line || [ -n "$line" ]; do
    parse "$line"
    [ "$key" != "$1" ] || found=$value
  done <.env
  printf '%s\n' "$found"
}

path() { # PATH: with the home folder in it, as Compose has it
  # shellcheck disable=SC2016,SC2088 # written like that in .env
  case $1 in
  '~' | '~/'*) set -- "${HOME:-}${1#?}" ;;
  '$HOME' | '$HOME/'*) set -- "${HOME:-}${1#?HOME}" ;;
  '${HOME}' | '${HOME}/'*) set -- "${HOME:-}${1#??HOME?}" ;;
  esac
  printf '%s\n' "$1"
}

folder() { # PATH: beginning with / or ./, because Compose takes a bare name for that of a volume
  set -- "$(path "$1")"
  case $1 in /) ;; */) set -- "${1%/}" ;; esac
  case $1 in
  "$(pwd)"/*) set -- ".${1#"$(pwd)"}" ;;
  /* | . | ./* | .. | ../*) ;;
  *) set -- "./$1" ;;
  esac
  printf '%s\n' "$1"
}

# Puts in force what .env says and the environment does not, and what neither says (an .env made by hand may be short).
load_env() {
  if [ -f .env ]; then
    # From its end, because Compose takes the last of two lines.
    while IFS= read -r line; do
      parse "$line"
      [ -n "$key" ] || continue
      eval "[ -n \"\${$key:-}\" ]" || export "$key=$value"
    done <<END
$(sed '1!G;h;$!d' .env)
END
  fi
  if asks BT_NIGHT_DASHBOARD_PORT DASHBOARD_PORT; then DASHBOARD_PORT=$BT_NIGHT_DASHBOARD_PORT; fi
  if [ -z "${ALERTING_ENV:-}" ]; then
    ALERTING_ENV=./deploy/alerting.env
    [ -f "$ALERTING_ENV" ] || ALERTING_ENV=$ALERTING_ENV.example
  fi
  CONFIG=$(path "${NIGHT_CONFIG:-./deploy/night_training.yaml}")
  export NIGHT_CONFIG="$CONFIG"
  ALERTING_ENV=$(path "$ALERTING_ENV") CANDLES_DIR=$(folder "${CANDLES_DIR:-./data/candles}")
  export ALERTING_ENV CANDLES_DIR
  export COMPOSE_PROJECT_NAME="${COMPOSE_PROJECT_NAME:-nighttrain}" BT_NIGHT_TRAINING="${BT_NIGHT_TRAINING:-true}"
  export DASHBOARD_PORT="${DASHBOARD_PORT:-5000}" GRAFANA_PORT="${GRAFANA_PORT:-3000}"
  export PROMETHEUS_PORT="${PROMETHEUS_PORT:-9090}" ALERTMANAGER_PORT="${ALERTMANAGER_PORT:-9093}"
}

# BT_NIGHT_... decides over the plain name, except from .env over the environment's plain name.
asks() { # BT_NIGHT_KEY PLAIN
  eval "[ -n \"\${$1:-}\" ]" || return 1
  given "$1" || ! given "$2"
}

load_sizes() {
  if asks BT_NIGHT_MEMORY_LIMIT TRAINER_MEMORY; then measure; export TRAINER_MEMORY="${trainer_mib}m"; fi
  if asks BT_NIGHT_WORKERS TRAINERS; then measure; export TRAINERS="$trainers"; fi
}

# The containers get the settings of the night from .env alone; what else is asked for must not go unheard.
check_settings() {
  for name in $GIVEN; do
    case $name in
    BT_NIGHT_TRAINING | BT_NIGHT_DASHBOARD_PORT | BT_NIGHT_MEMORY_LIMIT | BT_NIGHT_WORKERS) ;;
    BT_NIGHT_*)
      grep -q "^$name=" .env || fail "$name does not reach the containers from here: write it into .env"
      eval "asked=\${$name:-}"
      said=$(in_env "$name")
      [ "$asked" = "$said" ] ||
        fail "$name does not reach the containers from here, and .env has another value for it: change it there"
      ;;
    esac
  done
}

# Two copies of one name would take each other's containers and volumes over.
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

# The containers get what .env says of the night, and nothing else of it.
note_settings() {
  (
    umask 077
    grep '^BT_NIGHT_' .env | grep -Ev '^BT_NIGHT_(TRAINING|DASHBOARD_PORT|MEMORY_LIMIT|WORKERS)=' >.env.new || true
  )
  if cmp -s .env.new .env.night; then rm -f .env.new; else mv .env.new .env.night; fi
  chmod 600 .env.night
}

# Compose recreates a container when its labels change, not when a file does that is mounted into it.
note_files() {
  token=secrets/nighttrain_token
  keep NIGHT_DIGEST "$(digest "$CONFIG" $token)"
  keep TOKEN_DIGEST "$(digest $token)"
  keep ALERTING_DIGEST "$(digest $token "$ALERTING_ENV" prometheus/alertmanager.yml prometheus/receivers.sh)"
  keep PROMETHEUS_DIGEST "$(digest prometheus/*.yml)"
}

has_files() { [ -n "$(find -L "$1/" -type f 2>/dev/null | head -n 1)" ]; }

# A folder of the user's own is never given up for another one.
choose_candles() {
  if [ "$CANDLES_DIR" = ./data/sample ] && ! given CANDLES_DIR && has_files ./data/candles; then
    echo "there are candles in data/candles now: taking them, no longer the SYNTHETIC ones in data/sample"
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

# Alertmanager would not start on a file with a mistake; then nobody were told of anything.
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
        echo "port $port of 127.0.0.1 is taken: set another $name in .env, then make up"
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
    unreached="until that is mended alerts go to the coordinator alone; then: make alerts"
    echo "nighttrain: $unreached" >&2
    export ALERTING_ENV=./deploy/alerting.env.example
  fi
  # shellcheck disable=SC2086 # a list of words
  start $SERVICES
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

need_stack() {
  need_docker
  [ -f .env ] || fail "there is no stack yet: make up"
  load_env
  load_sizes
  need_own_name
  [ -n "$(docker compose ps --quiet coordinator 2>/dev/null)" ] || fail "the stack is not running: make up"
}

scale() {
  [ -n "${1:-}" ] || fail "say how many: make scale N=4"
  whole N "$1" 0
  need_stack
  docker compose up --detach --no-recreate --no-deps --scale "trainer=$1" trainer
  [ "$1" = 0 ] || keep TRAINERS "$1"
  # It would have the number of before in force again at the next start.
  if [ "$1" != 0 ] && grep -q '^BT_NIGHT_WORKERS=' .env; then keep BT_NIGHT_WORKERS "$1"; fi
}

alerts() {
  need_stack
  check_alerting || fail "what was in force before stays in force"
  note_files
  start alertmanager
  echo "alerts go where $ALERTING_ENV says, and to the coordinator"
}

report() {
  need_stack
  docker compose exec -T coordinator python3 -m coordinator.show
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
