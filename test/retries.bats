#!/usr/bin/env bats
# retries: a call that failed is made again where that does no harm, and never so often that an outage
# grows by it. test/fixtures/misbehave.c counts what it is asked.
load helpers
load moody

setup_file() {
  choose_place
  start_server a
  export A=unix:$RUN_DIR/a.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": {
    "one":   { "servers": ["${A}"], "timeout": "1s", "breaker": null },
    "never": { "servers": ["${A}"], "timeout": "1s", "breaker": null, "retry": null },
    "often": { "servers": ["${A}"], "timeout": "1s", "breaker": null, "retry": { "times": 4, "backoff": "1ms" } },
    "short": { "servers": ["${A}"], "timeout": "1s", "breaker": null, "retry": { "timeout": "200ms" } },
    "cheap": { "servers": ["${A}"], "timeout": "1s", "breaker": null, "retry": { "backoff": "1ms" } },
    "poor":  { "servers": ["${A}"], "timeout": "5s", "breaker": null, "retry": { "backoff": "1ms", "budget": "1%", "timeout": "100ms" } },
    "narrow": { "servers": ["${A}"], "timeout": "60s", "breaker": null, "retry": { "backoff": "1ms" }, "max_concurrent": 1, "queue": 0 },
    "gone":  { "servers": ["unix:run/there-is-none.sock"], "breaker": null, "retry": { "budget": "100%" } }
  },
  "routes": {
    "GET,POST /{any*}": "one",
    "GET,POST /composed": { "calls": { "it": "one GET /moody" }, "reply": "{it}" },
    "POST /posted": { "calls": { "it": { "call": "one POST /moody", "body": { "a": 1 } } }, "reply": "{it}" },
    "GET /never": { "pass": "never /moody" },
    "GET /often": { "pass": "often /moody" },
    "GET /short": { "pass": "short /moody" },
    "GET /cheap": { "pass": "cheap /moody" },
    "GET /poor": { "pass": "poor /moody" },
    "GET /narrow": { "pass": "narrow /moody" },
    "GET,POST /gone": "gone",
    "POST /gone/composed": { "calls": { "it": { "call": "gone POST /x", "body": 1 } }, "reply": "{it}" }
  }
}
JSON
  start_app gateway
  for path in /moody /often /short; do
    gets 60 "$path" # what the budgets are made of
  done
}

teardown_file() { stop_servers_and_app; }
teardown() { show_logs_of_failure; }

is_logged() { wait_until grep -qE -- "$1" "$RUN_DIR/gateway.log"; }
took_ms() { sed -nE "s/.* $1 GET .* [0-9]{3} ([0-9]+)\.[0-9]ms .*/\1/p" "$RUN_DIR/gateway.log"; }

@test "a GET that meets one 503 is answered well, passed through or composed" {
  for path in /moody /composed; do
    mood a 'status=503&times=1'
    get "$path" -H "X-Request-ID: once-${path#/}"
    expect 200
    [ "$(calls_of a)" = 2 ]
    is_logged " once-${path#/} GET $path 200 .*ms\(2 tries\)$"
  done
}

@test "a GET whose connection is closed without a reply is made again" {
  for path in /moody /composed; do
    mood a 'status=0&times=2'
    get "$path"
    expect 200
    [ "$(calls_of a)" = 3 ]
  done
}

@test "what goes well is logged as before" {
  mood a
  get /moody -H 'X-Request-ID: well'
  is_logged ' well GET /moody 200 [0-9.]+ms one=[0-9.]+ms$'
}

@test "a POST that reached the service is never made again" {
  for status in 503 0; do
    for path in /moody /posted; do
      mood a "status=$status&times=1"
      request POST "$path" -d x
      [ "$code" != 200 ]
      [ "$(calls_of a)" = 1 ]
    done
  done
}

@test "a POST that could not be sent is tried again" {
  for path in /gone /gone/composed; do
    request POST "$path" -d x -H "X-Request-ID: unsent"
    expect 502
    is_logged " unsent POST $path 502 .*\(3 tries\)\(unreachable\)$"
  done
}

@test "a reply that is no sign of a passing trouble is the client's" {
  for status in 200 404 429 500 501; do
    mood a "status=$status"
    get /moody
    expect "$status"
    [ "$(calls_of a)" = 1 ]
  done
}

@test "a call is made as often as the file says, and the last reply is the client's" {
  mood a 'status=503'
  get /moody
  expect 503
  [ "$(field .method)" = GET ]
  [ "$(calls_of a)" = 3 ]
  mood a 'status=503'
  get /often
  expect 503
  [ "$(calls_of a)" = 5 ]
  mood a 'status=503'
  get /never
  expect 503
  [ "$(calls_of a)" = 1 ]
}

@test "an attempt that has a time of its own leaves the rest to the next one" {
  mood a 'ms=5000&times=1'
  get /short -H 'X-Request-ID: short'
  expect 200
  is_logged ' short GET /short 200 2[0-9]{2}\.[0-9]ms .*\(2 tries\)$'
}

@test "an attempt is not cut off for the sake of a retry that is not to be had" {
  mood a 'status=503'
  [ "$(gets 4 /poor)" = 0 ]
  [ "$(calls_of a)" = 6 ] # and the two that a new budget has
  mood a 'ms=500'
  get /poor
  expect 200
  [ "$(calls_of a)" = 1 ]
}

@test "the service is told what is left for all attempts" {
  mood a
  get /short
  (($(field .left) > 200 && $(field .left) <= 1000)) || { echo "$body" && return 1; }
}

@test "calls that are refused buy no retries" {
  mood a 'status=503'
  [ "$(gets 2 /narrow)" = 0 ]
  [ "$(calls_of a)" = 4 ]
  mood a 'hold=1'
  curl -s --max-time 60 -o /dev/null "$URL/narrow" 3>&- &
  local held=$!
  is_held() { [ "$(calls_of a)" = 1 ]; }
  wait_until is_held
  [ "$(gets 20 /narrow)" = 0 ]
  mood a 'status=503'
  wait "$held"
  get /narrow
  expect 503
  [ "$(calls_of a)" = 1 ]
}

@test "a silent service is not asked twice where there is no other server" {
  mood a 'ms=5000&times=1'
  get /moody
  expect 504 '{"error":"one timeout","message":"Service did not respond in 1 second"}'
  [ "$(calls_of a)" = 1 ]
}

@test "retries end at the deadline" {
  mood a 'status=0&ms=450'
  get /often -H 'X-Request-ID: deadline'
  expect 504
  local took
  took=$(took_ms deadline)
  ((took >= 990 && took <= 1020)) || { echo "$took ms" && return 1; }
}

@test "a service that says Retry-After is not asked before that" {
  get '/headers/503?Retry-After=30' -H 'X-Request-ID: later'
  expect 503
  [ "$(header Retry-After)" = 30 ]
  is_logged ' later GET .* 503 .*one=[0-9.]+ms$'
}

@test "a reply that has begun is never begun again" {
  get_from a /count
  local before
  before=$(field .requests)
  run -18 curl -sg --max-time 20 -o /dev/null "$URL/cut?bytes=10"
  get_from a /count
  [ "$(($(field .requests) - before))" = 2 ]
}

@test "in an outage a fifth more calls are made, and not more" {
  mood a 'status=503'
  [ "$(gets 200 /cheap)" = 0 ]
  local calls
  calls=$(calls_of a)
  # 200, a fifth of them, and the two that a new budget has
  ((calls >= 240 && calls <= 242)) || { echo "$calls calls" && return 1; }
}
