# How many trainers of what size fit this machine; deploy/stack/stack.sh includes this file.

RESERVED_MIB=1700 # the limits of all services but the trainers

whole() { # NAME VALUE LEAST: refuse anything but a whole number
  case $2 in '' | *[!0-9]*) fail "$1 must be a whole number from $3 to 256; got '$2'" ;; esac
  [ "$2" -ge "$3" ] && [ "$2" -le 256 ] || fail "$1 must be a whole number from $3 to 256; got '$2'"
}

mebibytes() { # NAME GIGABYTES
  echo "$2" | grep -Eqx '[0-9]+(\.[0-9]+)?' || fail "$1 must be a number of GiB; got '$2'"
  awk -v g="$2" 'BEGIN {print int(g * 1024)}'
}

setting() { # KEY: what the configuration says of it
  awk -F'[: #]+' -v key="$1" '$1 == key {gsub(/["\047\r]/, "", $2); print $2; exit}' "$CONFIG"
}

# Sets cores, total_mib, trainer_mib, trainers and their bounds.
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
    echo ".env decides: $(grep -E '^(TRAINERS|TRAINER_MEMORY|BT_NIGHT_WORKERS|BT_NIGHT_MEMORY_LIMIT)=' .env | tr '\n' ' ')(delete these lines, and make up measures again)"
  fi
}
