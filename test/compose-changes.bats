#!/usr/bin/env bats
# compose-changes: calls with methods, bodies and header fields; replies with a call's status and
# fields. /echo of test/fixtures/misbehave.c tells what reached the service.
load helpers

setup_file() {
  choose_place
  spawn odd "$BUILD/test/fixtures/misbehave" "unix:$BATS_FILE_TMPDIR/odd.sock"
  wait_until test -S "$BATS_FILE_TMPDIR/odd.sock"
  export ODD=unix:$BATS_FILE_TMPDIR/odd.sock GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": { "odd": { "servers": ["${ODD}"], "timeout": "1s" } },
  "limits": { "body": "64KiB" },
  "routes": {
    "POST /orders": {
      "calls": {
        "user": { "call": "odd GET /json?value={body.user}", "when": "{body.id:int}" },
        "order": {
          "call": "odd POST /echo/{body.id}",
          "headers": { "Idempotency-Key": "{header.Idempotency-Key}", "X-Name": "{user.name}" },
          "body": { "...": "{body}", "user": "{user.name}" }
        }
      },
      "status": 201,
      "headers": { "Location": "/orders/{body.id}", "X-Type": "{order.$headers.Content-Type}", "X-None": "{order.$headers.X-None}" },
      "reply": "{order}"
    },
    "POST /maybe": {
      "calls": { "a": { "call": "odd GET /json?value={body.value}", "when": "{body.wanted}" } },
      "reply": { "a": "{a}", "made": "{a.$status}" }
    },
    "PUT /status/{code:int}": {
      "calls": { "a": { "call": "odd PUT /status/{code}", "body": "{body}" } },
      "reply": "{a}", "status": "{a.$status}"
    },
    "GET /login": {
      "calls": { "a": "odd GET /headers?Set-Cookie=a%3D1&Set-Cookie=b%3D2&X-One=1&X-One=2" },
      "headers": { "Set-Cookie": "{a.$headers.Set-Cookie}", "X-One": "{a.$headers.X-One}" },
      "reply": { "one": "{a.$headers.x-one}", "cookie": "{a.$headers.Set-Cookie}" }
    },
    "DELETE /nothing": { "calls": { "a": "odd DELETE /echo" }, "reply": "{a.method}" }
  }
}
JSON
  start_app gateway
}
teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

post() { request POST "$1" -H 'Content-Type: application/json' --data-binary "$2" "${@:3}"; }

@test "a call carries method, header fields and a body that is made from the request and other replies" {
  post /orders '{"id":7,"user":"{\"name\":\"Ana\"}","price":12.50,"note":null}' -H 'Idempotency-Key: k1'
  expect 201
  [ "$(field .method)" = POST ]
  [ "$(field .target)" = /echo/7 ]
  [ "$(field .body)" = '{"id":7,"price":12.50,"note":null,"user":"Ana"}' ]
  [ "$(field '.headers | map(select(.[0] | ascii_downcase == "idempotency-key"))[0][1]')" = k1 ]
  [ "$(field '.headers | map(select(.[0] | ascii_downcase == "x-name"))[0][1]')" = Ana ]
  [ "$(field '.headers | map(select(.[0] | ascii_downcase == "content-type"))[0][1]')" = application/json ]
  [ "$(field '.headers | map(select(.[0] | ascii_downcase == "content-length"))[0][1]')" = 47 ]
}

@test "the reply has the status and the header fields that the file says" {
  post /orders '{"id":7,"user":"{\"name\":\"Ana\"}"}'
  expect 201
  [ "$(header location)" = /orders/7 ]
  [ "$(header x-type)" = application/json ]
  [ -z "$(header x-none)" ]
}

@test "a field that a call's reply repeats is whole: a list, and every cookie in a line of its own" {
  get /login
  expect 200 '{"one":"1, 2","cookie":"a=1"}'
  [[ $(header x-one) == "1, 2" ]]
  [[ $(grep -i '^set-cookie' <<<"$headers") == "Set-Cookie: a=1"$'\n'"Set-Cookie: b=2" ]]
}

@test "what the template names itself cannot be given by the client" {
  post /orders '{"id":7,"user":"{}"}'
  [ "$(field .body)" = '{"id":7}' ]
}

@test "a header field whose reference is missing, or would break out of its line, is not sent" {
  post /orders '{"id":7,"user":"{\"name\":\"a\\r\\nX-Evil: 1\"}"}'
  expect 201
  [ "$(field '.headers | map(.[0] | ascii_downcase) | contains(["x-name"]) or contains(["x-evil"]) or contains(["idempotency-key"])')" = false ]
}

@test "a call with 'when' is made only if that is there and neither null nor false" {
  local wanted
  for wanted in 1 0 '""' '[]' true; do
    post /maybe '{"value":"5","wanted":'"$wanted"'}'
    expect 200 '{"a":5,"made":200}'
  done
  for wanted in null false; do
    post /maybe '{"value":"5","wanted":'"$wanted"'}'
    expect 200 '{}'
  done
  post /maybe '{"value":"5"}'
  expect 200 '{}'
}

@test "a call whose path lacks a value of the request is not made, and the client hears which" {
  post /orders '{"user":"{}"}'
  expect 400 '{"error":"Bad request","message":"body.id is missing"}'
}

@test "a request's body that is not JSON is told by line and column" {
  post /maybe $'{"a":1,\n  b}'
  expect 400
  [ "$(field .error)" = "Invalid JSON" ]
  [[ $(field .message) == "line 2, column 3: "* ]]
  post /maybe ''
  expect 400
}

@test "another media type is 415, a long body 413" {
  request POST /maybe -H 'Content-Type: text/plain' --data-binary '{}'
  expect 415
  request POST /maybe -H 'Content-Type: application/json; charset=utf-8' --data-binary '{}'
  expect 200
  post /maybe "{\"a\":\"$(head -c 70000 /dev/zero | tr '\0' a)\"}"
  expect 413
}

@test "the reply's status may be a call's; a 4xx of a call is the reply" {
  local status
  for status in 200 201 202; do
    request PUT "/status/$status" -H 'Content-Type: application/json' -d '[1]'
    expect "$status"
  done
  request PUT /status/409 -H 'Content-Type: application/json' -d '[1]'
  expect 409
  request PUT /status/503 -H 'Content-Type: application/json' -d '[1]'
  expect 503
}

@test "a call without a body needs none from the client" {
  request DELETE /nothing
  expect 200 '"DELETE"'
}
