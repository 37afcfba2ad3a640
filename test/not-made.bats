#!/usr/bin/env bats
# not-made: calls of composed routes that are not made, because they could not change the reply any
# more, or because the request itself lacks what some call needs.
load helpers

setup_file() {
  choose_place
  spawn odd "$BUILD/test/fixtures/misbehave" "unix:$BATS_FILE_TMPDIR/odd.sock"
  wait_until test -S "$BATS_FILE_TMPDIR/odd.sock"
  export ODD=unix:$BATS_FILE_TMPDIR/odd.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": { "odd": { "servers": ["${ODD}"], "timeout": "20s", "title": "Odd service" } },
  "routes": {
    "GET /health": { "reply": { "status": "healthy" } },
    "GET /count": "odd",

    "GET /purchase": {
      "calls": {
        "slow":    "odd GET /json?value=1&ms=400&status={query.slow}",
        "stock":   "odd GET /status/409",
        "price":   "odd GET /json?value=2&ms=50",
        "payment": "odd POST /echo?{price}"
      },
      "reply": "{payment}"
    },
    "GET /purchases": {
      "calls": {
        "slow":     "odd GET /json?value=1&ms=400",
        "stock":    "odd GET /status/409",
        "price":    "odd GET /json?value=[1,2,3]&ms=50",
        "payments": { "each": "{price}", "call": "odd POST /echo?{each}" }
      },
      "reply": "{payments}"
    },
    "GET /part": {
      "calls": {
        "slow":  "odd GET /json?value=1&ms=400",
        "bad":   "odd GET /not-json",
        "first": "odd GET /json?value=2&ms=50",
        "shown": "odd GET /json?value={first}",
        "other": "odd GET /json?value={first}",
        "order": "odd POST /json?value={first}"
      },
      "reply": 1,
      "failure": { "title": "{error.title}", "shown": "{shown}", "order": "{order}" }
    },
    "GET /earlier": {
      "calls": {
        "order": "odd POST /json?status=404&value={first}",
        "bad":   "odd GET /status/409",
        "first": "odd GET /json?value=2&ms=100"
      },
      "reply": 1
    },
    "POST /list": {
      "calls": {
        "all": { "each": "{body}", "call": "odd POST /json?value={each.v}&ms={each.ms}&status={each.status}", "max": 2 }
      },
      "reply": "{all}"
    },
    "POST /lists": {
      "calls": {
        "slow": "odd GET /json?value=1&ms=400",
        "bad":  "odd GET /json?value=1&ms=100&status=409",
        "all":  { "each": "{body}", "call": "odd POST /json?value={each}&ms=150", "max": 1 }
      },
      "reply": "{all}"
    }
  }
}
JSON
  start_app gateway
}
teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# made CALLS COMMAND...: runs it; the service has got so many requests from it.
made() {
  local before expected=$1
  shift
  before=$(curl -s "$URL/count" | jq .requests)
  "$@"
  [[ $(($(curl -s "$URL/count" | jq .requests) - before - 1)) == "$expected" ]] ||
    { echo "not $expected requests" && return 1; }
}

post() { request POST "$1" -H 'Content-Type: application/json' --data-binary "$2" "${@:3}"; }

## Calls that can change nothing any more

@test "a call behind one that failed is not made, while an earlier one still decides the reply" {
  made 3 get /purchase
  expect 409 '{"status":409}'
  made 3 get '/purchase?slow=404'
  expect 404 1
  made 3 get /purchases
  expect 409 '{"status":409}'
}

@test "what the failure shows is still read, and nothing else, and never by changing something" {
  made 4 get /part
  expect 502 '{"title":"Odd service error","shown":2}'
}

@test "an earlier call is made all the same: it may be the one whose failure is told" {
  made 3 get /earlier
  expect 404 2
}

@test "behind an element that failed no more are started" {
  made 2 post /list '[{"v":1,"ms":400,"status":200},{"v":2,"ms":0,"status":409},{"v":3,"ms":0,"status":200},{"v":4,"ms":0,"status":200}]'
  expect 409 2
}

@test "when another call has failed no more elements are started" {
  made 3 post /lists '[1,2,3,4]'
  expect 409 1
}
