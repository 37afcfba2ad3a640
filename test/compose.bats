#!/usr/bin/env bats
# compose: one reply from several calls is what the route's template says, byte for byte, whatever
# the services answer, and in whatever order. /json?value=... of test/fixtures/misbehave.c answers
# with the JSON that it is given, so that these tests decide what a service says.
load helpers

setup_file() {
  choose_place
  spawn odd "$BUILD/test/fixtures/misbehave" "unix:$BATS_FILE_TMPDIR/odd.sock"
  wait_until test -S "$BATS_FILE_TMPDIR/odd.sock"
  export ODD=unix:$BATS_FILE_TMPDIR/odd.sock GONE=unix:$BATS_FILE_TMPDIR/gone.sock
  export WORD='a{word}"' GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": {
    "odd":  { "servers": ["${ODD}"], "timeout": "1s", "title": "Odd service" },
    "gone": { "servers": ["${GONE}"], "title": "Gone service" }
  },
  "errors": { "unreachable": 521, "timeout": 522, "broken": 523 },
  "routes": {
    "GET /static": { "reply": { "n": 12.50, "text": "ü \"{{}\"", "word": "${WORD}", "list": [], "none": {} } },
    "GET /accepted": { "reply": { "ok": true }, "status": 202 },

    "GET /one":  { "calls": { "a": "odd GET /json?value={query.a}" }, "reply": "{a}" },
    "GET /call/{behaviour}":       { "calls": { "a": "odd GET /{behaviour}" }, "reply": { "a": "{a}", "b": 1 } },
    "GET /call/{behaviour}/{arg}": { "calls": { "a": "odd GET /{behaviour}/{arg}" }, "reply": { "a": "{a}", "b": 1 } },
    "GET /huge": { "calls": { "a": "odd GET /huge?bytes={query.bytes}" }, "reply": { "a": "{a}" } },
    "GET /list": { "calls": { "a": "odd GET /list?count={query.count}" }, "reply": { "a": "{a}" } },

    "GET /parts": {
      "calls": { "a": "odd GET /json?value={query.a}" },
      "reply": {
        "value": "{a.v}", "missing": "{a.missing}", "null": "{a.null}",
        "becomes_empty": { "x": { "y": "{a.missing}" } },
        "keeps_one": { "x": "{a.missing}", "y": 1 },
        "is_empty": {},
        "array": ["{a.missing}", "{a.v}", { "x": "{a.missing}" }],
        "text": "<{a.v}|{a.list.1.name}>", "text_missing": "<{a.missing}>", "text_object": "<{a.list}>",
        "second": "{a.list.1.name}", "beyond": "{a.list.2}", "name_as_number": "{a.list.name}",
        "brace": "{{a.v}"
      }
    },

    "GET /two": {
      "calls": {
        "a": "odd GET /json?value={query.a}&ms={query.a_ms}&status={query.a_status}",
        "b": "odd GET /json?value={query.b}&ms={query.b_ms}&status={query.b_status}"
      },
      "reply": { "b": "{b.v}", "a": "{a.v}" },
      "failure": {
        "error": "Sorry", "title": "{error.title}", "message": "{error.message}", "status": "{error.status}",
        "partial": { "a": "{a.v}", "b": "{b.v}" }
      }
    },
    "GET /half": {
      "calls": { "a": "odd GET /json?value={query.a}", "b": "gone GET /ok" },
      "reply": { "a": "{a}", "b": "{b}" },
      "failure": { "title": "{error.title}", "partial": { "a": "{a.v}", "b": "{b.v}" } }
    },
    "GET /silent": {
      "calls": { "a": "odd GET /silent", "b": "odd GET /silent", "c": "odd GET /silent" },
      "reply": { "a": "{a}" }
    },

    "GET /together": {
      "calls": { "x": "odd GET /barrier?n=3", "y": "odd GET /barrier?n=3", "z": "odd GET /barrier?n=3" },
      "reply": { "x": "{x.ok}", "y": "{y.ok}", "z": "{z.ok}" }
    },
    "GET /chain": {
      "calls": {
        "third":  "odd GET /echo/{second.target}",
        "second": "odd GET /echo/{first.id}/orders?name={first.name}",
        "first":  "odd GET /json?value={query.a}"
      },
      "reply": { "second": "{second.target}", "third": "{third.target}" }
    },
    "GET /fork": {
      "calls": {
        "root":  "odd GET /json?value={query.a}",
        "left":  "odd GET /barrier/{root.id}?n=2",
        "right": "odd GET /barrier/{root.id}?n=2"
      },
      "reply": { "left": "{left.ok}", "right": "{right.ok}" }
    },
    "GET /echo/{id}/{n:int}": {
      "calls": { "a": "odd GET /echo/{id}/{n}?q={query.q}&w={header.X-Word}" },
      "reply": { "id": "{id}", "n": "{n}", "q": "{query.q}", "w": "{header.x-word}", "target": "{a.target}", "headers": "{a.headers}" }
    },
    "GET /count": "odd"
  }
}
JSON
  start_app gateway
  responder_pid gateway >"$BATS_FILE_TMPDIR/first-pid"
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# ask PATH [NAME=VALUE...]: GET with these query parameters, percent-encoded.
ask() {
  local path=$1 options=(-G) parameter
  shift
  for parameter in "$@"; do
    options+=(--data-urlencode "$parameter")
  done
  get "$path" "${options[@]}"
}

# two "A_MS B_MS" [A_STATUS B_STATUS]: the two services' times and statuses.
two() {
  ask /two 'a={"v":"first"}' 'b={"v":2.0}' "a_ms=${1% *}" "b_ms=${1#* }" \
    "a_status=${2:-200}" "b_status=${3:-200}"
}

## What the template says

@test "a reply without calls is written as it stands" {
  get /static
  expect 200 '{"n":12.50,"text":"ü \"{}\"","word":"a{word}\"","list":[],"none":{}}'
  [[ $(header content-type) == application/json ]]
  get /accepted
  expect 202 '{"ok":true}'
}

@test "numbers keep their digits, strings their escapes, objects their order and spaces" {
  local value
  for value in 12.50 -0 1E400 0.10 1234567890123456789012345 '"\u00e9\/\ud83d\ude00"' '"é😀"' true null '[]' '{}' \
    '{"z":1,"a":2,"z":3}' '[1.0, 2 ,  [3]]' '{ "a" : "\\" }'; do
    ask /one "a=$value"
    expect 200 "$value"
  done
}

@test "members whose references are missing are left out, and objects that become empty through it" {
  ask /parts 'a={"v":1.50,"null":null,"list":["x",{"name":"a\"é"}]}'
  expect 200 '{"value":1.50,"null":null,"keeps_one":{"y":1},"is_empty":{},"array":[null,1.50,null],"text":"<1.50|a\"é>","second":"a\"é","brace":"{a.v}"}'
}

@test "a reply that is no object has no members" {
  local value
  for value in 1 '"text"' null true '[]'; do
    ask /parts "a=$value"
    expect 200 '{"keeps_one":{"y":1},"is_empty":{},"array":[null,null,null],"brace":"{a.v}"}'
  done
}

@test "a name that stands twice gives the last value" {
  ask /two 'a={"v":1,"v":2}' 'b={"v":{"v":1},"x":0}' a_ms=0 b_ms=0 a_status=200 b_status=200
  expect 200 '{"b":{"v":1},"a":2}'
}

@test "a reply with status 204 gives nothing" {
  get /call/status/204
  expect 200 '{"b":1}'
}

@test "HEAD gives the same header section without the body" {
  two "0 0"
  expect 200
  local length=${#body}
  request HEAD '/two?a=%7B%22v%22:%22first%22%7D&b=%7B%22v%22:2.0%7D&a_ms=0&b_ms=0&a_status=200&b_status=200'
  expect 200
  [[ $(header content-length) == "$length" && $(header content-type) == application/json ]]
}

## Calls

@test "calls without references between them are made at the same time" {
  get /together
  expect 200 '{"x":true,"y":true,"z":true}'
}

@test "a call that refers to another's reply waits for it, wherever it stands" {
  ask /chain 'a={"id":7,"name":"Ana"}'
  expect 200 '{"second":"/echo/7/orders?name=Ana","third":"/echo/%2Fecho%2F7%2Forders%3Fname%3DAna"}'
}

@test "calls that wait for the same reply are then made at the same time" {
  ask /fork 'a={"id":1}'
  expect 200 '{"left":true,"right":true}'
}

@test "values in a path or query are percent-encoded, so that nothing can be smuggled in" {
  ask /chain 'a={"id":"a/../b?c#d %é","name":"x&admin=1 +/\n"}'
  expect 200
  [[ $(field .second) == '/echo/a%2F..%2Fb%3Fc%23d%20%25%C3%A9/orders?name=x%26admin%3D1%20%2B%2F%0A' ]]
}

@test "path parameters, query and header fields can be referred to" {
  get '/echo/a%2Fb%20c/007?q=x%26y%3D1+z&q=second' -H 'X-Word: ä b'
  expect 200
  [[ $(field .target) == '/echo/a%2Fb%20c/7?q=x%26y%3D1%20z&w=%C3%A4%20b' ]]
  [[ $(jq -c '[.id,.n,.q,.w]' <<<"$body") == '["a/b c",7,"x&y=1 z","ä b"]' ]]
  [[ $body == *'"n":7,'* ]]
}

@test "a composed call carries the request id" {
  get '/echo/x/1?q=1' -H 'X-Word: w' -H 'X-Request-ID: my-id'
  [[ $(field '.headers[]|select(.[0]=="X-Request-ID")|.[1]') == my-id && $(header x-request-id) == my-id ]]
}

@test "a value that is missing or has no text cannot be part of a path" {
  local value
  for value in '{}' '{"id":null}' '{"id":{}}' '{"id":[1]}' '{"id":""}' 5; do
    ask /chain "a=$value"
    expect 523
    [[ $(field .error) == "Odd service error" ]]
  done
  grep -F 'call second: first.id is missing' "$RUN_DIR/gateway.log"
  grep -F 'call second: first.id cannot be used here' "$RUN_DIR/gateway.log"
}

@test "connections are kept, however many calls a request makes" {
  local before after i
  for i in {1..10}; do get /together; done
  get /count
  before=$(field .connections)
  for i in {1..20}; do get /together; done
  get /count
  after=$(field .connections)
  ((after - before < 10)) || { echo "$((after - before)) connections for 60 calls" && return 1; }
}

## The same bytes

@test "the reply does not depend on which service is faster" {
  local times
  for times in "0 0" "0 150" "150 0"; do
    two "$times"
    expect 200 '{"b":2.0,"a":"first"}'
  done
}

@test "when both fail, the first in the file is told, whichever failed first" {
  local times
  for times in "0 0" "0 150" "150 0"; do
    two "$times" 500 503
    expect 521 '{"error":"Sorry","title":"Odd service unavailable","message":"Service answered 500","status":521}'
    two "$times" 503 404
    expect 521 '{"error":"Sorry","title":"Odd service unavailable","message":"Service answered 503","status":521}'
    two "$times" 404 500
    expect 404 '{"v":"first"}'
  done
}

@test "what a failure shows of other calls does not depend on time either" {
  local times
  for times in "0 0" "0 150" "150 0"; do
    two "$times" 200 500
    expect 521 '{"error":"Sorry","title":"Odd service unavailable","message":"Service answered 500","status":521,"partial":{"a":"first"}}'
    two "$times" 500 200
    expect 521 '{"error":"Sorry","title":"Odd service unavailable","message":"Service answered 500","status":521,"partial":{"b":2.0}}'
  done
}

## Failures

@test "a 4xx of a call is the reply, with its body unchanged" {
  local times status
  for times in "0 0" "0 150" "150 0"; do
    for status in 400 403 404 409 422 429; do
      two "$times" 200 "$status"
      expect "$status" '{"v":2.0}'
    done
  done
  [[ $(header content-type) == application/json ]]
}

@test "a service that is not there: its name, the status for it, and what is known" {
  ask /half 'a={"v":[1.0]}'
  expect 521 '{"title":"Gone service unavailable","partial":{"a":[1.0]}}'
}

@test "a service that does not answer in time: the calls' timeouts do not add up" {
  local start=${EPOCHREALTIME/./}
  get /silent
  expect 522 '{"error":"Odd service timeout","message":"Service did not respond in 1 second"}'
  ((${EPOCHREALTIME/./} - start < 2500000))
}

@test "a service's own 5xx is the reply, where the file says no failure" {
  local status
  for status in 500 501 502 503 504 505 599; do
    get "/call/status/$status"
    expect "$status"
    [[ $(jq -c . "$BATS_TEST_TMPDIR/body") == *"$status"* ]]
  done
}

@test "a redirect is not followed" {
  get /call/redirect
  expect 523 '{"error":"Odd service error","message":"Service answered 302"}'
}

@test "a reply that is not JSON, or not HTTP, or breaks off, is an error of the service" {
  local path
  for path in not-json garbage cut cut-chunked stalled; do
    get "/call/$path"
    [[ $code == 523 || ($path == stalled && $code == 522) ]] || { echo "$path: $code $body" && return 1; }
    [[ $(field '.error|type') == string && $(field '.message|type') == string ]]
  done
  for path in '' '{' '{"a":1,}' '{"a":1}x' '[1' 'nul' '01' '"\x"' "'a'" 'NaN' '{"a":1}{"b":2}'; do
    get "/one?a=$(jq -rn --arg v "$path" '$v|@uri')%20"
    expect 523 '{"error":"Odd service error","message":"The reply is not JSON"}'
  done
}

@test "a service that closes or resets the connection is unreachable" {
  local path
  for path in empty reset; do
    get "/call/$path"
    expect 521
    [[ $(field .error) == "Odd service unavailable" ]]
  done
}

@test "interim replies, trailers and surplus bytes are not taken for the reply" {
  get /call/continue
  expect 200 '{"a":{"ok":true},"b":1}'
  local i
  for i in {1..10}; do
    get /call/long
    expect 523
    get /call/ok
    expect 200 '{"a":{"ok":true},"b":1}'
  done
}

## Size

@test "JSON that is nested up to the bound is passed on, deeper one is an error of the service" {
  local open close
  open=$(printf '[%.0s' {1..128}) close=$(printf ']%.0s' {1..128})
  ask /one "a=$open$close"
  expect 200 "$open$close"
  ask /one "a=[$open$close]"
  expect 523
  ask /one "a=$(printf '[%.0s' {1..4000})"
  expect 523
}

@test "a reply of 2 MB is passed on whole" {
  ask /list count=1000000
  expect 200
  [[ ${#body} -eq 2000007 && $(tr -dc 1 <<<"$body" | wc -c) -eq 1000000 ]]
}

@test "a reply longer than the gateway keeps is an error of the service, and costs only this request" {
  ask /huge bytes=17000000
  expect 523 '{"error":"Odd service error","message":"The reply is too long"}'
  ask /huge bytes=1000000000000
  expect 523 '{"error":"Odd service error","message":"The reply is too long"}'
  ask /one a=1
  expect 200 1
}

@test "after all this it is still the same gateway process" {
  [[ $(responder_pid gateway) == "$(<"$BATS_FILE_TMPDIR/first-pid")" ]]
}
