#!/bin/sh
# Gives deploy/swarm.yml to a Swarm, on a manager; run it again after any change of a file or variable.
#   deploy/swarm/deploy.sh [--shared]
# --shared puts the coordinator's folder where several nodes reach it (deploy/swarm/shared.yml).
# STACK names the stack (nighttrain). TOKENS counts the sets of tokens (1): a new number makes new ones. TOKENS_DIR is a
# folder with tokens to take instead, a file each, such as `secrets` of the containers at home. AWS_CREDENTIALS is a file
# as ~/.aws/credentials is, for `artifacts` in an object store (deploy/swarm/objects.yml), and with CANDLES_URL for candles
# there (deploy/swarm/candles.yml). The rest is in swarm.yml.
set -eu

refuse() {
  printf 'deploy.sh: %s\n' "$1" >&2
  exit 2
}

deploy=$(cd "$(dirname "$0")/.." && pwd)
case "${1:-}" in
'') set -- -c "$deploy/swarm.yml" ;;
--shared) set -- -c "$deploy/swarm.yml" -c "$deploy/swarm/shared.yml" ;;
*) refuse "$1 is no option; there is --shared" ;;
esac

STACK=${STACK:-nighttrain} TOKENS=${TOKENS:-1}
NIGHT_CONFIG=${NIGHT_CONFIG:-$deploy/night_training.yaml}
ALERTING_ENV=${ALERTING_ENV:-$deploy/alerting.env.example}
[ -r "$NIGHT_CONFIG" ] || refuse "NIGHT_CONFIG: $NIGHT_CONFIG cannot be read"
[ -r "$ALERTING_ENV" ] || refuse "ALERTING_ENV: $ALERTING_ENV cannot be read"
[ -z "${AWS_CREDENTIALS:-}" ] || [ -r "$AWS_CREDENTIALS" ] || refuse "AWS_CREDENTIALS: $AWS_CREDENTIALS cannot be read"
if [ -n "${CANDLES_URL:-}" ]; then
  [ -z "${CANDLES_DIR:-}" ] || refuse "CANDLES_URL and CANDLES_DIR are both set: candles come from one place"
  case $CANDLES_URL in
  *[@\?#\ ]* | s3:// | s3:///*) refuse "CANDLES_URL: write s3://BUCKET/PREFIX, without credentials" ;;
  s3://*) ;;
  *) refuse "CANDLES_URL: write s3://BUCKET/PREFIX, without credentials" ;;
  esac
  [ -n "${AWS_CREDENTIALS:-}" ] || refuse "CANDLES_URL needs AWS_CREDENTIALS: a file as ~/.aws/credentials is, with region and endpoint_url where the store has them"
fi
# Docker looks for them beside swarm.yml, and not where this was called.
whole() { echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"; }
NIGHT_CONFIG=$(whole "$NIGHT_CONFIG") ALERTING_ENV=$(whole "$ALERTING_ENV")
[ -z "${AWS_CREDENTIALS:-}" ] || AWS_CREDENTIALS=$(whole "$AWS_CREDENTIALS")
[ "$(docker info --format '{{.Swarm.ControlAvailable}}')" = true ] ||
  refuse "this engine is no manager of a Swarm: run it on one (docker swarm init makes the first)"

for label in coordinator monitoring; do
  found=no
  for node in $(docker node ls --quiet); do
    value=$(docker node inspect --format "{{index .Spec.Labels \"nighttrain.$label\"}}" "$node")
    if [ "$value" = true ]; then found=yes; fi
  done
  [ $found = yes ] || refuse "no node has the label nighttrain.$label: docker node update --label-add nighttrain.$label=true NODE"
done

for name in nighttrain_token trainer_token alerts_token reader_token grafana_password; do
  secret=${STACK}_${name}_$TOKENS
  docker secret inspect "$secret" >/dev/null 2>&1 && continue
  if [ -n "${TOKENS_DIR:-}" ]; then
    [ -r "$TOKENS_DIR/$name" ] || refuse "TOKENS_DIR: $TOKENS_DIR/$name cannot be read"
    docker secret create "$secret" "$TOKENS_DIR/$name" >/dev/null
  else
    od -An -vtx1 -N32 /dev/urandom | tr -d ' \n' | docker secret create "$secret" - >/dev/null
  fi
  echo "made the secret $secret"
done

digest() { cat "$@" | sha256sum | cut -c1-12; }
FILES=$(digest "$deploy"/swarm/prometheus.yml "$deploy"/../prometheus/*.yml "$deploy"/../prometheus/*.sh "$deploy"/../prometheus/templates/* \
  "$deploy"/../grafana/provisioning/*/* "$deploy"/../grafana/dashboards/*)
if [ -n "${AWS_CREDENTIALS:-}" ]; then
  set -- "$@" -c "$deploy/swarm/objects.yml"
  OBJECT_STORE=$(digest "$AWS_CREDENTIALS")
  export AWS_CREDENTIALS OBJECT_STORE
fi
if [ -n "${CANDLES_URL:-}" ]; then
  set -- "$@" -c "$deploy/swarm/candles.yml"
  # swarm.yml asks for a folder, which candles.yml puts another in place of.
  CANDLES_DIR=/candles
  export CANDLES_URL CANDLES_DIR
fi
NIGHT=$(digest "$NIGHT_CONFIG") ALERTING=$(digest "$ALERTING_ENV")
export STACK TOKENS NIGHT_CONFIG ALERTING_ENV FILES NIGHT ALERTING
exec docker stack deploy --with-registry-auth --prune "$@" "$STACK"
