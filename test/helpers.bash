# shellcheck shell=bash
# helpers: a copy of the application for a bats file, calls to it, and what must hold at its end.
#
#   load helpers
#   setup_file()    { start_app; }
#   teardown_file() { stop_app; }
#   teardown()      { show_logs_of_failure; }
#
#   @test "a user is found by id" {
#     get /users/1
#     expect 200
#     [ "$(field .user.name)" = "Ana Clara Gomes" ]
#   }
#
# Every file has a RUN_DIR and a PORT of its own, so that files can run side by side. Nothing here
# sleeps for longer than a poll; what takes time is waited for with a bound (`wait_until`).
bats_require_minimum_version 1.5.0

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
CONTROL=$ROOT/lighttpd/control
BUILD=$(cd -- "$ROOT" && realpath -m -- "${BUILD:-build}")
export BUILD
# What a test says about a copy must not come from the caller's own environment.
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY ALL_PROXY DATABASE_PATH

readonly WAIT_SECONDS=10 PORT_FIRST=20000

## Starting and stopping

# A free TCP port. Below the range from which the kernel takes ports for outgoing connections, so
# that none of those can be in the way, and held against other bats files by a link that names its
# owner's pid; `release_ports` gives it back.
free_port() {
  local claims=${TMPDIR:-/tmp}/fcgi-gateway-ports-$EUID port last owner
  (umask 077 && mkdir -p -- "$claims")
  read -r last _ </proc/sys/net/ipv4/ip_local_port_range
  ((last > PORT_FIRST + 1000)) || last=32768
  for ((port = PORT_FIRST + RANDOM % (last - PORT_FIRST); ; port = port + 1 < last ? port + 1 : PORT_FIRST)); do
    owner=$(readlink -- "$claims/$port") && [[ ! -d /proc/$owner ]] && rm -f -- "$claims/$port"
    ln -s -- "$$" "$claims/$port" 2>/dev/null || continue
    is_port_unused "$port" && break
    rm -f -- "$claims/$port"
  done
  echo "$port"
}

is_port_unused() {
  ! awk '{ print $2 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ":$(printf '%04X' "$1")\$"
}

release_ports() {
  find "${TMPDIR:-/tmp}/fcgi-gateway-ports-$EUID" -lname "$$" -delete 2>/dev/null || true
}

# Settings of this file's copy. Call it once, in setup_file; start_app does.
choose_place() {
  export RUN_DIR=$BATS_FILE_TMPDIR/run PORT
  PORT=$(free_port)
  export URL=http://127.0.0.1:$PORT
}

# Starts the gateway and the services, or only those named: `start_app gateway`. Variables of the
# environment (GATEWAY_CONFIG, ...) are passed on.
start_app() {
  [[ ${PORT:-} ]] || choose_place
  "$CONTROL" start "$@" 3>&-
}

# Ends the file's copy and holds what must be true of every copy at its end: it still worked, it
# stopped with status 0, nothing of it is left, and no sanitizer said anything.
stop_app() {
  local failed=0
  "$CONTROL" status || { echo "not all of it was up at the end" && failed=1; }
  stop_app_as_it_is || failed=1
  return "$failed"
}

# The same where a test ended some of it on purpose.
stop_app_as_it_is() {
  local failed=0
  kill_spawned
  "$CONTROL" stop || { echo "stop failed" && failed=1; }
  release_ports
  is_nothing_left || failed=1
  sanitizers_are_silent || failed=1
  ((!failed)) || show_logs
  return "$failed"
}

is_nothing_left() {
  local sockets processes
  processes=$(processes_of "$RUN_DIR")
  [[ ! $processes ]] || { echo "left processes:" && echo "$processes" && return 1; }
  sockets=$(find "$RUN_DIR" -type s)
  [[ ! $sockets ]] || { echo "left sockets: $sockets" && return 1; }
}

# "PID COMMAND" of every process that has this RUN_DIR in its environment, but for bats itself.
processes_of() {
  local file
  LC_ALL=C grep -lzxFs -- "RUN_DIR=$1" /proc/[0-9]*/environ | while read -r file; do
    grep -sE '^(lighttpd|fcgi-|misbehave)' "${file%environ}comm" | sed "s|^|${file//[!0-9]/} |"
  done
}

sanitizers_are_silent() {
  local said
  said=$(cat "$RUN_DIR"/*.log "$RUN_DIR"/*.log.old 2>/dev/null |
    grep -E -A 30 'ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:') || true
  [[ ! $said ]] || { echo "a sanitizer said:" && echo "$said" && return 1; }
}

start_service() { "$CONTROL" start "$1" 3>&-; }
stop_service() { "$CONTROL" stop "$1"; }

# Kills the program (gateway, users, orders) behind its web server, as a crash or the kernel would.
kill_responder() { kill -KILL "$(responder_pid "$1")"; }
responder_pid() { processes_of "$RUN_DIR" | sed -n "s/ fcgi-$1\$//p"; }

# Starts a program of the tests in the background; its output goes to $RUN_DIR/NAME.log. stop_app
# ends it. bats would wait for whoever holds its descriptors: the program gets none of them.
spawn() {
  local name=$1
  shift
  (umask 077 && mkdir -p -- "$RUN_DIR")
  (
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      ((fd <= 2)) || exec {fd}>&-
    done
    exec "$@"
  ) </dev/null >>"$RUN_DIR/$name.log" 2>&1 &
  echo $! >>"$RUN_DIR/spawned"
}

# The service that misbehaves on demand (test/fixtures), at unix:$RUN_DIR/misbehave.sock.
start_misbehave() {
  spawn misbehave "$BUILD/test/fixtures/misbehave" "unix:$RUN_DIR/misbehave.sock" "$@"
  wait_until test -S "$RUN_DIR/misbehave.sock"
}

kill_spawned() {
  local pid
  [[ -e $RUN_DIR/spawned ]] || return 0
  while read -r pid; do
    kill "$pid" 2>/dev/null && wait_until is_gone "$pid"
  done <"$RUN_DIR/spawned"
  rm -f -- "$RUN_DIR/spawned" "$RUN_DIR/misbehave.sock"
}

# Ended, or a zombie that its parent has not fetched yet.
is_gone() { [[ ! -e /proc/$1 ]] || grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"; }

# Calls a condition until it holds. When it did not in WAIT_SECONDS: fails, with what it said last.
wait_until() {
  local end=$((SECONDS + WAIT_SECONDS))
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= end)); then
      echo "not so within $WAIT_SECONDS s: $*"
      "$@"
      return
    fi
    sleep 0.02
  done
}

## Calls

# request METHOD PATH [CURL OPTION...]: sets `code`, `body` (its bytes but for NULs and last line
# ends, which bash cannot hold; they are in the file $BATS_TEST_TMPDIR/body) and `headers`. The path
# is sent as it is written.
request() {
  local method=$1 path=$2 how=(-X "$1")
  shift 2
  [[ $method != HEAD ]] || how=(--head)
  : >"$BATS_TEST_TMPDIR/body" # curl leaves it as it was where no body comes
  code=$(curl -sg --path-as-is --max-time 20 "${how[@]}" -o "$BATS_TEST_TMPDIR/body" \
    -D "$BATS_TEST_TMPDIR/headers" -w '%{http_code}' "$@" "$URL$path") || true
  body=$(tr -d '\0' 2>/dev/null <"$BATS_TEST_TMPDIR/body") || body=
  headers=$(tr -d '\r' 2>/dev/null <"$BATS_TEST_TMPDIR/headers") || headers=
}

get() { request GET "$@"; }

# The same to a service itself, over its socket: get_from users /health
get_from() {
  local URL=http://$1
  get "$2" --unix-socket "$RUN_DIR/$1.sock" "${@:3}"
}

# expect STATUS [BODY]: of the last call.
expect() {
  if [[ $code != "$1" ]]; then
    printf 'expected status %s, got %s with: %s\n' "$1" "$code" "$body"
    return 1
  fi
  [[ $# -lt 2 || $body == "$2" ]] || {
    printf 'expected: %s\n     got: %s\n' "$2" "$body"
    return 1
  }
}

# A value of the last body, as jq writes it: field .user.name
field() { jq -r "$1" "$BATS_TEST_TMPDIR/body"; }

# A header field of the last reply: header content-type
header() { sed -n "s/^$1: *//Ip" <<<"$headers" | head -n 1; }

# raw 'BYTES': sends them to the gateway as they are (printf escapes), prints what comes back.
raw() {
  local answer
  exec {answer}<>"/dev/tcp/127.0.0.1/$PORT"
  # shellcheck disable=SC2059 # the escapes are the point
  printf "$1" >&"$answer"
  timeout 5 cat <&"$answer" || true
  exec {answer}>&-
}

## When a test fails

show_logs_of_failure() { [[ ${BATS_TEST_COMPLETED:-} ]] || show_logs; }

show_logs() {
  local log
  for log in "$RUN_DIR"/*.log; do
    [[ ! -s $log ]] || { echo "the end of $log:" && tail -n 15 -- "$log"; }
  done
  return 0
}
