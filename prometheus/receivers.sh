#!/bin/sh
# Makes Alertmanager's configuration of alertmanager.yml and the receivers that are filled in, then runs the command.
#   receivers.sh SETTINGS FOLDER [COMMAND ...]
# SETTINGS is a file like deploy/alerting.env.example (may be absent: then only the coordinator is notified). FOLDER
# gets alertmanager.yml, readable by its owner only, and the templates. Values are read as they stand and never run.
set -eu
umask 077

settings=$1 folder=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
keys="SMTP_HOST SMTP_FROM SMTP_TO SMTP_USER SMTP_PASSWORD SLACK_WEBHOOK_URL TELEGRAM_BOT_TOKEN TELEGRAM_CHAT_ID
DISCORD_WEBHOOK_URL WEBHOOK_URL WEBHOOK_TOKEN HEARTBEAT_URL"
for key in $keys; do eval "$key="; done

refuse() {
  printf '%s: %s\n' "$settings" "$1" >&2
  exit 2
}

read_settings() {
  number=0
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    line=$(printf '%s' "$line" | tr -d '\r' | sed 's/^[[:space:]]*//; s/[[:space:]]*$//')
    case $line in '' | '#'*) continue ;; esac
    key=$(printf '%s' "${line%%=*}" | sed 's/[[:space:]]*$//')
    value=$(printf '%s' "${line#*=}" | sed 's/^[[:space:]]*//')
    case $line in *=*) ;; *) refuse "line $number: must be KEY=value" ;; esac
    known=no
    for name in $keys; do if [ "$key" = "$name" ]; then known=yes; fi; done
    [ $known = yes ] || refuse "line $number: $key is no setting; there are: $(echo $keys)"
    case $value in
    \"* | \'*) refuse "line $number: $key must be written without quotes" ;;
    esac
    eval "$key=\$value"
  done <"$settings"
}

# KEY... all filled: true; all empty: false; else refused.
filled() {
  full='' empty=''
  for key in "$@"; do
    eval "value=\$$key"
    if [ -n "$value" ]; then full="$full $key"; else empty="$empty $key"; fi
  done
  if [ -n "$full" ] && [ -n "$empty" ]; then refuse "$(echo $full) is set, so $(echo $empty) must be set too"; fi
  [ -n "$full" ]
}

must_match() { # KEY PATTERN WHAT
  eval "value=\$$1"
  printf '%s\n' "$value" | grep -Eq "$2" || refuse "$1 must be $3"
}

quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"; }

heartbeat() {
  filled HEARTBEAT_URL || return 0
  must_match HEARTBEAT_URL '^https?://[^ ]+$' "a URL that begins with http:// or https://"
  cat <<YAML
    webhook_configs:
      - url: $(quoted "$HEARTBEAT_URL")
        send_resolved: false
YAML
}

# Prints alertmanager.yml with what is added to its receivers `heartbeat`, `people` and `digest`.
configuration() {
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\n' "$line"
    added=''
    case $line in
    "  - name: heartbeat") added=$1 ;;
    "  - name: people") added=$2 ;;
    "  - name: digest") added=$3 ;;
    esac
    if [ -n "$added" ]; then printf '%s\n' "$added"; fi
  done <"$here/alertmanager.yml"
}

# TEMPLATE RESOLVED: what people are told by, and whether they are told of its end.
receivers() {
  if filled WEBHOOK_URL; then
    must_match WEBHOOK_URL '^https?://[^ ]+$' "a URL that begins with http:// or https://"
    cat <<YAML
    webhook_configs:
      - url: $(quoted "$WEBHOOK_URL")
        send_resolved: $2
YAML
    if filled WEBHOOK_TOKEN; then
      cat <<YAML
        http_config: {authorization: {type: Bearer, credentials: $(quoted "$WEBHOOK_TOKEN")}}
YAML
    fi
  elif filled WEBHOOK_TOKEN; then
    refuse "WEBHOOK_TOKEN is set, so WEBHOOK_URL must be set too"
  fi
  if filled SMTP_HOST SMTP_FROM SMTP_TO; then
    must_match SMTP_HOST '^[^ :]+:[0-9]+$' "host:port, for example smtp.example.org:587"
    must_match SMTP_FROM '^[^ ]+@[^ ]+$' "an address"
    must_match SMTP_TO '^[^ ]+@.+$' "an address, or several with commas between them"
    cat <<YAML
    email_configs:
      - smarthost: $(quoted "$SMTP_HOST")
        from: $(quoted "$SMTP_FROM")
        to: $(quoted "$SMTP_TO")
        send_resolved: $2
        headers: {Subject: '{{ template "$1.title" . }}'}
        html: ''
        text: '{{ template "$1.text" . }}'
YAML
    if filled SMTP_USER SMTP_PASSWORD; then
      cat <<YAML
        auth_username: $(quoted "$SMTP_USER")
        auth_password: $(quoted "$SMTP_PASSWORD")
YAML
    fi
  elif [ -n "$SMTP_USER$SMTP_PASSWORD" ]; then
    refuse "SMTP_USER or SMTP_PASSWORD is set, so SMTP_HOST SMTP_FROM SMTP_TO must be set too"
  fi
  if filled SLACK_WEBHOOK_URL; then
    must_match SLACK_WEBHOOK_URL '^https?://[^ ]+$' "a URL that begins with https://"
    cat <<YAML
    slack_configs:
      - api_url: $(quoted "$SLACK_WEBHOOK_URL")
        send_resolved: $2
        title: '{{ template "$1.title" . }}'
        text: '{{ template "$1.text" . }}'
YAML
  fi
  if filled TELEGRAM_BOT_TOKEN TELEGRAM_CHAT_ID; then
    must_match TELEGRAM_CHAT_ID '^-?[1-9][0-9]*$' "a number"
    cat <<YAML
    telegram_configs:
      - bot_token: $(quoted "$TELEGRAM_BOT_TOKEN")
        chat_id: $TELEGRAM_CHAT_ID
        send_resolved: $2
        parse_mode: ''
        message: "{{ template \"$1.title\" . }}\n\n{{ template \"$1.text\" . }}"
YAML
  fi
  if filled DISCORD_WEBHOOK_URL; then
    must_match DISCORD_WEBHOOK_URL '^https?://[^ ]+$' "a URL that begins with https://"
    cat <<YAML
    discord_configs:
      - webhook_url: $(quoted "$DISCORD_WEBHOOK_URL")
        send_resolved: $2
        title: '{{ template "$1.title" . }}'
        message: '{{ template "$1.text" . }}'
YAML
  fi
}

if [ -e "$settings" ]; then read_settings; fi
mkdir -p "$folder/templates"
cp "$here"/templates/*.tmpl "$folder/templates/"
beats=$(heartbeat)
people=$(receivers nighttrain true)
digest=$(receivers nighttrain.digest false)
configuration "$beats" "$people" "$digest" >"$folder/alertmanager.yml"
exec "$@"
