#!/usr/bin/env bats
# errors: whatever goes wrong, the file says its status and what its body looks like, and a client
# that asks for problem details (RFC 9457) gets those.
load helpers

setup_file() {
  choose_place
  spawn odd "$BUILD/test/fixtures/misbehave" "unix:$BATS_FILE_TMPDIR/odd.sock"
  wait_until test -S "$BATS_FILE_TMPDIR/odd.sock"
  export ODD=unix:$BATS_FILE_TMPDIR/odd.sock GONE=unix:$BATS_FILE_TMPDIR/gone.sock
  export GATEWAY_CONFIG=$BATS_FILE_TMPDIR/gateway.json
  cat >"$GATEWAY_CONFIG" <<'JSON'
{
  "upstreams": {
    "odd":  { "servers": ["${ODD}"], "timeout": "300ms", "title": "Odd service" },
    "gone": { "servers": ["${GONE}"], "title": "Gone service" }
  },
  "errors": {
    "unreachable": 521, "timeout": 522, "broken": 523,
    "body": { "success": false, "error": "{error.title}", "message": "{error.message}", "of": "{error.cause} ({error.status})" }
  },
  "limits": { "body": "100B" },
  "routes": {
    "GET,POST /pass/{behaviour}":    { "calls": { "a": "odd GET /{behaviour}" }, "reply": "{a}" },
    "GET /silent":                   "odd",
    "GET /silent/own":               { "pass": "odd", "errors": { "timeout": 598 } },
    "GET /garbage":                  "odd",
    "GET /headers/{status}":         "odd",
    "GET /json":                     "odd",
    "GET /gone":                     "gone",
    "GET /needs":                    { "calls": { "a": "odd GET /echo/{query.id}" }, "reply": "{a}" },
    "POST /body":                    { "reply": "{body.a}" },
    "GET /call/gone":                { "calls": { "a": "gone GET /ok" }, "reply": "{a}" },
    "GET /call/json":                { "calls": { "a": "odd GET /json?value={query.value}&status={query.status}" }, "reply": "{a}" },
    "GET,POST /own/{behaviour}": {
      "calls": { "a": "gone GET /{behaviour}/{body.x}" }, "reply": "{a}",
      "errors": { "unreachable": 599, "body": { "own": "{error.title}" } }
    },
    "GET /usual":      { "pass": "gone", "errors": { "body": null } },
    "GET /failure": {
      "calls": { "a": "gone GET /ok" }, "reply": "{a}",
      "failure": { "sorry": "{error.message}", "cause": "{error.cause}" }
    }
  }
}
JSON
  start_app gateway
}

teardown_file() { stop_app_as_it_is; }
teardown() { show_logs_of_failure; }

# is_error STATUS TITLE MESSAGE CAUSE: the last reply is that error in the file's shape.
is_error() {
  expect "$1" "{\"success\":false,\"error\":\"$2\",\"message\":\"$3\",\"of\":\"$4 ($1)\"}"
  [[ $(header content-type) == application/json && $(header vary) == Accept ]]
}

# is_problem STATUS TITLE DETAIL CAUSE: the same as problem details, about this request.
is_problem() {
  expect "$1" "{\"type\":\"about:blank\",\"title\":\"$2\",\"status\":$1,\"detail\":\"$3\",\"instance\":\"urn:request:$(header x-request-id)\",\"cause\":\"$4\"}"
  [[ $(header content-type) == application/problem+json && $(header vary) == Accept ]]
}

problem=(-H 'Accept: application/json, application/problem+json')

@test "every cause of a failed call has the file's status, passed through or composed" {
  get /gone
  is_error 521 "Gone service unavailable" "Socket not found" unreachable
  get /call/gone
  is_error 521 "Gone service unavailable" "Socket not found" unreachable
  get /silent
  is_error 522 "Odd service timeout" "Service did not respond in 300 milliseconds" timeout
  get /pass/silent
  is_error 522 "Odd service timeout" "Service did not respond in 300 milliseconds" timeout
  get /garbage
  expect 523
  [[ $(field .success) == false && $(field .error) == "Odd service error" && $(field .of) == "broken (523)" ]]
  get /pass/not-json
  is_error 523 "Odd service error" "The reply is not JSON" broken
}

@test "what no route answers has the file's shape" {
  get /nowhere
  is_error 404 "Not found" "No route has this path" route
  request DELETE /gone
  is_error 405 "Method not allowed" "Method not allowed" route
  [[ $(header allow) == "GET, HEAD" ]]
}

@test "a request that is wrong is told in the file's shape" {
  get /needs
  is_error 400 "Bad request" "query.id is missing" request
  request POST /body -H 'Content-Type: application/json' -d '{"a":}'
  is_error 400 "Invalid JSON" "line 1, column 6: expected a value" request
  request POST /body -d 'a=1'
  is_error 415 "Unsupported media type" "Content-Type must be application/json" request
}

@test "what is refused before any route is looked for is told in the file's shape" {
  request POST /pass/sink -d "$(printf 'a%.0s' {1..101})"
  is_error 413 "Content Too Large" "The request body is longer than allowed" request
  REQUEST_METHOD=GET REQUEST_URI=/%zz run -0 --separate-stderr "$BUILD/fcgi-gateway"
  [[ $output == *'{"success":false,"error":"Bad Request","message":"The path has a broken percent-encoding","of":"request (400)"}' ]]
  REQUEST_METHOD=GET REQUEST_URI=/a/../b run -0 --separate-stderr "$BUILD/fcgi-gateway"
  [[ $output == *'{"success":false,"error":"Bad request","message":"The path is not a valid one","of":"request (400)"}' ]]
}

@test "a client that names application/problem+json gets problem details instead" {
  get /gone "${problem[@]}"
  is_problem 521 "Gone service unavailable" "Gone service unavailable: Socket not found" unreachable
  get /nowhere "${problem[@]}" -H 'X-Request-ID: my.id-1'
  is_problem 404 "Not Found" "Not found: No route has this path" route
  [[ $(field .instance) == urn:request:my.id-1 ]]
  request DELETE /gone "${problem[@]}"
  is_problem 405 "Method Not Allowed" "Method not allowed" route
  request POST /body -d 'a=1' "${problem[@]}"
  is_problem 415 "Unsupported Media Type" "Unsupported media type: Content-Type must be application/json" request
  request POST /pass/sink -d "$(printf 'a%.0s' {1..101})" "${problem[@]}"
  is_problem 413 "Content Too Large" "Content Too Large: The request body is longer than allowed" request
}

@test "wildcards and a weight of 0 ask for nothing" {
  local accept
  for accept in '*/*' 'application/*' 'application/json' 'application/problem+json;q=0' 'application/problem+xml' ''; do
    get /nowhere -H "Accept: $accept"
    is_error 404 "Not found" "No route has this path" route
  done
  for accept in 'application/problem+json;q=0.1' 'text/html, APPLICATION/Problem+JSON ; q=1.0 ,*/*;q=0'; do
    get /nowhere -H "Accept: $accept"
    is_problem 404 "Not Found" "Not found: No route has this path" route
  done
  get /nowhere -H 'Accept: text/html' -H 'Accept: application/problem+json'
  is_problem 404 "Not Found" "Not found: No route has this path" route
}

@test "HEAD says of an error what GET says, without the body" {
  get /nowhere "${problem[@]}"
  local length=${#body}
  request HEAD /nowhere "${problem[@]}"
  expect 404
  [[ $(header content-type) == application/problem+json && $(header content-length) == "$length" ]]
}

@test "what a service answers is not an error of the gateway, whatever the client accepts" {
  get '/headers/404?Content-Type=text/plain&X-A=1' "${problem[@]}"
  expect 404 '{}'
  [[ $(header content-type) == text/plain && $(header x-a) == 1 && ! $(header vary) ]]
  get '/json?status=503&value=1' "${problem[@]}"
  expect 503 1
}

@test "a required call's 4xx and its body reach the client unchanged, whatever it accepts" {
  local status accept
  for status in 400 401 404 409 422 429; do
    for accept in '*/*' 'application/problem+json'; do
      get "/call/json?status=$status&value=%7B%22no%22:%20%5B1.0%5D%7D" -H "Accept: $accept"
      expect "$status" '{"no": [1.0]}'
      [[ $(header content-type) == application/json && ! $(header vary) ]]
    done
  done
}

@test "a route says of its errors what it wants otherwise, the rest stays as for all" {
  request POST /own/ok -H 'Content-Type: application/json' -d '{"x":1}'
  expect 599 '{"own":"Gone service unavailable"}'
  request POST /own/ok -H 'Content-Type: application/json' -d '{}'
  expect 400 '{"own":"Bad request"}'
  request POST /own/ok -d x
  expect 415 '{"own":"Unsupported media type"}'
  request POST /own/ok -d "$(printf 'a%.0s' {1..101})"
  expect 413 '{"own":"Content Too Large"}'
  request DELETE /own/ok
  is_error 405 "Method not allowed" "Method not allowed" route
  get /silent/own
  is_error 598 "Odd service timeout" "Service did not respond in 300 milliseconds" timeout
  get /usual
  expect 521 '{"error":"Gone service unavailable","message":"Socket not found"}'
}

@test "a route's own failure stays what it is" {
  local accept
  for accept in '*/*' 'application/problem+json'; do
    get /failure -H "Accept: $accept"
    expect 521 '{"sorry":"Socket not found","cause":"unreachable"}'
    [[ $(header content-type) == application/json ]]
  done
}
