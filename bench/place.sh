# shellcheck shell=bash
# place: where a measurement runs: a folder of its own, free ports, web servers, and their end.
#
#   source bench/place.sh
#   place_make                          `place` is the folder; it and all that runs in it go with the shell
#   port NAME                           gives `ports[NAME]` a free port
#   web NAME FILE                       a lighttpd of its own with this configuration
#   gateway NAME FILE [VARIABLE=...]    the gateway with this configuration, as it is shipped
#   own NAME COMMAND...                 any other program
#   places_end                          ends all of it
#
# What runs is known by the process ids of what was started here, and by RUN_DIR in their environment,
# which is a folder inside of `place`: nobody else's processes are ever touched.

ROOT=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/..")
BUILD=$(cd -- "$ROOT" && realpath -m -- "${BUILD:-build}")
PATH=$PATH:/usr/sbin:/sbin
CONTROL=$ROOT/lighttpd/control
export BUILD
# What is measured must not depend on the caller's own settings.
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY ALL_PROXY DATABASE_PATH DATABASE_SYNCHRONOUS
unset PORT RUN_DIR GATEWAY_CONFIG USERS_SERVICE_URL ORDERS_SERVICE_URL

readonly START_SECONDS=20 END_SECONDS=10 PORT_FIRST=20000
declare -gA ports=()   # by name
declare -ga started=() # process ids of what `web` and `own` started
declare -ga gateways=() # their names

fail() {
  printf 'bench: %s\n' "$@" >&2
  exit 1
}

place_make() {
  place=$(mktemp -d "${TMPDIR:-/tmp}/bench-XXXXXX") || exit
  trap places_end EXIT
  trap 'echo >&2; exit 130' INT TERM HUP
}

# Below the range from which the kernel takes ports for outgoing connections.
port() {
  local last number used
  read -r last _ </proc/sys/net/ipv4/ip_local_port_range
  ((last > PORT_FIRST + 1000)) || last=32768
  for _ in {1..100}; do
    number=$((PORT_FIRST + RANDOM % (last - PORT_FIRST)))
    used=" ${ports[*]} "
    [[ $used != *" $number "* ]] || continue
    awk '{ print $2 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ":$(printf '%04X' "$number")\$" && continue
    ports[$1]=$number
    return
  done
  fail "no free port found"
}

# until_so SECONDS COMMAND...: false where it did not become true.
until_so() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.02
  done
}

# In a folder of its own, in the background; `started_pid` is its process.
own() {
  local name=$1
  shift
  (umask 077 && mkdir -p -- "$place/$name")
  (cd -- "$BUILD" && RUN_DIR=$place/$name exec "$@") </dev/null >>"$place/$name/$name.log" 2>&1 &
  started_pid=$!
  started+=("$started_pid")
}

# Which files a web server includes is told from the project's own folder.
web() {
  local name=$1 file=$place/$1.conf pid
  sed "s|^include \"\([^/]\)|include \"$ROOT/lighttpd/\1|" "$2" >"$file"
  lighttpd_fds
  own "$name" lighttpd -D -f "$file"
  pid=$started_pid
  { until_so "$START_SECONDS" is_decided "$pid" && ! is_ended "$pid"; } || {
    cat -- "$place/$name/$name.log" >&2
    fail "lighttpd with $2 did not start"
  }
}

lighttpd_fds() {
  MAX_FDS=$(ulimit -Hn)
  [[ $MAX_FDS != unlimited ]] && ((MAX_FDS < 24576)) || MAX_FDS=24576
  export MAX_FDS
}

# Has it ended, or does it listen?
is_decided() { is_ended "$1" || find "/proc/$1/fd" -lname 'socket:*' 2>/dev/null | grep -q .; }

gateway() {
  local name=$1 file=$2
  shift 2
  port "$name"
  mkdir -p -- "$place/$name" && chmod 700 -- "$place/$name"
  gateways+=("$name")
  env RUN_DIR="$place/$name" PORT="${ports[$name]}" GATEWAY_CONFIG="$file" "$@" \
    "$CONTROL" start gateway >"$place/said" 2>&1 || {
    cat -- "$place/said" >&2
    fail "the gateway with $file did not start"
  }
}

# pid_of NAME COMMAND: of the process in this place that is called so.
pid_of() {
  local file
  LC_ALL=C grep -lzxFs -- "RUN_DIR=$place/$1" /proc/[0-9]*/environ | while read -r file; do
    file=${file%/environ}
    [[ $(cat -- "$file/comm" 2>/dev/null) == "$2" ]] && echo "${file#/proc/}"
  done
}

# Every line that was logged: it costs what it costs, but nobody reads it.
forget_logs() {
  local log
  for log in "$place"/*/*.log; do
    : >"$log"
  done
}

gateway_end() { RUN_DIR=$place/$1 "$CONTROL" stop gateway >/dev/null 2>&1; }

is_ended() { ! kill -0 "$1" 2>/dev/null; }

ended() {
  local pid=$1
  kill -INT "$pid" 2>/dev/null || return 0
  until_so 2 is_ended "$pid" || kill -TERM "$pid" 2>/dev/null
  until_so "$END_SECONDS" is_ended "$pid" || kill -KILL "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  return 0
}

# The gateways first: what they have under way needs the others.
places_end() {
  local status=$? name pid
  trap '' INT TERM HUP EXIT
  for name in "${gateways[@]}"; do
    gateway_end "$name"
  done
  for pid in "${started[@]}"; do
    ended "$pid"
  done
  gateways=() started=()
  [[ ! ${place:-} ]] || rm -rf -- "$place"
  exit "$status"
}
