#!/usr/bin/env bats
# gone: when the client goes away, every call that is under way for it is given up at once, however it
# goes and whatever kind of route it asked. test/fixtures/misbehave.c holds requests and says when
# their connections were closed.
load helpers

setup_file() {
  choose_place
  start_misbehave
  export ODD=unix:$RUN_DIR/misbehave.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": {
    "odd": { "servers": ["${ODD}"], "title": "Odd service", "timeout": "30s",
             "health": { "path": "/hold/health", "timeout": "30s" } }
  },
  "routes": {
    "GET,POST /{any*}": "odd",
    "GET,POST /compose/{id}": {
      "calls": {
        "ready": "odd GET /ok",
        "left":  "odd GET /hold/{id}-left?{ready.ok}",
        "right": { "call": "odd POST /hold/{id}-right", "body": { "a": 1 } },
        "after": "odd GET /hold/{id}-after?{left.ok}"
      },
      "reply": "{after}"
    },
    "GET /else/{id}": {
      "calls": {
        "a": { "call": "odd GET /hold/{id}", "else": { "ok": 1 } },
        "b": "odd GET /hold/{id}-after?{a.ok}"
      },
      "reply": "{b}"
    },
    "GET /well": "builtin:health"
  }
}
JSON
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# ask NAME CURL_ARGUMENT...: in the background; sets `client`. NAME is the request's id.
ask() {
  curl -sN --max-time 20 -o "$BATS_TEST_TMPDIR/reply" -H "X-Request-ID: $1" "${@:2}" 3>&- &
  client=$!
}

of_service() { get_from misbehave "/held/$1" && field "$2"; }
is_held() { [ "$(of_service "$1" .held)" = true ]; }
is_closed() { [ "$(of_service "$1" .closed)" != null ]; }

# leave: the client is killed. Sets `left`, in microseconds.
leave() {
  left=${EPOCHREALTIME/[^0-9]/}
  kill -KILL "$client"
}

# is_cut NAME...: the service saw these calls closed, soon after the client had left.
is_cut() {
  local name
  for name in "$@"; do
    wait_until is_closed "$name"
    took=$(($(of_service "$name" .closed) - left))
    ((took < 1000000)) || { echo "$name was closed after $took us" && return 1; }
  done
}

is_logged() { wait_until grep -qE -- "$1" "$RUN_DIR/gateway.log"; }

@test "what is passed through is given up" {
  ask passed "$URL/hold/passed"
  wait_until is_held passed
  leave
  is_cut passed
  is_logged ' passed GET /hold/passed 499 [0-9.]+ms odd=[0-9.]+ms\(given up\)$'
}

@test "all calls of a composed route are given up, and no further one is made" {
  ask composed "$URL/compose/composed"
  wait_until is_held composed-left
  wait_until is_held composed-right
  leave
  is_cut composed-left composed-right
  is_logged ' composed GET /compose/composed 499 .*left=[0-9.]+ms\(given up\) right=[0-9.]+ms\(given up\)'
  run ! is_held composed-after
}

@test "a client that has gone needs no replacement for a call" {
  ask else "$URL/else/else"
  wait_until is_held else
  leave
  is_cut else
  is_logged ' else GET /else/else 499 '
  run ! is_held else-after
}

@test "what asks for the health is given up" {
  ask health "$URL/well"
  wait_until is_held health
  leave
  is_cut health
  is_logged ' health GET /well 499 '
}

@test "a streamed reply is given up while it pauses" {
  ask streamed "$URL/hold/streamed?head=1"
  wait_until test -s "$BATS_TEST_TMPDIR/reply"
  leave
  is_cut streamed
  is_logged ' streamed GET /hold/streamed 200 [0-9.]+ms odd=[0-9.]+ms\(given up\)$'
}

@test "a POST is given up as well, read or not" {
  ask post "$URL/hold/post" -d 12345
  wait_until is_held post
  leave
  is_cut post
  is_logged ' post POST /hold/post 499 '
  ask unread "$URL/compose/unread" -d 12345
  wait_until is_held unread-left
  leave
  is_cut unread-left unread-right
  is_logged ' unread POST /compose/unread 499 '
}

@test "a body that stops half way ends the call with its client" {
  exec {client}<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'POST /hold/half HTTP/1.1\r\nHost: h\r\nX-Request-ID: half\r\nContent-Length: 1000000\r\n\r\n12345' >&"$client"
  wait_until is_held half
  left=${EPOCHREALTIME/[^0-9]/}
  exec {client}>&-
  is_cut half
  is_logged ' half POST /hold/half 499 '
}

@test "a reset is noticed like an end" {
  exec {client}<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'GET /hold/reset?head=1 HTTP/1.1\r\nHost: h\r\nX-Request-ID: reset\r\n\r\n' >&"$client"
  wait_until is_held reset
  read -r -t 10 -u "$client" line # the rest stays unread: closing resets the connection
  left=${EPOCHREALTIME/[^0-9]/}
  exec {client}>&-
  is_cut reset
  is_logged ' reset GET /hold/reset '
}

# open_at_once TARGET: the request is there before lighttpd accepts the connection, as under load.
# lighttpd 1.4.69 does not watch such a client.
open_at_once() {
  local server
  server=$(processes_of "$RUN_DIR" | sed -n 's/ lighttpd$//p')
  kill -STOP "$server"
  exec {client}<>"/dev/tcp/127.0.0.1/$PORT"
  printf 'GET %s HTTP/1.1\r\nHost: h\r\n\r\n' "$1" >&"$client"
  kill -CONT "$server"
}

@test "who sends a request together with the connection is watched as well" {
  open_at_once /hold/at-once
  wait_until is_held at-once
  left=${EPOCHREALTIME/[^0-9]/}
  exec {client}>&-
  is_cut at-once
  is_logged 'GET /hold/at-once 499 '
}

@test "a reset is noticed there, too" {
  open_at_once '/hold/at-once-reset?head=1'
  wait_until is_held at-once-reset
  read -r -t 10 -u "$client" line
  left=${EPOCHREALTIME/[^0-9]/}
  exec {client}>&-
  is_cut at-once-reset
}

@test "over HTTP/2 the end of the connection is noticed" {
  ask h2 --http2-prior-knowledge "$URL/compose/h2"
  wait_until is_held h2-left
  leave
  is_cut h2-left h2-right
  is_logged ' h2 GET /compose/h2 499 '
}

# A frame of HTTP/2: TYPE FLAGS STREAM PAYLOAD, all as hexadecimal digits (RFC 9113 section 4.1).
frame() { printf '%06x%s%s%08x%s' $((${#4} / 2)) "$1" "$2" "$3" "$4"; }
hex() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }
# A string as HPACK has it, without Huffman coding (RFC 7541 section 5.2).
literal() { printf '%02x%s' "${#1}" "$(hex "$1")"; }
# Writes what standard input says in hexadecimal, at once: printf alone would write line by line, and
# lighttpd takes the first line of the preface for a request where the rest comes later.
say_hex() {
  # shellcheck disable=SC2059 # the escapes are the point
  printf "$(sed 's/../\\x&/g')" >"$BATS_TEST_TMPDIR/bytes"
  cat -- "$BATS_TEST_TMPDIR/bytes"
}

@test "over HTTP/2 a stream that is reset is given up, and not its neighbour" {
  local head='8286' # :method GET, :scheme http
  exec {client}<>"/dev/tcp/127.0.0.1/$PORT"
  {
    hex $'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    frame 04 00 0 ''
    frame 01 05 1 "${head}04$(literal /hold/stream-1)41$(literal h)"
    frame 01 05 3 "${head}04$(literal /hold/stream-3)41$(literal h)"
  } | say_hex >&"$client"
  wait_until is_held stream-1
  wait_until is_held stream-3
  left=${EPOCHREALTIME/[^0-9]/}
  frame 03 00 1 00000008 | say_hex >&"$client" # RST_STREAM, CANCEL
  is_cut stream-1
  is_logged 'GET /hold/stream-1 499 '
  is_held stream-3
  left=${EPOCHREALTIME/[^0-9]/}
  exec {client}>&-
  is_cut stream-3
}

@test "a thread serves others as before" {
  for _ in {1..4}; do
    ask again "$URL/hold/again"
    wait_until is_held again
    leave
    is_cut again
    get /json?value=7
    expect 200 7
  done
}

@test "a client that waits is not taken for one that has gone" {
  for options in '' --http2-prior-knowledge --http1.0; do
    # shellcheck disable=SC2086 # none where it is empty
    get '/slow?ms=300' $options
    expect 200 '{"ok":true}'
    # shellcheck disable=SC2086
    request POST '/slow?ms=300' $options -d 12345
    expect 200 '{"ok":true}'
  done
}

# is_soon MICROSECONDS...: the median is below 100 ms; the machine may be busy with something else.
is_soon() {
  local times
  mapfile -t times < <(printf '%s\n' "$@" | sort -n)
  echo "microseconds: ${times[*]}"
  ((times[$# / 2] < 100000))
}

@test "calls are cut within 100 ms" {
  local times=()
  for i in {1..11}; do
    ask "time-$i" "$URL/hold/time-$i"
    wait_until is_held "time-$i"
    leave
    is_cut "time-$i"
    times+=("$took")
  done
  is_soon "${times[@]}"
}

@test "so are those that the web server does not watch" {
  local times=()
  for i in {1..11}; do
    open_at_once "/hold/unwatched-$i"
    wait_until is_held "unwatched-$i"
    left=${EPOCHREALTIME/[^0-9]/}
    exec {client}>&-
    is_cut "unwatched-$i"
    times+=("$took")
  done
  is_soon "${times[@]}"
}

# How often threads of the gateway have gone to sleep.
sleeps() {
  cat "/proc/$(responder_pid gateway)/task"/*/status | awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }'
}
# The kernel lists the gateway's own end of each connection of its web server.
are_under_way() { (($(grep -c -F -- "$RUN_DIR/gateway.fcgi" /proc/net/unix) > $1)); }
is_later() { ((${EPOCHREALTIME/[^0-9]/} >= $1)); }

@test "who waits is not woken again and again to look for its client" {
  local crowd before clients=60
  "$BUILD/test/fixtures/load" "$clients" once "$URL/hold/crowd" >/dev/null 3>&- &
  crowd=$!
  wait_until are_under_way "$clients"
  wait_until is_later $((${EPOCHREALTIME/[^0-9]/} + 500000)) # all of them are watched
  before=$(sleeps)
  wait_until is_later $((${EPOCHREALTIME/[^0-9]/} + 1000000))
  before=$(($(sleeps) - before))
  kill -KILL "$crowd"
  echo "$before times within a second"
  ((before < clients * 5)) # a look every 50 ms would be clients * 20
}
