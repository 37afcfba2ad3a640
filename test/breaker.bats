#!/usr/bin/env bats
# breaker: a service whose calls fail is not asked for a while, its callers are told at once, and it is
# used again soon after it is back.
load helpers
load moody

setup_file() {
  choose_place
  start_server a
  start_server b
  export A=unix:$RUN_DIR/a.sock B=unix:$RUN_DIR/b.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": {
    "shipped": { "servers": ["${A}"], "title": "Shipped service" },
    "fast":    { "servers": ["${A}"], "retry": null, "breaker": { "calls": 4, "open": "600s" } },
    "never":   { "servers": ["${A}"], "retry": null, "breaker": null },
    "silent":  { "servers": ["${A}"], "timeout": "2s" },
    "guarded": { "servers": ["${B}"], "retry": null, "breaker": { "calls": 4, "open": "60s" } },
    "other":   { "servers": ["${B}"] }
  },
  "routes": {
    "GET /{any*}": "shipped",
    "GET /composed": { "calls": { "it": "shipped GET /moody" }, "reply": "{it}" },
    "GET /told": {
      "calls": { "it": "shipped GET /moody" }, "reply": "{it}",
      "failure": { "error": "No page", "message": "{error.title}", "cause": "{error.cause}" }
    },
    "GET /else": { "calls": { "it": { "call": "shipped GET /moody", "else": { "ok": false } } }, "reply": "{it}" },
    "GET /fast/{any*}": { "pass": "fast /{any}" },
    "GET /never": { "pass": "never /moody" },
    "GET /guarded": { "pass": "guarded /moody" },
    "GET /hasty": { "timeout": "300ms", "coalesce": false, "calls": { "it": "guarded GET /moody" }, "reply": "{it}" },
    "GET /chain": {
      "timeout": "2s", "coalesce": false, "reply": "{second}",
      "calls": { "first": "never GET /moody", "second": "guarded GET /moody?after={first.method}" }
    },
    "GET /silent": { "pass": "silent /moody" },
    "GET /other": { "pass": "other /moody" },
    "GET /health": "builtin:health"
  }
}
JSON
  start_app gateway
}

teardown_file() { stop_servers_and_app; }
teardown() { show_logs_of_failure; }

is_logged() { wait_until grep -qE -- "$1" "$RUN_DIR/gateway.log"; }

is_refused() {
  get "${1:-/moody}"
  [[ $code == 503 && $body == *'not asked now'* ]]
}

is_served() { get /moody && [[ $code == 200 ]]; }

@test "calls that fail open it: 503 at once with Retry-After, and the service is left alone" {
  mood a 'status=503'
  wait_until is_refused
  expect 503 '{"error":"Shipped service unavailable","message":"The service is failing and not asked now"}'
  [ "$(header Retry-After)" = 1 ]
  is_logged 'upstream shipped: the breaker is open$'
  is_logged 'GET /moody 503 .*shipped=0\.[0-9]ms\(refused\)$'
  local calls started=${EPOCHREALTIME/[^0-9]/} seconds
  calls=$(calls_of a)
  gets 100 /moody
  calls=$(($(calls_of a) - calls))
  seconds=$(((${EPOCHREALTIME/[^0-9]/} - started) / 1000000 + 2))
  ((calls <= 3 * seconds)) || { echo "$calls calls in $seconds s" && return 1; }
}

@test "composed routes tell it as they tell of a service that is down" {
  mood a 'status=503'
  is_told() { is_refused && get /told && [[ $body == *'"refused"'* ]]; }
  wait_until is_told
  expect 503 '{"error":"No page","message":"Shipped service unavailable","cause":"refused"}'
  [ "$(header Retry-After)" = 1 ]
  get /else
  expect 200 '{"ok":false}'
}

@test "with the shipped settings all calls go well 3 s after the service is back" {
  mood a 'status=503'
  wait_until is_refused
  mood a
  local back=${EPOCHREALTIME/[^0-9]/} bad=0
  while ((${EPOCHREALTIME/[^0-9]/} - back < 4000000)); do
    is_served || bad=$((${EPOCHREALTIME/[^0-9]/} - back))
  done
  ((bad < 3000000)) || { echo "the last failure was $bad us after the return" && return 1; }
  is_logged 'upstream shipped: the breaker is half-open$'
  is_logged 'upstream shipped: the breaker is ramp$'
  is_logged 'upstream shipped: the breaker is closed$'
}

@test "a service that says nothing opens it with the first timeouts of a few callers" {
  mood a
  [ "$(gets 50 /silent)" = 50 ]
  mood a 'ms=60000'
  "$BUILD/test/fixtures/load" 9 once "$URL/silent" >"$BATS_TEST_TMPDIR/nine"
  [ "$(jq -c .statuses "$BATS_TEST_TMPDIR/nine")" = '{"504":9}' ]
  is_logged 'upstream silent: the breaker is open$'
  wait_until is_refused /silent
  mood a
}

@test "time that another service has used up is not held against it" {
  mood a 'ms=1300'
  mood b 'ms=60000'
  "$BUILD/test/fixtures/load" 8 once "$URL/chain" >"$BATS_TEST_TMPDIR/eight"
  [ "$(jq -c .statuses "$BATS_TEST_TMPDIR/eight")" = '{"504":8}' ]
  (($(calls_of b) >= 4)) # or nothing was tried
  mood b
  get /guarded
  expect 200
}

@test "a route's short deadline is time enough to find that it says nothing" {
  mood b 'ms=60000'
  "$BUILD/test/fixtures/load" 8 once "$URL/hasty" >"$BATS_TEST_TMPDIR/eight"
  wait_until is_refused /hasty
  mood b
}

@test "another service does not notice" {
  mood b
  mood a 'status=503'
  wait_until is_refused
  [ "$(gets 20 /other)" = 20 ]
  mood a
  wait_until is_served
}

@test "/health says that it is open, and asks the service nevertheless" {
  mood a 'status=503'
  wait_until is_refused
  get /health
  expect 200
  [ "$(field .shipped.status)" = healthy ]
  [[ $(field .shipped.breaker) == @(open|half-open) ]]
  [ "$(field '.other|has("breaker")')" = false ]
  mood a
}

@test "replies about requests open nothing" {
  local status
  for status in 400 404 409 429 501; do
    mood a "status=$status"
    for _ in {1..8}; do
      get /fast/moody
      expect "$status"
    done
  done
}

@test "what is switched off never opens" {
  mood a 'status=500'
  for _ in {1..60}; do
    get /never
    expect 500
  done
  [ "$(calls_of a)" = 60 ]
}

@test "it stays open over reloads" {
  mood a 'status=500'
  wait_until is_refused /fast/moody
  mood a
  for _ in {1..100}; do
    kill -HUP "$(responder_pid gateway)"
  done
  run -0 "$CONTROL" reload gateway
  is_refused /fast/moody
  (($(header Retry-After) > 300 && $(header Retry-After) <= 600))
  [ "$(calls_of a)" = 0 ]
}

@test "as plain CGI, every request begins anew" {
  mood a
  run -0 env GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/moody "$BUILD/fcgi-gateway" 2>/dev/null
  [[ $output == *"Status: 200"* && $output == *'"method":"GET"'* ]]
}
