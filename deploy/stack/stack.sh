#!/bin/sh
# The stack on this machine; `make` calls it. It speaks with Docker; all else is decided by `nighttrain stack` within the
# coordinator's image (cli/stack). Needs docker with Compose 2.24 or newer and a POSIX shell, nothing else.
#   stack.sh size       say how many trainers of what size fit this machine, and why
#   stack.sh prepare    build, write .env, the secrets and, without candles, a sample; each only when absent
#   stack.sh up         prepare, start, wait until healthy, start the night, print the addresses (FRESH=1 drops an
#                       unfinished one)
#   stack.sh scale N    run N trainers from now on
#   stack.sh alerts     check deploy/alerting.env and apply it
#   stack.sh report     print the results of the last night, or the table so far
#   stack.sh models DIR copy promoted models and results there
#   stack.sh down       stop, keep all data
#   stack.sh digests    print the lines for .env that pin the images from elsewhere by what the engine has of them
#   stack.sh clean-data say what there is, ask (unless YES=1), stop, delete all data
# Values come from the environment, else from .env, as in Compose itself.
set -eu
cd "$(dirname "$0")/../.."

SERVICES="coordinator trainer prometheus alertmanager grafana"
VARIABLES='BT_NIGHT_[A-Z0-9_]*|TRAINERS|TRAINER_MEMORY|CANDLES_DIR|CANDLES_URL|CANDLES_CREDENTIALS|NIGHT_CONFIG|ALERTING_ENV|COMPOSE_PROJECT_NAME|[A-Z]+_PORT'

fail() { echo "nighttrain: $1" >&2; exit 2; }

# An empty value counts as not set. Compose takes the older name of the port first, also from .env.
for name in $(env | sed -nE "s/^($VARIABLES)=\$/\1/p"); do unset "$name"; done
if [ -z "${BT_NIGHT_DASHBOARD_PORT:-}" ] && [ -n "${DASHBOARD_PORT:-}" ]; then
  export BT_NIGHT_DASHBOARD_PORT="$DASHBOARD_PORT"
fi

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
  said=$(docker info --format '{{.ServerVersion}}' 2>&1) || no_engine "$said"
  for file in .env .env.night; do
    [ ! -e "$file" ] || [ -r "$file" ] ||
      fail "$file belongs to another user, from a start as root: sudo chown $(id -u):$(id -g) .env .env.night, then run: make up"
  done
  said=$(docker compose config --quiet 2>&1) || fail "docker compose cannot read its settings (see .env): $(printf '%s\n' "$said" | tail -n 1)"
  project=$(docker compose config | sed -n 's/^name: //p' | tr -d '"')
}

no_engine() { # WHAT DOCKER SAID
  socket=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock
  [ ! -S "$socket" ] || [ -n "${DOCKER_HOST:-}" ] ||
    fail "the docker engine does not answer, but your rootless one may: export DOCKER_HOST=unix://$socket"
  case $1 in
  *ermission\ denied*) fail "you may not use the docker engine: sudo usermod -aG docker $(id -un) and log in again, or run: sudo make up" ;;
  *) fail "the docker engine does not answer (is it running, and may you use it?)" ;;
  esac
}

# Two copies with the same name would take over each other's containers and volumes.
need_own_name() {
  here=$(pwd -P)
  docker ps --all --filter "label=com.docker.compose.project=$project" \
    --format '{{.Label "com.docker.compose.project.working_dir"}}' | sort -u | while IFS= read -r folder; do
    [ -d "$folder" ] || continue
    [ "$(cd "$folder" && pwd -P)" = "$here" ] ||
      fail "the containers named $project belong to the copy in $folder: give this one another COMPOSE_PROJECT_NAME and other ports in .env, or stop that one (make down)"
  done
}

# What is mounted must be there first, or the engine makes it for root.
folders() {
  mkdir -p data/candles data/sample
  [ -f deploy/alerting.env ] || (umask 077; cp deploy/alerting.env.example deploy/alerting.env)
}

ports() { # each service with the port that it publishes
  docker compose config | awk '/^  [a-z]/ {service = $1; sub(":", "", service)} / published: / {gsub("\"", ""); print service, $NF}'
}

publishable() { # PORT...: whether the engine can publish them, which only it knows, on every system
  for port in "$@"; do set -- "$@" -p "127.0.0.1:$port:1"; shift; done
  docker run --rm "$@" --entrypoint /bin/true "$python" 2>&1 </dev/null >/dev/null
}

# All that are taken at once, and before a build that may take minutes.
need_ports() {
  python=$(docker compose config | awk '/^  [a-z]/ {service = $1} service == "volumes:" && $1 == "image:" {print $2}')
  held=$(docker ps --filter "label=com.docker.compose.project=$project" --format '{{.Ports}}')
  wanted=$(ports | while read -r service port; do
    case $held in *":$port->"*) ;; *) [ "$port" = 0 ] || echo "$service $port" ;; esac
  done)
  # shellcheck disable=SC2046 # a list of words
  [ -n "$wanted" ] && ! publishable $(echo "$wanted" | cut -d ' ' -f 2) >/dev/null || return 0
  clashes=$(echo "$wanted" | while read -r service port; do
    case " ${seen:-} " in
    *" $port "*) said="port is already allocated" ;;
    *) said=$(publishable "$port") && said='' ;;
    esac
    seen="${seen:-} $port"
    case $said in *already*in*use* | *already\ allocated* | *not\ available* | *forbidden*) ;; *) continue ;; esac
    name=$(echo "$service" | tr '[:lower:]' '[:upper:]')_PORT
    [ "$service" != coordinator ] || name=DASHBOARD_PORT
    echo "nighttrain: port $port of 127.0.0.1 is taken: set another $name in .env, then run: make up"
    if [ "$port" = 5000 ] && [ "$(uname)" = Darwin ]; then
      echo "nighttrain: port 5000 is often AirPlay's: System Settings, General, AirDrop & Handoff, AirPlay Receiver"
    fi
  done)
  [ -z "$clashes" ] || { echo "$clashes" >&2; exit 2; }
}

build() { # SERVICE...
  NIGHTTRAIN_REVISION=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
  export NIGHTTRAIN_REVISION
  log=$(mktemp)
  { seconds=0; while sleep 15 >/dev/null 2>&1; do
    seconds=$((seconds + 15))
    echo "building the images for $seconds s: $(tail -n 1 "$log" | cut -c 1-90)"
  done; } &
  beat=$!
  trap 'kill "$beat" 2>/dev/null || :; rm -f "$log"' EXIT
  trap 'exit 130' INT TERM
  built || echo "building the images; the first time takes minutes"
  docker compose --progress plain build "$@" >"$log" 2>&1 || { tail -n 15 "$log" >&2; unbuilt; }
  kill "$beat" 2>/dev/null || :
  trap - EXIT INT TERM
  rm -f "$log"
}

unbuilt() {
  ! grep -qi 'no space left on device' "$log" ||
    fail "the images could not be built: the disk of the engine is full; docker system df says with what, docker builder prune deletes what builds left"
  fail "the images could not be built"
}

# Each build leaves the images that it replaced, without a name, of hundreds of megabytes.
remove_replaced_images() {
  docker image prune --force --filter "label=com.docker.compose.project=$project" >/dev/null 2>&1 || :
}

# Whether the image is there and knows `nighttrain stack`; one of an earlier version does not.
built() { [ -n "$(docker image inspect --format '{{index .Config.Labels "nighttrain.desk"}}' "$project-coordinator" 2>/dev/null)" ]; }

facts() {
  docker info --format '{{json .}}'
  docker compose --profile tools config --format json
  env | grep -E "^($VARIABLES)=." || :
}

desk() { docker compose run --rm --no-deps -T "$@"; }

# Prints what Python says of this folder; its lines `set NAME=VALUE` are taken over.
ask() { # WORD...
  errors=$(mktemp) code=0
  answer=$(facts | desk stack "$@" 2>"$errors") || code=$?
  while IFS= read -r line; do
    case $line in
    '') ;;
    "set "*) export "${line#set }" ;;
    *) printf '%s\n' "$line" ;;
    esac
  done <<END
$answer
END
  if [ "$code" != 0 ]; then
    missing=$(sed -n 's/.*bind source path does not exist: *//p' "$errors" | head -n 1)
    [ -z "$missing" ] || echo "nighttrain: there is no $missing, which CANDLES_DIR, NIGHT_CONFIG or ALERTING_ENV names (.env or the environment)" >&2
    [ -n "$missing" ] || cat "$errors" >&2
    rm -f "$errors"
    exit "$([ "$code" = 1 ] && echo 1 || echo 2)"
  fi
  rm -f "$errors"
}

alerting_file() {
  file=$(docker compose config | awk '/^  alerting:/ {found = 1} found && $1 == "file:" {sub(/^ *file: */, ""); print; exit}')
  echo "${file#"$(pwd)"/}"
}

# With a mistake in its file Alertmanager would not start, and nobody would be told of anything.
check_alerting() {
  said=$(desk alertmanager amtool check-config /run/alertmanager/alertmanager.yml 2>&1) && return
  echo "nighttrain: $(alerting_file): $(printf '%s\n' "$said" | sed 's#^/run/secrets/alerting: ##' | tail -n 1)" >&2
  return 1
}

start() { # SERVICE...
  log=$(mktemp)
  { docker compose up --detach --wait --wait-timeout 180 "$@" 2>&1 || echo failed >"$log.failed"; } | tee "$log"
  if [ -e "$log.failed" ]; then
    {
      cat "$log"
      echo "== states"; docker compose ps --all --format json
      echo "== logs"; docker compose logs --no-color --tail 1 2>&1
    } | desk stack explain --ports "$(ports | tr '\n' ' ')" | { IFS= read -r line; echo "nighttrain: $line"; cat; } >&2
    rm -f "$log" "$log.failed"
    exit 2
  fi
  rm -f "$log"
}

prepare() {
  need_docker
  need_own_name
  folders
  need_ports
  build
  ask prepare --uid "$(id -u)" --gid "$(id -g)" --sudo-uid "${SUDO_UID:-}" --sudo-gid "${SUDO_GID:-}"
  [ -z "${NIGHTTRAIN_SAMPLE:-}" ] || desk sample
}

up() {
  prepare
  if ! check_alerting; then
    echo "nighttrain: until that is fixed, alerts go to the coordinator only; then run: make alerts" >&2
    export ALERTING_ENV=./deploy/alerting.env.example
  fi
  # shellcheck disable=SC2086 # a list of words
  start $SERVICES
  remove_replaced_images
  docker compose exec -T coordinator nighttrain stack start ${FRESH:+--fresh} --ports "$(ports | tr '\n' ' ')"
}

need_image() { [ -f .env ] && built && { [ ! -x secrets ] || [ -e secrets/trainer_token ]; } || fail "there is no stack yet, or one of an earlier version; run: make up"; }

running() { [ -n "$(docker compose ps --quiet coordinator 2>/dev/null)" ]; }

need_stack() {
  need_docker
  need_own_name
  need_image
  running || fail "the stack is not running; run: make up"
  # Neither is looked at from here on, and one that is not there is no reason not to go on.
  export CANDLES_DIR=./data/candles
  folders
}

size() {
  need_docker
  folders
  built || build coordinator
  export CANDLES_DIR=./data/candles
  ask size
}

scale() {
  need_stack
  # Python takes a second, which new trainers need not wait for unless it is to say how large they are.
  if plain_number "${1:-}" && [ -z "${BT_NIGHT_MEMORY_LIMIT:-}" ] && ! grep -q '^BT_NIGHT_MEMORY_LIMIT' .env; then
    trainers "$1"
    ask scale -- "$1"
  else
    ask scale -- "${1:-}"
    trainers "$1"
  fi
}

plain_number() { case $1 in '' | *[!0-9]* | ????*) return 1 ;; *) [ "$1" -le 256 ] ;; esac; }

trainers() { docker compose up --detach --no-recreate --no-deps --scale "trainer=$1" trainer; }

alerts() {
  need_stack
  check_alerting || fail "the earlier settings stay in force"
  ask alerts
  start alertmanager
  echo "alerts go where $(alerting_file) says, and to the coordinator"
}

look() { # OPTION... stack WORD...: at what the volumes hold, whatever the settings name
  folders
  CANDLES_DIR=./data/candles NIGHT_CONFIG=./deploy/night_training.yaml ALERTING_ENV=./deploy/alerting.env.example \
    docker compose run --rm --no-deps -T "$@"
}

report() {
  need_docker
  need_own_name
  need_image
  if running; then docker compose exec -T coordinator nighttrain stack report; else look stack report --stopped; fi
}

models() { # DIR
  [ -n "${1:-}" ] || fail "say where to: make models DIR=my-models"
  need_docker
  need_own_name
  need_image
  mkdir -p "$1" || exit 2
  target=$(cd "$1" && pwd -P)
  case $(docker info --format '{{.SecurityOptions}}') in
  *name=rootless*) uid=0 gid=0 ;; # root of its containers is the user outside
  *) uid=${SUDO_UID:-$(id -u)} gid=${SUDO_GID:-$(id -g)} ;;
  esac
  look -v "$target:/copies" stack models --uid "$uid" --gid "$gid"
  echo "in $target"
}

# The engine knows the digest of an image that it has pulled, and nobody else here does.
digests() {
  need_docker
  docker compose config | awk '/^[a-z]/ {images = /^x-images:/} images && NF == 2 {sub(":", "", $1); print toupper($1) "_IMAGE", $2}' |
    while read -r name image; do
      digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$image" 2>/dev/null | sed -n 's/.*@//p' | head -n 1)
      if [ -n "$digest" ]; then echo "$name=${image%@*}@$digest"; else echo "# $name: $image was not pulled from a registry here (docker pull $image)"; fi
    done
}

down() { # OPTION...
  need_docker
  need_own_name
  docker compose down "$@"
}

clean_data() {
  need_docker
  need_own_name
  if built; then look stack inventory; fi
  if [ "${YES:-}" != 1 ]; then
    [ -t 0 ] || fail "nothing was deleted: say make clean-data YES=1"
    printf 'Delete it? [y/N] '
    read -r answer || answer=
    case $answer in y | Y | yes) ;; *) fail "nothing was deleted" ;; esac
  fi
  down --volumes
}

case "${1:-}" in
size) size ;;
prepare) prepare ;;
up) up ;;
scale) scale "${2:-}" ;;
alerts) alerts ;;
report) report ;;
models) models "${2:-}" ;;
down) down ;;
digests) digests ;;
clean-data) clean_data ;;
*) sed -n 2,15p "$0"; exit 2 ;;
esac
