#!/usr/bin/env bats
# bulkhead: a service gets so many calls at once and no more; some wait for their turn, the others are
# told at once, and calls of another service go their way.
load helpers
load moody

setup_file() {
  choose_place
  start_server a
  start_server b
  export A=unix:$RUN_DIR/a.sock B=unix:$RUN_DIR/b.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  configure 4
  start_app gateway
}

# configure PLACES: so many has "narrow".
configure() {
  sed "s/PLACES/$1/" >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": {
    "narrow": { "servers": ["${A}"], "timeout": "20s", "max_concurrent": PLACES, "queue": 4 },
    "wide":   { "servers": ["${A}"], "timeout": "20s", "max_concurrent": null },
    "other":  { "servers": ["${B}"] }
  },
  "routes": {
    "GET /narrow": { "pass": "narrow /moody" },
    "GET /large": { "pass": "narrow /huge?bytes=30000000" },
    "GET /hasty": { "pass": "narrow /moody", "timeout": "300ms" },
    "GET /composed": { "calls": { "it": "narrow GET /moody" }, "reply": "{it}" },
    "GET /ten": {
      "calls": {
        "a": "narrow GET /moody?1", "b": "narrow GET /moody?2", "c": "narrow GET /moody?3", "d": "narrow GET /moody?4",
        "e": "narrow GET /moody?5", "f": "narrow GET /moody?6", "g": "narrow GET /moody?7", "h": "narrow GET /moody?8",
        "i": { "call": "narrow GET /moody?9", "else": 9 }, "j": { "call": "narrow GET /moody?10", "else": 10 }
      },
      "reply": ["{a.method}", "{h.method}", "{i}", "{j}"]
    },
    "GET /wide": { "pass": "wide /moody" },
    "GET /other": { "pass": "other /moody" }
  }
}
JSON
}

teardown_file() { stop_servers_and_app; }
teardown() { show_logs_of_failure; }

hold() { mood a 'hold=1'; }
release() { mood a; }

# ask N PATH NAME: in the background, one client each; its reply's status goes to a line of NAME.
ask() {
  local i
  for ((i = 0; i < $1; i++)); do
    curl -s -o /dev/null --max-time 20 -H "X-Request-ID: $3" -w '%{http_code}\n' "$URL$2" >>"$BATS_TEST_TMPDIR/$3" 3>&- &
    clients+=($!)
  done
}

under_way() { get_from a /moods && field .under_way; }
are_under_way() { [ "$(under_way)" = "$1" ]; }
# fills PATH NAME: is its queue full? Else one client more is sent there. Who asks stands in it, too, so
# that some of them may be told to come again.
fills() {
  is_full && return
  ask 1 "$1" "$2"
  return 1
}
are_served() { [ "$(grep -c 200 "$BATS_TEST_TMPDIR/$1")" = "$2" ]; }
answers() { [ "$(sort "$BATS_TEST_TMPDIR/$1" 2>/dev/null | uniq -c | awk '{ print $2 "x" $1 }' | tr '\n' ' ')" = "$2 " ]; }

# Nobody is in the queue: one more call is answered by its deadline, not refused.
is_queueing() { get /hasty && [[ $body == *"No place for the call became free in time"* ]]; }
is_full() { get /hasty && [[ $body == *"Too many calls"* ]]; }

@test "so many calls at once, so many wait, and the others are told at once" {
  clients=()
  hold
  ask 4 /narrow first
  wait_until are_under_way 4
  wait_until fills /narrow second
  expect 503 '{"error":"narrow unavailable","message":"Too many calls of the service are under way"}'
  [ "$(header Retry-After)" = 1 ]
  get /composed
  expect 503
  [ "$(header Retry-After)" = 1 ]
  are_under_way 4
  release
  wait_until answers first 200x4
  wait_until are_served second 4
}

@test "who waits waits no longer than its time" {
  clients=()
  hold
  ask 4 /narrow first
  wait_until are_under_way 4
  get /hasty -H 'X-Request-ID: hasty'
  expect 503 '{"error":"narrow unavailable","message":"No place for the call became free in time"}'
  wait_until grep -qE ' hasty GET /hasty 503 3[0-9]{2}\.[0-9]ms narrow=3[0-9]{2}\.[0-9]ms\(refused\)$' "$RUN_DIR/gateway.log"
  release
  wait_until answers first 200x4
}

@test "who leaves the queue makes room" {
  clients=()
  hold
  ask 4 /narrow first
  wait_until are_under_way 4
  clients=()
  wait_until fills /narrow leaving
  kill "${clients[@]}" 2>/dev/null || true
  wait_until is_queueing
  release
  wait_until answers first 200x4
}

@test "more places after a reload are for those who wait" {
  clients=()
  hold
  ask 4 /narrow first
  wait_until are_under_way 4
  wait_until fills /narrow second
  configure 7
  run -0 "$CONTROL" reload gateway
  wait_until are_under_way 7
  release
  wait_until answers first 200x4
  wait_until are_served second 4
  configure 4
  run -0 "$CONTROL" reload gateway
}

@test "who reads slowly keeps nobody from a place, and gets all of the reply" {
  local reader readers=() line
  mood a
  for _ in {1..4}; do
    exec {reader}<>"/dev/tcp/127.0.0.1/$PORT"
    readers+=("$reader")
    printf 'GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&"$reader"
    IFS= read -r -t 10 line <&"$reader"
    [[ $line == "HTTP/1.1 200 "* ]]
  done
  get /narrow
  expect 200
  (($(cat <&"${readers[0]}" | wc -c) > 30000000))
  for reader in "${readers[@]}"; do
    exec {reader}>&-
  done
}

@test "another service has its own places" {
  clients=()
  hold
  ask 4 /narrow both
  wait_until are_under_way 4
  wait_until fills /narrow both
  [ "$(gets 20 /other)" = 20 ]
  release
  wait_until are_served both 8
}

@test "the calls of one request take their turns, too" {
  mood a 'ms=20'
  get /ten
  expect 200 '["GET","GET",9,10]'
  get_from a /moods
  [ "$(field .calls)" = 8 ]
  [ "$(field .most)" = 4 ]
}

@test "many clients at once are all served, never more than the bound at a time" {
  mood a 'ms=2'
  clients=()
  ask 8 /narrow a
  ask 40 /wide b
  wait_until answers a 200x8
  wait_until answers b 200x40
  for _ in {1..10}; do
    ask 6 /narrow c
  done
  wait "${clients[@]}"
  [ "$(grep -cE '^(200|503)$' "$BATS_TEST_TMPDIR/c")" = 60 ]
  release
  get /narrow
  expect 200
}

@test "without a bound all are under way" {
  clients=()
  hold
  ask 40 /wide all
  wait_until are_under_way 40
  release
  wait_until answers all 200x40
}
