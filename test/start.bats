#!/usr/bin/env bats
# start: `make start`, `stop`, `status`, `restart`, `logs` and `run` do what they say, say why where
# they cannot, and leave nothing behind. Every test has a copy, or several, of its own.
load helpers

setup() {
  export RUN_DIR=$BATS_TEST_TMPDIR/run PORT
  PORT=$(free_port)
  URL=http://127.0.0.1:$PORT
}

teardown() {
  show_logs_of_failure
  "$CONTROL" stop >/dev/null
  release_ports
  [[ ! -d $RUN_DIR ]] || { is_nothing_left && sanitizers_are_silent; }
}

start() { start_app >"$BATS_TEST_TMPDIR/output" 2>&1; }

# start_fails TEXT: it fails, says this, and leaves nothing.
start_fails() {
  run -1 start_app
  [[ $output == *"$1"* ]] || { echo "not said: $1" && return 1; }
  [[ ! -d $RUN_DIR ]] || is_nothing_left
}

# Inodes of the TCP sockets on which anybody listens, and of all sockets of this copy.
listening() { awk '$4 == "0A" { print $10 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null; }
sockets() {
  local pid
  processes_of "$RUN_DIR" | while read -r pid _; do
    readlink "/proc/$pid"/fd/* | sed -n 's/^socket:\[\(.*\)\]$/\1/p'
  done | sort -u
}

@test "start returns when /health answers, stop leaves no process and no socket" {
  run -0 start_app
  [[ $output == *"http://localhost:$PORT"* ]]
  get /health
  expect 200
  run -0 "$CONTROL" status
  [ "$(grep -c ' up ' <<<"$output")" = 3 ]
  run -0 "$CONTROL" stop
  is_nothing_left
  run -3 "$CONTROL" status
  [ "$(grep -c ' down$' <<<"$output")" = 3 ]
}

@test "the public port is the only TCP port, and nobody else enters the folder" {
  start
  [ "$(comm -12 <(listening | sort) <(sockets) | wc -l)" = 1 ]
  [ "$(stat -c %a "$RUN_DIR")" = 700 ]
}

@test "stop says so where nothing runs" {
  run -0 "$CONTROL" stop
  [ "$output" = "nothing runs in $RUN_DIR" ]
}

@test "two copies live side by side" {
  start
  first=$RUN_DIR URL_of_first=$URL
  export RUN_DIR=$BATS_TEST_TMPDIR/second PORT
  PORT=$(free_port)
  start
  "$CONTROL" stop
  URL=$URL_of_first RUN_DIR=$first
  get /health
  expect 200
}

@test "start says who has the port" {
  start
  first=$RUN_DIR
  export RUN_DIR=$BATS_TEST_TMPDIR/second
  start_fails "port $PORT is taken by process"
  owner=$(sed -n 's/.*taken by process \([0-9]*\) (\(.*\))$/\1 \2/p' <<<"$output")
  RUN_DIR=$first
  processes_of "$RUN_DIR" | grep -qx "$owner"
  get /health
  expect 200
}

@test "start refuses what is no port" {
  for PORT in 0 65536 80a -1 ' 8000'; do
    start_fails "not a port (1 to 65535)"
  done
}

@test "start refuses a folder whose sockets' names would be too long" {
  RUN_DIR=$BATS_TEST_TMPDIR/$(printf '%0100d' 0)
  start_fails "too long"
}

@test "start refuses a folder that others may enter, and leaves it as it is" {
  mkdir -m 755 "$RUN_DIR"
  touch "$RUN_DIR/something"
  start_fails "others may enter it"
  [ "$(stat -c %a "$RUN_DIR")" = 755 ]
}

@test "a second start in the same folder says that it runs already" {
  start
  run -1 start_app
  [[ $output == *"already running in $RUN_DIR"* ]]
  get /health
  expect 200
}

@test "start shows the mistakes of the configuration" {
  export GATEWAY_CONFIG=$BATS_TEST_TMPDIR/gateway.json
  printf '{\n  "upstreamz": {}\n}\n' >"$GATEWAY_CONFIG"
  start_fails "$GATEWAY_CONFIG:2"
}

@test "start says which program does not start, with the end of its log" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$BUILD"/{fcgi-*,errors} "$BATS_TEST_TMPDIR/bin"
  ln -sf "$BATS_TEST_TMPDIR/broken" "$BATS_TEST_TMPDIR/bin/fcgi-orders"
  printf '#!/bin/sh\necho "the cellar is flooded" >&2\nsleep 0.1\nexit 1\n' >"$BATS_TEST_TMPDIR/broken"
  chmod +x "$BATS_TEST_TMPDIR/broken"
  BUILD=$BATS_TEST_TMPDIR/bin start_fails "fcgi-orders ended"
  [[ $output == *"the cellar is flooded"* ]]
}

@test "start says that there is no program where nothing was built" {
  BUILD=$BATS_TEST_TMPDIR/empty start_fails "make build"
}

@test "a newer copy of the project stops what an older one has started" {
  mkdir "$BATS_TEST_TMPDIR/older"
  cp -r "$ROOT/lighttpd" "$BATS_TEST_TMPDIR/older/"
  mkdir "$BATS_TEST_TMPDIR/older/fcgi-gateway"
  cp "$ROOT/fcgi-gateway/gateway.json" "$BATS_TEST_TMPDIR/older/fcgi-gateway/"
  run -0 "$BATS_TEST_TMPDIR/older/lighttpd/control" start
  run -0 "$CONTROL" stop
  [[ $output != *killed* ]]
  no_process
}

@test "after everything was killed, start works" {
  start
  # One's end may be that of another, before its turn.
  processes_of "$RUN_DIR" | while read -r pid _; do kill -KILL "$pid" 2>/dev/null || true; done
  wait_until no_process
  [ -e "$RUN_DIR/users.sock" ]
  start
  get /users/1/orders
  expect 200
}
no_process() { [ -z "$(processes_of "$RUN_DIR")" ]; }

@test "after only the web servers were killed, start takes new programs" {
  start
  old=$(responder_pid users)
  processes_of "$RUN_DIR" | while read -r pid name; do [ "$name" != lighttpd ] || kill -KILL "$pid"; done
  [ -e "/proc/$old" ]
  start
  [ "$(responder_pid users)" != "$old" ]
  is_gone "$old"
}

@test "stop ends programs whose web server was killed" {
  start
  processes_of "$RUN_DIR" | while read -r pid name; do [ "$name" != lighttpd ] || kill -KILL "$pid"; done
  run -0 "$CONTROL" stop
  is_nothing_left
}

@test "stop ends a keeper that is left with no program" {
  start
  keeper=$(processes_of "$RUN_DIR" | sed -n 's/ fcgi-keeper$//p')
  processes_of "$RUN_DIR" | while read -r pid name; do [ "$name" != lighttpd ] || kill -KILL "$pid"; done
  kill -STOP "$keeper"
  kill -KILL "$(responder_pid gateway)"
  run -0 "$CONTROL" stop
  is_nothing_left
}

@test "restart keeps the port" {
  start
  old=$(processes_of "$RUN_DIR")
  (unset PORT && "$CONTROL" restart 3>&-)
  get /health
  expect 200
  [ -z "$(comm -12 <(sort <<<"$old") <(processes_of "$RUN_DIR" | sort))" ]
}

@test "a restart with a configuration that has mistakes stops nothing" {
  start_app
  local before
  before=$(processes_of "$RUN_DIR")
  echo '{"routes": {"GET /": "nobody"}}' >"$BATS_TEST_TMPDIR/gateway.json"
  GATEWAY_CONFIG=$BATS_TEST_TMPDIR/gateway.json run -1 "$CONTROL" restart 3>&-
  [[ ${lines[0]} == "$BATS_TEST_TMPDIR/gateway.json:1:22: there is no upstream 'nobody'"* ]]
  [ "${lines[1]}" = "not restarted, all goes on as it was: $BATS_TEST_TMPDIR/gateway.json has mistakes" ]
  [ "$(processes_of "$RUN_DIR")" = "$before" ]
}

@test "what was stored outlives a restart" {
  start
  [ -s "$RUN_DIR/users.db" ]
  inode=$(stat -c %i "$RUN_DIR/users.db")
  "$CONTROL" restart 3>&-
  [ "$(stat -c %i "$RUN_DIR/users.db")" = "$inode" ]
}

@test "stop finishes the request that is under way" {
  start_misbehave
  export GATEWAY_CONFIG=$BATS_TEST_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<END
{ "upstreams": { "slow": { "servers": ["unix:$RUN_DIR/misbehave.sock"] } },
  "routes": { "GET /slow": "slow" } }
END
  start_app gateway
  curl -s -o "$BATS_TEST_TMPDIR/reply" -w '%{http_code}' "$URL/slow?ms=1000" 3>&- \
    >"$BATS_TEST_TMPDIR/code" &
  wait_until is_under_way
  run -0 "$CONTROL" stop
  wait $!
  [ "$(cat "$BATS_TEST_TMPDIR/code")" = 200 ]
  kill_spawned
}
# Each of these questions is one connection; one more is the gateway's call.
is_under_way() {
  [ "$(curl -s --unix-socket "$RUN_DIR/misbehave.sock" http://a/count | jq .connections)" -gt $((++asked)) ]
}

@test "a folder may be relative and have spaces, the caller may stand elsewhere" {
  cd "$BATS_TEST_TMPDIR"
  RUN_DIR='a folder/run here' start
  RUN_DIR="$BATS_TEST_TMPDIR/a folder/run here"
  get /users/1/orders
  expect 200
  "$CONTROL" stop
  is_nothing_left
}

@test "make knows the same commands" {
  start
  run -0 make -sC "$ROOT" status
  [[ $output == *"http://localhost:$PORT"* ]]
  run -0 make -sC "$ROOT" stop
  is_nothing_left
  run -0 make -sC "$ROOT" help
  for target in run start stop restart status logs test lint asan tsan; do
    grep -qE "^  make .*\b$target\b" <<<"$output"
  done
}

@test "logs shows the lines of all three" {
  start
  get /users/1/orders -H 'X-Request-ID: follow-me'
  "$CONTROL" logs >"$BATS_TEST_TMPDIR/followed" 2>&1 3>&- &
  follower=$!
  wait_until all_three_follow
  kill "$follower"
}
all_three_follow() {
  for name in gateway users orders; do
    grep -q "fcgi-$name follow-me " "$BATS_TEST_TMPDIR/followed" || return
  done
}

@test "what was started outlives its terminal" {
  script -qec "'$CONTROL' start" /dev/null >"$BATS_TEST_TMPDIR/screen" </dev/null 3>&-
  grep -q listening "$BATS_TEST_TMPDIR/screen"
  get /users/1/orders
  expect 200
  "$CONTROL" stop
  is_nothing_left
}

# The kernel may share out processors between sessions.
@test "what was started together is one session" {
  start
  processes_of "$RUN_DIR" | while read -r pid _; do
    cut -d ' ' -f 6 "/proc/$pid/stat"
  done >"$BATS_TEST_TMPDIR/sessions"
  [ "$(wc -l <"$BATS_TEST_TMPDIR/sessions")" = 7 ]
  [ "$(sort -u "$BATS_TEST_TMPDIR/sessions" | wc -l)" = 1 ]
}

# In a process group of its own and with SIGINT as a terminal gives it: bash takes it from commands
# in the background.
run_in_foreground() {
  setsid env --default-signal=INT "$CONTROL" run >"$BATS_TEST_TMPDIR/screen" 2>&1 </dev/null 3>&- &
  foreground=$!
  wait_until grep -q listening "$BATS_TEST_TMPDIR/screen"
}

@test "Ctrl-C of run leaves nothing" {
  run_in_foreground
  get /users/1/orders
  expect 200
  wait_until grep -q 'fcgi-gateway .* GET /users/1/orders 200' "$BATS_TEST_TMPDIR/screen"
  kill -INT -- "-$foreground"
  wait "$foreground"
  is_nothing_left
  [ ! -e "/proc/$foreground" ]
}

@test "Ctrl-C while run is starting leaves nothing" {
  setsid env --default-signal=INT "$CONTROL" run >"$BATS_TEST_TMPDIR/screen" 2>&1 </dev/null 3>&- &
  foreground=$!
  wait_until test -e "$RUN_DIR/users.log"
  kill -INT -- "-$foreground"
  wait "$foreground"
  is_nothing_left
}

# Web servers that are about to be: they come when the fifo is opened for writing. No process is called
# lighttpd before.
about_to_be() {
  mkfifo "$BATS_TEST_TMPDIR/gate"
  printf '#!/bin/sh\nexec "%s" "$@"\n' "$BATS_TEST_TMPDIR/later" >"$BATS_TEST_TMPDIR/lighttpd"
  printf '#!/bin/sh\n: >"%s.$$"\n: <"%s"\nexec "%s" "$@"\n' "$BATS_TEST_TMPDIR/waits" "$BATS_TEST_TMPDIR/gate" \
    "$(PATH=$PATH:/usr/sbin command -v lighttpd)" >"$BATS_TEST_TMPDIR/later"
  chmod +x "$BATS_TEST_TMPDIR/lighttpd" "$BATS_TEST_TMPDIR/later"
}
all_three_wait() { [ "$(find "$BATS_TEST_TMPDIR" -name 'waits.*' | wc -l)" = 3 ]; }

@test "run that is ended before its web servers are there leaves nothing" {
  about_to_be
  setsid env --default-signal=INT PATH="$BATS_TEST_TMPDIR:$PATH" "$CONTROL" run \
    >"$BATS_TEST_TMPDIR/screen" 2>&1 </dev/null 3>&- &
  foreground=$!
  wait_until all_three_wait
  kill -TERM "$foreground"
  wait_until grep -qx stopping "$BATS_TEST_TMPDIR/screen"
  exec {gate}<>"$BATS_TEST_TMPDIR/gate"
  wait "$foreground"
  exec {gate}>&-
  is_nothing_left
}

@test "run ends when it is stopped from elsewhere" {
  run_in_foreground
  "$CONTROL" stop
  wait "$foreground"
  is_nothing_left
}

@test "run fails, with the reason, where it cannot start" {
  start
  first=$RUN_DIR
  RUN_DIR=$BATS_TEST_TMPDIR/second run -1 "$CONTROL" run
  [[ $output == *"port $PORT is taken"* ]]
  RUN_DIR=$first
}

# Root takes the part of nobody; everybody else is an ordinary user anyway.
as_ordinary_user() {
  if ((EUID == 0)); then
    setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent "$@"
  else
    "$@"
  fi
}

@test "an ordinary user starts and stops it" {
  place=$(mktemp -d "${TMPDIR:-/tmp}/ordinary.XXXXXX")
  ((EUID != 0)) || chown 65534 "$place"
  RUN_DIR=$place/run
  PATH=/usr/bin:/bin as_ordinary_user "$CONTROL" start 3>&-
  get /users/1/orders
  expect 200
  owners=$(processes_of "$RUN_DIR" | while read -r pid _; do stat -c %u "/proc/$pid"; done | sort -u)
  as_ordinary_user "$CONTROL" stop
  is_nothing_left
  ((EUID != 0)) || [ "$owners" = 65534 ]
  rm -r "$place"
}

put_user() {
  request POST /users -H 'Content-Type: application/json' \
    -d '{"name":"Rachel","email":"rachel@centralperk.com","cpf":"111.111.111-11","favorite_drink":"Tea"}'
}
has_put_user() { put_user && [[ $code == 201 ]]; }

@test "a file that could only be read at the start is written again after it was mended, though it is in use" {
  place=$(mktemp -d "${TMPDIR:-/tmp}/ordinary.XXXXXX")
  ((EUID != 0)) || chown 65534 "$place"
  RUN_DIR=$place/run
  as_ordinary_user "$CONTROL" start 3>&-
  as_ordinary_user "$CONTROL" stop
  chmod 400 "$RUN_DIR/users.db"
  as_ordinary_user "$CONTROL" start 3>&-
  # Whoever reads keeps it open.
  timeout 60 curl -s -o /dev/null -Z --parallel-immediate --parallel-max 8 "$URL/users?n=[1-1000000]" 3>&- &
  reader=$!
  put_user
  expect 503
  chmod 600 "$RUN_DIR/users.db"
  wait_until has_put_user
  kill "$reader"
  as_ordinary_user "$CONTROL" stop
  is_nothing_left
  rm -r "$place"
}

@test "an ordinary user hears whose a folder is, not that nothing runs there" {
  for command in start stop status logs; do
    RUN_DIR=/ run -1 as_ordinary_user "$CONTROL" "$command"
    [[ $output == *"belongs to root"* ]]
  done
}
