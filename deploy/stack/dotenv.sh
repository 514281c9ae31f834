# .env as the stack reads and writes it; deploy/stack/stack.sh includes this file.
# Values come from the environment, else from .env, as in Compose itself.

GIVEN=$(env | sed -n 's/^\([A-Z_][A-Z0-9_]*\)=..*/\1/p' | tr '\n' ' ') # what wins over .env; an empty value counts as not set
CR=$(printf '\r')

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

# BT_NIGHT_... wins over the plain name, but from .env it does not win over the environment's plain name.
asks() { # BT_NIGHT_KEY PLAIN
  eval "[ -n \"\${$1:-}\" ]" || return 1
  given "$1" || ! given "$2"
}

# Exports what .env says and the environment does not, and a default for what neither says (an .env written by hand may
# be short).
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

load_sizes() {
  if asks BT_NIGHT_MEMORY_LIMIT TRAINER_MEMORY; then measure; export TRAINER_MEMORY="${trainer_mib}m"; fi
  if asks BT_NIGHT_WORKERS TRAINERS; then measure; export TRAINERS="$trainers"; fi
}

keep() { # KEY VALUE: write it into .env, and export it
  export "$1=$2"
  cp -p .env .env.new # keeps its mode and owner
  awk -v key="$1" -v value="$2" '
    index($0, key "=") == 1 {if (!done++) print key "=" value; next} {print}
    END {if (!done) print key "=" value}' .env >.env.new
  mv .env.new .env
}

# It may hold the password of a database one day, so nobody else may read it.
begin_env() {
  if [ ! -f .env ]; then
    (umask 077; cat >.env) <<'END'
# Written by `make up` for this machine. Change it as you like; a line that you delete is written again. The environment
# wins over this file, and BT_NIGHT_<KEY>=... in it wins over deploy/night_training.yaml.
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

# Writes the lines that .env lacks; delete one to have it measured again.
write_env() {
  measure
  uid=$(id -u) gid=$(id -g)
  [ "$uid" != 0 ] || { uid=10001; gid=10001; }
  absent COMPOSE_PROJECT_NAME "$COMPOSE_PROJECT_NAME" "part of the names of containers and volumes"
  absent TRAINERS "$trainers" "$cores cores, $total_mib MiB; make size explains"
  absent TRAINER_MEMORY "${trainer_mib}m" "memory of one trainer"
  absent NIGHTTRAIN_UID "$uid" "the user of the containers; it must be able to read secrets/ and the candles"
  absent NIGHTTRAIN_GID "$gid" ""
  absent CANDLES_DIR "$CANDLES_DIR" "without candles in it, a sample is made in data/sample"
  absent ALERTING_ENV ./deploy/alerting.env "who receives alerts; after a change run: make alerts"
  absent DASHBOARD_PORT "$DASHBOARD_PORT" "ports on 127.0.0.1"
  absent GRAFANA_PORT "$GRAFANA_PORT" ""
  absent PROMETHEUS_PORT "$PROMETHEUS_PORT" ""
  absent ALERTMANAGER_PORT "$ALERTMANAGER_PORT" ""
  absent BT_NIGHT_TRAINING "$BT_NIGHT_TRAINING" "false starts the services but no night"
}

# The containers get the settings of the night from .env alone; one that would be ignored is refused.
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

# The containers get the settings of the night, and nothing else of .env.
note_settings() {
  (
    umask 077
    grep '^BT_NIGHT_' .env | grep -Ev '^BT_NIGHT_(TRAINING|DASHBOARD_PORT|MEMORY_LIMIT|WORKERS)=' >.env.new || true
  )
  if cmp -s .env.new .env.night; then rm -f .env.new; else mv .env.new .env.night; fi
  chmod 600 .env.night
}
