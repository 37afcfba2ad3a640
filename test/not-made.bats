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
    "GET /instead": {
      "calls": {
        "seen":  "odd GET /json?value=6&ms=200",
        "bad":   "odd GET /not-json",
        "slow":  "odd GET /json?value=7&ms=200",
        "other": "odd GET /json?value={seen}",
        "user":  { "call": "odd GET /json?value={bad.id}&{other}", "else": { "of": "{slow}", "bad": "{bad}" } },
        "order": { "call": "odd POST /json?value={slow}", "else": "not made" },
        "next":  "odd GET /json?value={user.of}",
        "last":  { "call": "odd GET /json?value={user.of}", "else": { "of": "{user.of}" } },
        "hid":   { "call": "odd GET /json?value={bad.id}", "else": "{never}" },
        "never": "odd GET /json?value={slow}"
      },
      "reply": 1,
      "failure": { "title": "{error.title}", "user": "{user}", "order": "{order}", "next": "{next}", "last": "{last}" }
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
    "POST /reserve": {
      "calls": {
        "stock":    "odd POST /json?value=1",
        "customer": { "call": "odd GET /echo/{body.user}", "when": "{body.user}", "else": null },
        "mail":     { "call": "odd POST /echo/{body.mail}", "when": "{query.mail}" },
        "later":    { "call": "odd POST /echo/{body.later}", "when": "{stock.later}" },
        "payment":  "odd POST /echo/{body.card}/{stock}?note={body.note}"
      },
      "reply": "{payment.target}"
    },
    "POST /ship/{to}": {
      "calls": {
        "order": "odd POST /json?value=1",
        "all":   { "each": "{body.items}", "call": "odd POST /echo/{to}/{each.id}/{order}", "when": "{each.wanted}", "result": "{reply.target}" }
      },
      "reply": "{all}"
    },
    "POST /ship-to": {
      "calls": {
        "order": "odd POST /json?value=[{{}]",
        "all":   { "each": "{order}", "call": "odd POST /echo/{query.to}/{each.id}" }
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

@test "the else of a call that is not made is what the failure shows of it" {
  made 3 get /instead
  expect 502 '{"title":"Odd service error","user":{"of":7},"order":"not made","last":{"of":7}}'
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

## What the request lacks

@test "what the request lacks is known before the first call is made" {
  made 0 post /reserve '{}'
  expect 400 '{"error":"Bad request","message":"body.card is missing"}'
  made 0 post /reserve '{"card":null}'
  expect 400 '{"error":"Bad request","message":"body.card is missing"}'
  made 0 post '/reserve?mail=1' '{"card":1}'
  expect 400 '{"error":"Bad request","message":"body.mail is missing"}'
  made 2 post /reserve '{"card":1}'
  expect 200 '"/echo/1/1"'
  made 4 post '/reserve?mail=1' '{"card":1,"user":2,"mail":"x","note":"n"}'
  expect 200 '"/echo/1/1?note=n"'
}

@test "what is there but fits no path is not said to be missing" {
  local card
  for card in '{}' '[1]' '""' '"."' '".."'; do
    made 0 post /reserve "{\"card\":$card}"
    expect 400 '{"error":"Bad request","message":"body.card cannot be used here"}'
  done
  made 0 post /reserve '{"card":1,"note":[]}'
  expect 400 '{"error":"Bad request","message":"body.note cannot be used here"}'
}

@test "the elements of the request's array are looked at before the first call, too" {
  made 0 post /ship/a '{}'
  expect 400 '{"error":"Bad request","message":"body.items is missing"}'
  made 0 post /ship/a '{"items":{}}'
  expect 400 '{"error":"Bad request","message":"body.items is no array"}'
  made 0 post /ship/a '{"items":[{"id":1,"wanted":true},{"wanted":true}]}'
  expect 400 '{"error":"Bad request","message":"body.items.1.id is missing"}'
  made 0 post /ship/a '{"items":[{"id":"..","wanted":true}]}'
  expect 400 '{"error":"Bad request","message":"body.items.0.id cannot be used here"}'
  made 2 post /ship/a '{"items":[{"id":1,"wanted":true},{}]}'
  expect 200 '["/echo/a/1/1",null]'
}

@test "where a service gives the array, what its elements lack is the service's mistake" {
  made 1 post '/ship-to?to=a' '{}'
  expect 502
  made 1 post /ship-to '{}'
  expect 400 '{"error":"Bad request","message":"query.to is missing"}'
}
